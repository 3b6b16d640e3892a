"""The data layer of test_pascal_multilabel, which its nets name as module and layer."""

from __future__ import annotations

import json

import caffe
import numpy as np

from tests.notebooks import digits

PROPERTIES = {  # of the digits
    "even": {0, 2, 4, 6, 8},
    "small": {0, 1, 2, 3, 4},
    "prime": {2, 3, 5, 7},
    "loop": {0, 6, 8, 9},
}


class MultilabelDataLayer(caffe.Layer):
    """Tops: images (N, 1, 8, 8), and for each 1 or 0 for every property of its digit, (N, properties).

    param_str is JSON: batch_size, and split, train or test.
    """

    def setup(self, bottom, top):
        params = json.loads(self.param_str)
        if not {"batch_size", "split"} <= set(params):
            raise ValueError("param_str must name batch_size and split")
        if len(top) != 2:
            raise ValueError("a MultilabelDataLayer has two tops, data and label")
        self.images, digit = digits.load(params["split"])
        self.labels = np.array([[d in members for members in PROPERTIES.values()] for d in digit])
        self.batch_size, self.next = params["batch_size"], 0
        top[0].reshape(self.batch_size, *self.images.shape[1:])
        top[1].reshape(self.batch_size, len(PROPERTIES))

    def reshape(self, bottom, top):
        """Nothing: the batch keeps its size."""

    def forward(self, bottom, top):
        for i in range(self.batch_size):
            top[0].data[i, ...] = self.images[self.next]
            top[1].data[i, ...] = self.labels[self.next]
            self.next = (self.next + 1) % len(self.images)

    def backward(self, top, propagate_down, bottom):
        """Nothing: a data layer has no bottoms."""
