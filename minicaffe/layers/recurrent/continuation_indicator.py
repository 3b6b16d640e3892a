"""ContinuationIndicator: sequences that all start with the batch."""

from __future__ import annotations

from ...core.layer import Layer


class ContinuationIndicator(Layer):
    """y[0] = 0, y[t] = 1 for t > 0: the cont of recurrent layers whose batch is whole sequences.

    Param     continuation_indicator_param: time_step T and batch_size N, both needed.
    Shapes    top[0]: (T, N).
    Source    ContinuationIndicator of CRNN's Caffe.
    """

    type = "ContinuationIndicator"
    bottoms = 0
    backward_reads = frozenset()
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        conf = self.param.continuation_indicator_param
        self.shape = conf.time_step, conf.batch_size
        self.require(
            min(self.shape) > 0,
            "continuation_indicator_param must have time_step and batch_size of at least 1; got"
            f" {conf.time_step} and {conf.batch_size}",
        )

    def reshape(self, bottom, top):
        top[0].reshape(*self.shape)

    def forward(self, bottom, top):
        self.device.fill(top[0].data, 1)
        self.device.fill(top[0].data[0], 0)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down
