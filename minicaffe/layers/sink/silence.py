"""Silence: reads blobs, so that they are no outputs of the net."""

from __future__ import annotations

from ...core.layer import Layer


class Silence(Layer):
    """Nothing comes out.

    Shapes    bottom[i]: any; no tops.
    Backward  dx_i = 0; reads nothing.  It runs only with force_backward: no loss depends on a layer without
              tops.
    Source    Caffe's Silence layer.
    """

    type = "Silence"
    bottoms = (1, None)
    tops = 0
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        pass

    def backward(self, top, propagate_down, bottom):
        for blob, wanted in zip(bottom, propagate_down):
            if wanted:
                self.device.fill(blob.diff, 0)

    def forward_traffic(self, bottom, top):
        return 0
