"""The base of LSTM, Lstm and RNN: what they are fed, what they learn, and what one pass hands to the next.

Nothing is unrolled.  What all T steps of a batch have in common is one matrix product over T N rows: the
inputs' share z of what the steps take, and on the way back, from dz, the gradients of weights and inputs.
A step is then a product with the hidden-to-hidden weights and a kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.blob import Blob
from ...core.layer import Layer
from ...core.workload import elements
from ...kernels import gemm, recurrent
from .bottoms import CONT, STATIC, X, check_counts, check_shapes


class Recurrent(Layer):
    """Bottoms x (T, N, i...), cont (T, N), perhaps x_static (N, s...), and with expose_hidden the states to
    start from, (1, N, D) each; tops (T, N, D), and with expose_hidden the states at the end.

    gates    how many numbers, each with weights of its own, a step takes for a hidden one
    states   how many arrays a step hands to the next
    beside_products  multiply-adds for a hidden number of a step beside those with weights: forward, backward

    Parameters: w_x (gates D, I), bias (gates D), w_static (gates D, S) with x_static, w_h (gates D, D).
    """

    kernels = recurrent
    carries = True
    has_params = True
    detached_tops = frozenset({1, 2})
    gates: int
    states: int
    beside_products: tuple[int, ...]

    def setup(self, bottom, top):
        conf = self.param.recurrent_param
        self.require(conf.num_output > 0, "recurrent_param.num_output must be at least 1")
        self.size, self.exposed = conf.num_output, conf.expose_hidden
        self.linear = self.device.bind(gemm)
        self.ends = self.states if conf.expose_hidden else 0  # how many states are bottoms and tops
        check_counts(len(bottom), len(top), self.ends)
        self.static = len(bottom) > 2 + self.ends
        rows = self.gates * self.size
        self.features = bottom[X].count_over(2)
        self.w_x = self.add_param((rows, self.features), conf.weight_filler)
        self.bias = self.add_param((rows,), conf.bias_filler)
        self.static_features = bottom[STATIC].count_over(1) if self.static else 0
        if self.static:
            self.w_static = self.add_param((rows, self.static_features), conf.weight_filler)
            self.beside_products = tuple(n + self.gates for n in self.beside_products)  # its sum over steps
        self.w_h = self.add_param((rows, self.size), conf.weight_filler)

    def reshape(self, bottom, top):
        check_shapes(bottom, self.features, self.static_features, self.ends, self.size)
        self.steps, self.n = bottom[X].shape[:2]
        top[0].reshape(self.steps, self.n, self.size)
        for blob in top[1:]:
            blob.reshape(1, self.n, self.size)
        self.make_room()

    def make_room(self) -> None:
        """In reshape, once `steps` and `n` are known: the states, and what a pass saves."""
        if not self.exposed and not (self.state and self.state[0].shape == (self.n, self.size)):
            self.state = [self.device.zeros((self.n, self.size)) for _ in range(self.states)]
        self.kept = self.saved((self.steps, self.n, self.size))  # cont * h of the step before
        self.down = self.saved((self.n, self.size))  # the gradient by `kept` of the next step
        if self.static:
            self.shared = self.saved((self.n, self.gates * self.size))  # x_static's share; then its gradient

    def step(self, t: int) -> recurrent.TimeStep:
        return recurrent.TimeStep(self.n, self.size, int(t + 1 < self.steps))

    # -- from pass to pass

    def start(self, bottom: Sequence[Blob]) -> list[Any]:
        """The states before the first step."""
        return [blob.data for blob in bottom[len(bottom) - self.states :]] if self.exposed else self.state

    def hand_on(self, states: Sequence[Any], top: Sequence[Blob]) -> None:
        """Keep the states behind the last step: in the tops, or for the next pass."""
        for array, out in zip(states, [blob.data for blob in top[1:]] if self.exposed else self.state):
            self.device.copy(array, out)

    # -- what all steps have in common

    def project(self, bottom: Sequence[Blob], z: Any) -> None:
        """z (T, N, gates D) = x w_x^T + bias + x_static w_static^T."""
        rows, count = self.gates * self.size, self.steps * self.n
        x = bottom[X].data.reshape(count, self.features)
        self.device.gemm(x, self.w_x.data, z.reshape(count, rows), tb=True)
        self.linear.add_bias(self.bias.data, z, count, rows, 0)
        if self.static:
            x = bottom[STATIC].data.reshape(self.n, self.static_features)
            self.device.gemm(x, self.w_static.data, self.shared.data, tb=True)
            self.linear.add_bias(self.shared.data, z, self.steps, self.n * rows, 0)

    def project_backward(self, dz: Any, propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """From the gradient by z of all steps: what the parameters and the bottoms get."""
        rows, count = self.gates * self.size, self.steps * self.n
        flat, x = dz.reshape(count, rows), bottom[X].data.reshape(count, self.features)
        self.add_weight_gradient(flat, x, self.w_x)
        self.add_weight_gradient(flat, self.kept.data.reshape(count, self.size), self.w_h)
        self.add_bias_gradient(flat, self.bias)
        if propagate_down[X]:
            self.device.gemm(flat, self.w_x.data, bottom[X].diff.reshape(count, self.features))
        if self.static:
            shared, x = self.shared.data, bottom[STATIC].data.reshape(self.n, self.static_features)
            self.device.fill(shared, 0)
            self.linear.add_column_sums(flat, shared, self.steps, self.n * rows)
            self.add_weight_gradient(shared, x, self.w_static)
            if propagate_down[STATIC]:
                dx = bottom[STATIC].diff.reshape(self.n, self.static_features)
                self.device.gemm(shared, self.w_static.data, dx)

    def add_weight_gradient(self, dy: Any, x: Any, weights: Blob) -> None:
        """dW += dy^T x, if it is asked for."""
        if self.param_gradient[self.params.index(weights)]:
            self.device.gemm(dy, x, weights.diff, ta=True, add=True)

    def add_bias_gradient(self, dy: Any, bias: Blob) -> None:
        """db += the sum of the rows of dy, if it is asked for."""
        if self.param_gradient[self.params.index(bias)]:
            self.linear.add_column_sums(dy, bias.diff, *dy.shape)

    @classmethod
    def differentiable(cls, index, param):
        states = cls.states if param.recurrent_param.expose_hidden else 0
        return index != CONT and index < len(param.bottom) - states

    def forward_operations(self, bottom, top):
        weights = [blob for blob in self.params if len(blob.shape) > 1]
        return sum(map(self._product, weights)) + self.beside_products[0] * top[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        asked = [blob for blob, wanted in zip(self.params, params) if wanted] + [self.w_x] * propagate_down[X]
        asked += [self.w_static] if self.static and propagate_down[STATIC] else []
        through_time = (self.steps - 1) * self.n * self.w_h.count
        return through_time + sum(map(self._product, asked)) + self.beside_products[1] * top[0].count

    def read_by_backward(self, bottom, top, propagate_down, params):
        weights = elements(blob for blob in self.params if len(blob.shape) > 1)
        return super().read_by_backward(bottom, top, propagate_down, params) + weights

    def _product(self, blob: Blob) -> int:
        """Multiply-adds with weights, or of a gradient by a parameter."""
        return blob.count * self.n * (1 if self.static and blob is self.w_static else self.steps)
