"""Parameter: a learnable blob as a top."""

from __future__ import annotations

from ...core.layer import Layer
from ...kernels import eltwise
from ...proto.schema import FillerParameter


class Parameter(Layer):
    """y = w, the layer's one parameter.

    Param     parameter_param.shape.
    Shapes    top[0]: as given.  The parameter has that shape and starts at zero: there is no filler; weights
              may come from a file.
    Backward  dw += dy; reads nothing.
    Source    Caffe's Parameter layer.
    Differs   gradients add up as those of every parameter do; Caffe overwrites them, so that of iter_size
              passes only the last counts.
    """

    type = "Parameter"
    bottoms = 0
    kernels = eltwise
    has_params = True
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        self.add_param(self.param.parameter_param.shape.dim, FillerParameter())

    def reshape(self, bottom, top):
        top[0].reshape(*self.params[0].shape)

    def forward(self, bottom, top):
        self.device.copy(self.params[0].data, top[0].data)

    def backward(self, top, propagate_down, bottom):
        if self.param_gradient[0]:
            self.k.sum_add(top[0].diff, self.params[0].diff, 1, 0)

    def backward_operations(self, bottom, top, propagate_down, params):
        return top[0].count * params[0]
