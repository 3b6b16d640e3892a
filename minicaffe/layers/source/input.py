"""Input: blobs that the user fills."""

from __future__ import annotations

from ...core.layer import Layer


class Input(Layer):
    """Tops that are filled from outside; they are the net's inputs.

    Param     input_param.shape: one for all tops, one each, or none (a top is then empty until it is
              reshaped).  transform_param is passed over, as in Caffe; `minicaffe classify` does what it
              says to images.
    Shapes    top[i]: as given.
    Source    Caffe's Input layer.
    """

    type = "Input"
    bottoms = 0
    tops = (1, None)
    source = True
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        shapes = [tuple(shape.dim) for shape in self.param.input_param.shape]
        self.require(len(shapes) in (0, 1, len(top)), f"{len(shapes)} shapes for {len(top)} tops")
        for i, blob in enumerate(top):
            blob.reshape(*(shapes[i % len(shapes)] if shapes else (0,)))

    def reshape(self, bottom, top):
        pass  # a shape set from outside stays

    def forward(self, bottom, top):
        pass

    def backward(self, top, propagate_down, bottom):
        pass
