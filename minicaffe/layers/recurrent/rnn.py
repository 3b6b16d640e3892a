"""RNN: the plain recurrent layer."""

from __future__ import annotations

from ...kernels import activation
from .bottoms import CONT
from .recurrent import Recurrent


class RNN(Recurrent):
    """h_t = tanh(W_x x_t + b + W_h (cont_t h_{t-1}) [+ W_static x_static]), o_t = tanh(W_o h_t + b_o).

    Param     recurrent_param: num_output D; weight_filler, bias_filler (constant 0); expose_hidden (false).
              debug_info is accepted: there is no inner net whose passes it could log.
    Params    W_x (D, I), b (D), W_static (D, S) if there is x_static, W_h (D, D), W_o (D, D), b_o (D).
    Shapes    bottom[0] x: (T, N, i...), T steps of N sequences; bottom[1] cont: (T, N), 0 where a sequence
              starts, 1 where it goes on; bottom[2] x_static, if wanted: (N, s...), the same for every step;
              top[0] o: (T, N, D).  With expose_hidden a bottom more, h_0, and a top more, h_T: (1, N, D).
    State     without expose_hidden the first step goes on where the last pass ended, at first from 0, where
              cont is not 0.  TRAIN and TEST nets have states of their own; snapshots hold them in
              the run state; `reset_state` forgets them, and so does another N.
    Backward  through the T steps of the pass, not into the pass before.  All parameters and dx from all steps
              at once; reads x, cont, x_static, o and what forward saved.  cont and h_0 have no gradient, and
              none comes back through h_T.
    Source    Caffe's RNN layer; Elman 1990, with a second tanh; Donahue et al. 2015 (arXiv:1411.4389).
    Differs   gradients that h_0 would need, or h_T gets, are refused (propagate_down: false says that they
              are to be dropped), where Caffe drops them in silence.  Where cont is 0 nothing comes over from
              the step before, NaN and infinity neither.  T may change from pass to pass; x may lack the axes
              behind the second.
    Raises    ShapeError for bottoms that do not fit each other or the weights.
    """

    type = "RNN"
    bottoms = (2, 4)
    tops = (1, 2)
    gates = 1
    states = 1
    beside_products = (3, 5)  # two tanh and cont h; (dh + cont down) (1 - h^2), and do (1 - o^2)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.recurrent_param
        self.w_o = self.add_param((self.size, self.size), conf.weight_filler)
        self.bias_o = self.add_param((self.size,), conf.bias_filler)
        self.tanh = self.device.bind(activation)

    def make_room(self):
        super().make_room()
        self.rows = (self.steps * self.n, self.size)
        self.h, self.dh, self.do = (self.saved((self.steps, self.n, self.size)) for _ in range(3))

    def forward(self, bottom, top):
        h, kept, cont, o = self.h.data, self.kept.data, bottom[CONT].data, top[0].data
        self.project(bottom, h)
        self.k.keep(*self.start(bottom), cont, kept, self.step(0))
        for t in range(self.steps):
            self.device.gemm(kept[t], self.w_h.data, h[t], tb=True, add=True)
            self.k.rnn_forward(h[t], cont[t:], kept[t + 1 :], self.step(t))
        self.device.gemm(h.reshape(self.rows), self.w_o.data, o.reshape(self.rows), tb=True)
        self.linear.add_bias(self.bias_o.data, o, *self.rows, 0)
        self.tanh.tanh_forward(o, o)
        self.hand_on((h[-1],), top)

    def backward(self, top, propagate_down, bottom):
        h, dh, do, down, cont = self.h.data, self.dh.data, self.do.data, self.down.data, bottom[CONT].data
        self.tanh.tanh_backward(top[0].data, top[0].diff, do)
        rows = do.reshape(self.rows)
        self.add_weight_gradient(rows, h.reshape(self.rows), self.w_o)
        self.add_bias_gradient(rows, self.bias_o)
        self.device.gemm(rows, self.w_o.data, dh.reshape(self.rows))
        for t in reversed(range(self.steps)):
            if t + 1 < self.steps:
                self.device.gemm(dh[t + 1], self.w_h.data, down)
            self.k.rnn_backward(h[t], cont[t:], down, dh[t], self.step(t))
        self.project_backward(dh, propagate_down, bottom)

    def backward_operations(self, bottom, top, propagate_down, params):
        whole = super().backward_operations(bottom, top, propagate_down, params)
        return whole + self._product(self.w_o)
