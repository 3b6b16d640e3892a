"""The base of data layers that bring images with labels for their pixels."""

from __future__ import annotations

import numpy as np

from ...data.batch import Batch
from ...data.epoch import Epoch
from ...data.image_pairs import PairBatches, PairList, Treatment
from ...data.order import Order, Share
from .prefetching import Prefetching


class Pairing(Prefetching):
    """Epoch after epoch the images that a text file lists, and their labels.

    A subclass names the message of its parameters, and says in setup, by `begin`, what is done to a pair.
    """

    tops = 2
    message = "image_data_param"

    def begin(self, how: Treatment, tops: int) -> None:
        """The rest of setup."""
        conf, transform = getattr(self.param, self.message), self.param.transform_param
        self.require(
            bool(conf.new_height) == bool(conf.new_width),
            f"{self.message} must have both new_height and new_width, or neither; got"
            f" {conf.new_height} and {conf.new_width}",
        )
        for field in ("resize", "force_color", "force_gray"):
            self.require(
                not transform.HasField(field),
                f"transform_param.{field} has no effect here",
                hint=f"set new_height and new_width, or is_color, in {self.message}",
            )
        if conf.new_height:
            how = how._replace(size=(conf.new_height, conf.new_width))
        self.how = how._replace(color=conf.is_color)
        self.pairs = PairList(conf.source, conf.root_folder, alone=how.kind == "NONE")
        self.shapes = self.batches().shapes()[:tops]
        # As for ImageData.
        self.setup_draws = (3 if how.mirror or how.chance else 1) + conf.shuffle + bool(conf.rand_skip)

    def batches(self) -> PairBatches:
        conf = getattr(self.param, self.message)
        order = Order(len(self.pairs), shuffle=conf.shuffle, seed=self.random.seed, rand_skip=conf.rand_skip)
        share = Share(conf.batch_size, self.random.key)
        return PairBatches(self.pairs, self.how, self.param.transform_param, order, share)

    def epoch(self) -> Epoch:
        order = self.batches().order
        return Epoch(order.count, order.samples, self.pairs.path)

    def _slot(self, transformer):
        return Batch(np.empty(0, self.device.dtype))
