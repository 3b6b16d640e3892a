"""LSTMUnit: one step of an LSTM, after the matrix products."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import recurrent


class LSTMUnit(Layer):
    """c = f cont c_before + i g, h = o tanh(c), with i, f, o = sigmoid and g = tanh of the gates.

    Shapes    bottom[0] c_before: (1, N, D); bottom[1], the gates: (1, N, 4 D), i, f, o, g one behind the
              other; bottom[2] cont: (1, N), 0 where a sequence starts, 1 where it goes on; top[0] c and
              top[1] h: (1, N, D).
    Backward  with s = dc + dh o (1 - tanh(c)^2): dc_before = s f cont; the gates get s g i (1 - i),
              s cont c_before f (1 - f), dh tanh(c) o (1 - o) and s i (1 - g^2).  cont has no gradient.
              Reads c_before, cont, c and the gates' activations, which are saved.
    Source    Caffe's LSTMUnit layer; LSTM is made of it there.
    Differs   the gradient of the forget gate is exact for any cont; Caffe's on the CPU for 0 and 1 only.
              Where cont is 0 nothing comes of c_before, NaN and infinity neither.
    Raises    ShapeError for bottoms that do not fit each other.
    """

    type = "LSTMUnit"
    bottoms = 3
    tops = 2
    kernels = recurrent
    not_differentiable = frozenset({2})

    def reshape(self, bottom, top):
        c, gates, cont = (blob.shape for blob in bottom)
        if len(c) != 3 or c[0] != 1:
            raise ShapeError(f"bottom 0 must have the axes 1, sequences, cells; got {c}")
        if gates != (1, c[1], 4 * c[2]):
            raise ShapeError(f"bottom 1 must have 4 gates for every cell, {(1, c[1], 4 * c[2])}; got {gates}")
        if cont != c[:2]:
            raise ShapeError(f"bottom 2 must have a number for every sequence, {c[:2]}; got {cont}")
        for blob in top:
            blob.reshape(*c)
        self.g = recurrent.TimeStep(c[1], c[2], 0)
        self.gates = self.saved(gates)
        self.unasked = self.saved(c), self.saved(gates)  # where gradients go that nobody wants

    def forward(self, bottom, top):
        c_before, x, cont = (blob.data for blob in bottom)
        c, h = (blob.data for blob in top)
        self.device.copy(x, self.gates.data)
        self.k.lstm_forward(self.gates.data, cont, c_before, c, h, h, self.g)

    def backward(self, top, propagate_down, bottom):
        dc, dgates = (
            blob.diff if wanted else spare.data
            for blob, wanted, spare in zip(bottom, propagate_down, self.unasked)
        )
        dh = top[1].diff
        self.device.copy(top[0].diff, dc)
        self.k.lstm_backward(
            self.gates.data, bottom[2].data, bottom[0].data, top[0].data, dh, dh, dc, dgates, self.g
        )

    def forward_operations(self, bottom, top):
        return 12 * bottom[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        return 19 * bottom[0].count
