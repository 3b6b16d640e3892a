"""Eltwise: the sum, product or maximum of blobs of one shape."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import activation, eltwise
from ...proto.schema import enum_name


class Eltwise(Layer):
    """y = sum of c_i x_i, product of x_i, or maximum of x_i, element by element.

    Param     eltwise_param: operation (SUM, PROD, MAX); coeff, for SUM: none (all 1) or one per bottom;
              stable_prod_grad (true), for PROD.
    Shapes    bottom[i], top[0]: any, equal; at least two bottoms.
    Backward  SUM: dx_i = c_i dy; reads nothing.  PROD: dx_i = dy times the product of the others; reads
              bottom.data; with stable_prod_grad: false dy * y / x_i, which is NaN where x_i is 0; reads
              top.data too.  MAX: dx_i = dy where x_i is the maximum, else 0; which one it is is saved.  Of
              equal values in bottoms 0 and 1 bottom 1 counts; a later one only if it is greater.
    Source    Caffe's Eltwise layer.
    Differs   coeff with MAX is refused, where Caffe ignores it; so is running in place, where Caffe gives
              wrong sums and gradients.
    """

    type = "Eltwise"
    bottoms = (2, None)
    kernels = eltwise
    ends_in_relu = True
    adds = True  # PROD does not

    def setup(self, bottom, top):
        conf = self.param.eltwise_param
        self.operation = enum_name(conf, "operation")
        given = list(conf.coeff)
        self.require(
            not given or self.operation == "SUM", f"coeff is for SUM; the operation is {self.operation}"
        )
        self.require(
            len(given) in (0, len(bottom)), f"{len(given)} values of coeff for {len(bottom)} bottoms"
        )
        self.coeff = given or [1.0] * len(bottom)
        self.stable = conf.stable_prod_grad
        reads = {
            "SUM": (),
            "MAX": (),
            "PROD": ("bottom.data",) if self.stable else ("bottom.data", "top.data"),
        }
        self.backward_reads = frozenset(reads[self.operation])
        self.adds = self.operation != "PROD"
        self.neuron = self.device.bind(activation)
        n = len(bottom)
        self.operations = {"SUM": (n, 1, 0), "MAX": (0, 0, 0), "PROD": (n, n - 1 if self.stable else 2, 0)}[
            self.operation
        ]

    def reshape(self, bottom, top):
        for i, blob in enumerate(bottom):
            if blob.shape != bottom[0].shape:
                raise ShapeError(
                    f"bottom {i} must have the shape of bottom 0, {bottom[0].shape}; got {blob.shape}"
                )
        top[0].reshape_like(bottom[0])
        self.mask = self.saved(top[0].shape, np.int32) if self.operation == "MAX" else None

    def forward(self, bottom, top):
        a, b, *others = (blob.data for blob in bottom)
        y = top[0].data
        relu, *relus = [0] * len(others) + [int(self.relu)]  # what comes last ends in it
        if self.operation == "SUM":
            self.k.sum_pair(a, b, y, *self.coeff[:2], relu)
            for x, c, relu in zip(others, self.coeff[2:], relus):
                self.k.sum_add(x, y, c, relu)
        elif self.operation == "PROD":
            self.k.product_pair(a, b, y, relu)
            for x, relu in zip(others, relus):
                self.k.product_multiply(x, y, relu)
        else:
            self.k.max_pair(a, b, y, self.mask.data, relu)
            for i, (x, relu) in enumerate(zip(others, relus), 2):
                self.k.max_replace(x, y, self.mask.data, i, relu)

    def backward(self, top, propagate_down, bottom):
        y, dy, adding = top[0].data, top[0].diff, self.adding or [False] * len(bottom)
        if self.relu and self.operation == "PROD":
            self.neuron.relu_backward(y, dy, dy, 0)
        for i, blob in enumerate(bottom):
            if not propagate_down[i]:
                continue
            if self.operation == "SUM":
                self.k.sum_backward(y, dy, blob.diff, self.coeff[i], int(self.relu), int(adding[i]))
            elif self.operation == "MAX":
                self.k.max_backward(dy, self.mask.data, blob.diff, i, int(adding[i]))
            elif self.stable:
                first, *others = (other.data for j, other in enumerate(bottom) if j != i)
                self.k.product_pair(dy, first, blob.diff, 0)
                for x in others:
                    self.k.product_multiply(x, blob.diff, 0)
            else:
                self.k.product_backward(blob.data, y, dy, blob.diff)
