"""Layers as people write them for pycaffe; tests/layers/test_python.py runs them."""

import json

import caffe
import numpy as np


class Twice(caffe.Layer):
    """y = 2 x; may run in place."""

    def setup(self, bottom, top):
        if len(bottom) != 1:
            raise Exception("Twice needs one bottom")

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = 2 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = 2 * top[0].diff


class Distance(caffe.Layer):
    """The Euclidean loss, with what it needs kept on self."""

    def setup(self, bottom, top):
        assert len(bottom) == 2

    def reshape(self, bottom, top):
        if bottom[0].count != bottom[1].count:
            raise ValueError("the inputs must have the same dimension")
        self.diff = np.zeros_like(bottom[0].data)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.diff[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.diff**2) / bottom[0].num / 2.0

    def backward(self, top, propagate_down, bottom):
        for i in range(2):
            if not propagate_down[i]:
                continue
            sign = 1 if i == 0 else -1
            bottom[i].diff[...] = sign * self.diff / bottom[i].num * top[0].diff


class Affine(caffe.Layer):
    """y = a x + b with two learnable scalars that start as param_str says."""

    def setup(self, bottom, top):
        start = json.loads(self.param_str or "{}")
        self.blobs.add_blob(1)
        self.blobs.add_blob(1)
        self.blobs[0].data[0] = start.get("a", 1)
        self.blobs[1].data[0] = start.get("b", 0)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data[0] * bottom[0].data + self.blobs[1].data[0]

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[0] += np.sum(top[0].diff * bottom[0].data)
        self.blobs[1].diff[0] += np.sum(top[0].diff)
        if propagate_down[0]:
            bottom[0].diff[...] = self.blobs[0].data[0] * top[0].diff


class Rows(caffe.Layer):
    """A data layer whose batches grow and shrink: reshape looks at the next batch, forward copies it."""

    def setup(self, bottom, top):
        self.sizes = json.loads(self.param_str)
        self.index = 0

    def reshape(self, bottom, top):
        count = self.sizes[self.index % len(self.sizes)]
        self.batch = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
        top[0].reshape(*self.batch.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.batch
        self.index += 1

    def backward(self, top, propagate_down, bottom):
        pass


class Positive(caffe.Layer):
    """Keeps the rows with a positive sum; knows its shape in forward only."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        self.kept = bottom[0].data.sum(axis=1) > 0
        rows = bottom[0].data[self.kept]
        top[0].reshape(*rows.shape)
        top[0].data[...] = rows

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[self.kept] = top[0].diff


class Phase(caffe.Layer):
    """Says which phase it is in."""

    def setup(self, bottom, top):
        self.name = {caffe.TRAIN: 10, caffe.TEST: 20}[self.phase]

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        top[0].data[0] = self.name
