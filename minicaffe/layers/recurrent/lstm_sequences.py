"""Lstm: the LSTM of forks, whose batch is whole sequences unless a bottom says otherwise."""

from __future__ import annotations

import numpy as np

from ...errors import ShapeError
from ...kernels import gemm, piecewise
from .bottoms import CONT, X
from .lstm import LSTM


class Lstm(LSTM):
    """c_t = f cont_t c_{t-1} + i g, h_t = o tanh(c_t): D memory cells and their gates.

    i, f, o = sigmoid and g = tanh of W_x x_t + W_h (cont_t h_{t-1}) + b, in this order.

    Param     lstm_param: num_output D; weight_filler, bias_filler (constant 0), the forget gate's too;
              batch_size N (1), of an x by rows; clipping_threshold (0: none), of the gradients by what the
              gates are taken of: each is brought to between it and its negative.
    Params    W_x (4 D, I), W_h (4 D, D), b (4 D).
    Shapes    bottom[0] x by rows: (T N, i...), all sequences of the first step, then those of the second;
              top[0] h: (T N, D).  Or x by steps, which has 3 axes: (T, N, I); top[0]: (T, N, D), and
              batch_size means nothing.  bottom[1] cont, optional: a number for every step of every sequence
              in the order of x, 0 where a sequence starts, 1 where it goes on.
    State     without bottom 1 every pass starts all sequences anew, and they go on to its end.  With it the
              first step goes on where the last pass ended, as LSTM's does, and snapshots hold that state.
    Backward  through the T steps of the pass, not into the pass before; what a clipped gradient hands on is
              clipped too, so that it is then not the exact one.  Reads x, cont and what forward saved.  cont
              has no gradient.
    Source    Lstm of J. Oh's Caffe (x by rows) and of caffe_ocr (by steps); Hochreiter & Schmidhuber 1997.
    Differs   all sequences are treated alike: on the CPU those forks add the hidden product of the first one
              to every other, read one cont for all of a step if bottom 1 has one axis, and forget the others
              in the gradient of W_h by the state at the start.  Where cont is 0 nothing comes over from the
              step before, NaN and infinity neither.
    Raises    ShapeError for bottoms that do not fit each other or the weights.
    """

    type = "Lstm"
    bottoms = (1, 2)
    tops = (1, 1)
    exposed = static = False
    static_features = ends = 0

    def setup(self, bottom, top):
        conf = self.param.lstm_param
        for field in ("num_output", "batch_size"):
            self.require(getattr(conf, field) > 0, f"lstm_param.{field} must be at least 1")
        self.limit = conf.clipping_threshold
        self.require(self.limit >= 0, f"lstm_param.clipping_threshold must be at least 0; got {self.limit:g}")
        self.size, self.carrying = conf.num_output, len(bottom) > 1
        self.linear, self.limiting = self.device.bind(gemm), self.device.bind(piecewise)
        self.features = self._features(bottom)
        rows = self.gates * self.size
        self.w_x = self.add_param((rows, self.features), conf.weight_filler)
        self.w_h = self.add_param((rows, self.size), conf.weight_filler)
        self.bias = self.add_param((rows,), conf.bias_filler)

    def reshape(self, bottom, top):
        shape = bottom[X].shape
        by_rows, n = len(shape) != 3, self.param.lstm_param.batch_size
        if by_rows and (not shape or not shape[0] or shape[0] % n):
            raise ShapeError(
                f"bottom 0 must have rows for whole steps of {n} sequences; got {shape}",
                hint="lstm_param.batch_size says how many sequences there are",
            )
        if not by_rows and not shape[0]:
            raise ShapeError(f"bottom 0 must have at least one step; got {shape}")
        if self._features(bottom) != self.features:
            raise ShapeError(
                f"bottom 0 has {self._features(bottom)} features per step; the weights take {self.features}"
            )
        self.steps, self.n = (shape[0] // n, n) if by_rows else shape[:2]
        if self.carrying and bottom[CONT].count != self.steps * self.n:
            raise ShapeError(
                f"bottom 1 must have a number for every step of every sequence, {self.steps} by {self.n};"
                f" got {bottom[CONT].shape}",
                hint="0 where a sequence starts, 1 where it goes on",
            )
        top[0].reshape(*(shape[:1] if by_rows else shape[:2]), self.size)
        self.make_room()

    def make_room(self):
        super().make_room()
        if not self.carrying:
            self.nothing, self.state = self.state, []
            self.going_on = self.device.empty((self.steps, self.n))
            values = np.repeat(np.arange(self.steps) > 0, self.n).reshape(self.steps, self.n)
            self.device.put(values.astype(self.device.dtype), self.going_on)

    def start(self, bottom):
        return self.state or self.nothing

    def cont(self, bottom):
        return bottom[CONT].data.reshape(self.steps, self.n) if self.carrying else self.going_on

    def bound(self, dz):
        if self.limit:
            self.limiting.clip_forward(dz, dz, -self.limit, self.limit)

    def _features(self, bottom) -> int:
        return bottom[X].count_over(2 if len(bottom[X].shape) == 3 else 1)
