"""Data: labelled images from a data set."""

from __future__ import annotations

import numpy as np

from ...core.source import Source
from ...data import datasets
from ...data.batches import Batches
from ...data.order import Order
from ...data.prefetch import Prefetch
from ...data.transformer import Transformer
from ...proto.schema import enum_name


class Data(Source):
    """Images and their labels, batch after batch, epoch after epoch.

    Param     data_param: backend (IDX); source, a named set (mnist/train, mnist/test, digits/train,
              digits/test) or a path to an IDX file of images, its labels beside it; batch_size; prefetch (4),
              how many batches a thread prepares ahead, 0 for none; shuffle (false), a new permutation every
              epoch.  transform_param: scale (1), mean_value or mean_file, crop_size, mirror.
    Shapes    top[0] (batch_size, C, H, W), with crop_size for H and W; top[1], if there is one, (batch_size),
              the labels.
    Source    Caffe's Data layer.
    Differs   backend IDX and shuffle are extensions; LMDB and LEVELDB cannot be read.  What Caffe ignores
              (rand_skip, the transform fields of data_param) is refused.  A pass's batch follows from the
              seed and the number of the pass, whatever was run before.
    """

    type = "Data"
    tops = (1, 2)
    stochastic = True

    def setup(self, bottom, top):
        conf, transform = self.param.data_param, self.param.transform_param
        self._check(conf, transform)
        self.samples = datasets.load(conf.source, labels=len(top) > 1)
        self.transformer = Transformer(transform, self.phase, self.samples.images.shape[1:])
        self.shapes = [(conf.batch_size, *self.transformer.out_shape), (conf.batch_size,)][: len(top)]
        # Caffe seeds a generator for its thread, and two for a transformer that needs one.
        self.setup_draws = 3 if self.transformer.mirror or self.transformer.random_crop else 1
        self.ahead: Prefetch | None = None
        self.seed = 0  # what the batches ahead were made with

    def stage(self, passes, top):
        if self.ahead is None or self.seed != self.random.seed:
            self._start()
        with self.ahead.batch(passes) as arrays:
            for blob, host in zip(top, arrays):
                self.device.put(host, blob.data)

    def _start(self) -> None:
        conf, self.seed = self.param.data_param, self.random.seed
        order = Order(len(self.samples.images), shuffle=conf.shuffle, seed=self.seed)
        batches = Batches(self.samples, self.transformer, order, conf.batch_size, key=self.random.key)
        slots = [[np.empty(s, self.device.dtype) for s in self.shapes] for _ in range(max(conf.prefetch, 1))]
        self.ahead = Prefetch(batches, slots, threaded=conf.prefetch > 0)

    def _check(self, conf, transform) -> None:
        backend = enum_name(conf, "backend")
        self.require(
            backend == "IDX",
            f"data_param.backend {backend} cannot be read",
            hint=f"backend: IDX reads {', '.join(datasets.names())}, and IDX files",
        )
        self.require(
            bool(conf.source),
            "data_param.source must be set",
            hint=f"one of {', '.join(datasets.names())}, or the path of an IDX file of images",
        )
        self.require(conf.batch_size > 0, "data_param.batch_size must be at least 1")
        for field in ("scale", "mean_file", "crop_size", "mirror"):
            self.require(
                not conf.HasField(field),
                f"data_param.{field} has no effect",
                hint=f"set {field} in transform_param",
            )
        self.require(
            not conf.rand_skip, "data_param.rand_skip has no effect", hint="remove it, or set shuffle"
        )
        for field, encoded in (
            ("data_param.force_encoded_color", conf.force_encoded_color),
            ("transform_param.force_color", transform.force_color),
            ("transform_param.force_gray", transform.force_gray),
        ):
            self.require(not encoded, f"{field} is for encoded images; IDX holds pixels", hint="remove it")
