"""Embed: a learned vector for every number."""

from __future__ import annotations

import math

import numpy as np

from ...core.layer import Layer
from ...core.noted import Noted
from ...errors import DataError
from ...kernels import embed, gemm, reindex


class Embed(Layer):
    """y_i = W[t_i] + b: row t_i of the weights, counting from 0.

    Param     embed_param: num_output, the length of a vector; input_dim, the number of vectors; bias_term
              (true); weight_filler, bias_filler (constant 0).
    Shapes    bottom[0]: t (...), cut to whole numbers; top[0]: (..., num_output); weights (input_dim,
              num_output); bias (num_output).
    Backward  dW[r] += the sum of dy over the places with t = r; db += sum of dy; t has no gradient.  Reads
              nothing but t, which is saved.  Sums have a fixed order for any number of threads.
    Source    Caffe's Embed layer.
    Differs   a t that is no row is an error; Caffe reads the memory beside W.  force_backward leaves t
              alone, where Caffe aborts.  Caffe's GPU adds up dW in a random order.
    Raises    DataError for a t that is no row of W, NaN too; y is NaN there.
    """

    type = "Embed"
    kernels = embed
    has_params = True
    backward_reads = frozenset()
    not_differentiable = frozenset({0})

    def setup(self, bottom, top):
        conf = self.param.embed_param
        self.require(conf.num_output > 0, "embed_param.num_output must be at least 1")
        self.require(
            conf.input_dim > 0,
            "embed_param.input_dim must be at least 1",
            hint="it is one more than the greatest index",
        )
        self.rows, self.length = conf.input_dim, conf.num_output
        self.add_param((self.rows, self.length), conf.weight_filler)
        if conf.bias_term:
            self.add_param((self.length,), conf.bias_filler)
        self.rows_kernels, self.bias_kernels = self.device.bind(reindex), self.device.bind(gemm)
        self.missing = Noted(self.device)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape, self.length)
        self.g = reindex.Picks(bottom[0].count, self.rows, self.length)
        self.indices = bottom[0].shape
        self.picked = self.saved(self.indices, np.int32)

    def forward(self, bottom, top):
        picked, y, rows = self.picked.data, top[0].data, self.rows_kernels
        rows.read_index(bottom[0].data, picked, self.missing.position, self.missing.value, self.g)
        rows.take_rows(self.params[0].data, picked, y, math.nan, self.g)
        if len(self.params) > 1:
            self.bias_kernels.add_bias(self.params[1].data, y, self.g.count, self.length, 0)

    def backward(self, top, propagate_down, bottom):
        dy = top[0].diff
        if self.param_gradient[0]:
            self.k.add_rows(dy, self.picked.data, self.params[0].diff, self.g)
        if len(self.params) > 1 and self.param_gradient[1]:
            self.bias_kernels.add_column_sums(dy, self.params[1].diff, self.g.count, self.length)

    def verify(self):
        missing = self.missing.take(self.indices)
        if missing is None:
            return
        value, place = missing
        raise DataError(
            f"index {value:.9g} at {place} of bottom 0 is none of the {self.rows} rows of the weights",
            hint="rows are counted from 0: raise embed_param.input_dim, or look at what fills bottom 0",
        )

    def forward_operations(self, bottom, top):
        return (len(self.params) - 1) * top[0].count

    def backward_operations(self, bottom, top, propagate_down, params):
        return sum(params) * top[0].count

    def read_by_forward(self, bottom, top):
        return bottom[0].count + self._looked_up(top) + sum(bias.count for bias in self.params[1:])

    def backward_traffic(self, bottom, top, propagate_down, params):
        untouched = self.params[0].count - self._looked_up(top) if params[0] else 0
        return super().backward_traffic(bottom, top, propagate_down, params) - 2 * untouched

    def _looked_up(self, top) -> int:
        """Elements of the weights that are read, as if all rows were different."""
        return min(self.params[0].count, top[0].count)
