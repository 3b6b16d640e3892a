"""LSTM: long short-term memory."""

from __future__ import annotations

from .bottoms import CONT
from .recurrent import Recurrent


class LSTM(Recurrent):
    """c_t = f cont_t c_{t-1} + i g, h_t = o tanh(c_t): D memory cells and their gates.

    i, f, o = sigmoid and g = tanh of W_x x_t + b + W_h (cont_t h_{t-1}) [+ W_static x_static], in this order.

    Param     recurrent_param: num_output D; weight_filler, bias_filler (constant 0), the forget gate's too;
              expose_hidden (false).  debug_info is accepted: there is no inner net whose passes it could log.
    Params    W_x (4 D, I), b (4 D), W_static (4 D, S) if there is x_static, W_h (4 D, D).
    Shapes    bottom[0] x: (T, N, i...), T steps of N sequences; bottom[1] cont: (T, N), 0 where a sequence
              starts, 1 where it goes on; bottom[2] x_static, if wanted: (N, s...), the same for every step;
              top[0] h: (T, N, D).  With expose_hidden two bottoms more, h_0 and c_0, and two tops more, h_T
              and c_T: (1, N, D) each.
    State     without expose_hidden the first step goes on where the last pass ended, at first from 0, where
              cont is not 0.  TRAIN and TEST nets have states of their own; snapshots hold them in
              the run state; `reset_state` forgets them, and so does another N.
    Backward  through the T steps of the pass, not into the pass before.  dW_x, db, dW_h and dx from all steps
              at once; reads x, cont, x_static and what forward saved.  cont, h_0 and c_0 have no gradient,
              and none comes back through h_T and c_T.
    Source    Caffe's LSTM layer; Hochreiter & Schmidhuber 1997; Donahue et al. 2015 (arXiv:1411.4389).
    Differs   gradients that h_0, c_0 would need, or h_T, c_T get, are refused (propagate_down: false says
              that they are to be dropped), where Caffe drops them in silence.  Where cont is 0 nothing comes
              over from the step before, NaN and infinity neither.  The gradient of the forget gate is exact
              for any cont.  T may change from pass to pass; x may lack the axes behind the second.
    Raises    ShapeError for bottoms that do not fit each other or the weights.
    """

    type = "LSTM"
    bottoms = (2, 5)
    tops = (1, 3)
    backward_reads = frozenset({"bottom.data"})
    gates = 4
    states = 2
    beside_products = (13, 20)  # LSTMUnit and cont h; e = dh + cont down

    def make_room(self):
        super().make_room()
        t, n, d = self.steps, self.n, self.size
        self.z = self.saved((t, n, 4 * d))  # what the gates are taken of; then the gates
        self.dz = self.saved((t, n, 4 * d))
        self.c = self.saved((t + 1, n, d))  # from before the first step on
        self.dc = self.saved((n, d))

    def cont(self, bottom):
        """Whether sequences go on, (T, N)."""
        return bottom[CONT].data

    def by_steps(self, h):
        """What top 0 holds as (T, N, D)."""
        return h.reshape(self.steps, self.n, self.size)

    def bound(self, dz) -> None:
        """Limit the gradients that a step hands on; there is no limit here."""

    def forward(self, bottom, top):
        z, kept, c, h = self.z.data, self.kept.data, self.c.data, self.by_steps(top[0].data)
        cont = self.cont(bottom)
        h_0, c_0 = self.start(bottom)
        self.project(bottom, z)
        self.device.copy(c_0, c[0])
        self.k.keep(h_0, cont, kept, self.step(0))
        for t in range(self.steps):
            self.device.gemm(kept[t], self.w_h.data, z[t], tb=True, add=True)
            self.k.lstm_forward(z[t], cont[t:], c[t], c[t + 1], h[t], kept[t + 1 :], self.step(t))
        self.hand_on((h[-1], c[-1]), top)

    def backward(self, top, propagate_down, bottom):
        gates, dz, c, dc, down = self.z.data, self.dz.data, self.c.data, self.dc.data, self.down.data
        dh, cont = self.by_steps(top[0].diff), self.cont(bottom)
        self.device.fill(dc, 0)
        for t in reversed(range(self.steps)):
            if t + 1 < self.steps:
                self.device.gemm(dz[t + 1], self.w_h.data, down)
            self.k.lstm_backward(gates[t], cont[t:], c[t], c[t + 1], dh[t], down, dc, dz[t], self.step(t))
            self.bound(dz[t])
        self.project_backward(dz, propagate_down, bottom)
