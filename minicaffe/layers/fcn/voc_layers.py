"""The data layers of voc_layers: Pascal VOC's segmented images, and those of SBDD."""

from __future__ import annotations

import os

import numpy as np

from ...data.detection import voc
from ...data.detection.records import inside
from ...data.epoch import Epoch
from ...data.images import read
from ...data.label_image import read_labels
from ...data.order import Order
from ...errors import DataError
from .seg_data import SegData

MEAN = [104.00699, 116.66877, 122.67892]  # of blue, green and red, in FCN's nets


class VOCSegDataLayer(SegData):
    """One image after the other, less its mean, and the class of every pixel; 255 is none.

    Param     python_param.param_str: voc_dir, a folder such as VOC2011; split, a list of
              ImageSets/Segmentation; mean, of blue, green and red; randomize (true), which counts if the
              split's name has "train" in it; seed, read and without meaning here.
    Shapes    top[0]: (1, 3, h, w); top[1]: (1, 1, h, w).
    Source    voc_layers of FCN; Long, Shelhamer & Darrell 2015.
    Differs   at random is a permutation for each epoch, which follows from the net's seed; the module draws
              any image any time.
    Raises    DataError for images and lists that are missing or damaged.
    """

    given = {"voc_dir": "", "mean": MEAN}

    def open(self) -> None:
        conf = self.conf
        self.require(
            bool(conf.voc_dir and conf.split) and len(conf.mean) == 3,
            "python_param.param_str must have voc_dir and split, and a mean of 3 numbers",
        )
        lines = voc.listed(os.path.join(conf.voc_dir, voc.SETS, "Segmentation", f"{conf.split}.txt"))
        self.names = [name for _, name in lines]

    def order(self) -> Order:
        shuffle = self.conf.randomize and "train" in self.conf.split
        return Order(len(self.names), shuffle=shuffle, seed=self.random.seed)

    def epoch(self) -> Epoch:
        order = self.order()
        return Epoch(order.count, order.samples, self._image)

    def stage(self, passes, top, put):
        (sample,) = self.order().samples(np.array([passes], np.int64))
        image = read(self._image(sample))
        path = inside(os.path.join(self.conf.voc_dir, "SegmentationClass"), f"{self.names[sample]}.png")
        labels = read_labels(path)
        if labels.shape != image.shape[1:]:
            raise DataError(f"{path} has {labels.shape} pixels; the image has {image.shape[1:]}")
        data = image - np.array(self.conf.mean, np.float32)[:, None, None]
        self.hand_over([a.astype(self.device.dtype) for a in (data[None], labels[None, None])], top, put)

    def _image(self, sample: int) -> str:
        return voc.image(self.conf.voc_dir, self.names[sample])


class SBDDSegDataLayer(SegData):
    """Images of SBDD and the class of every pixel: shapes alone.

    Param     python_param.param_str: sbdd_dir, split, mean, randomize, seed.
    Shapes    top[0]: (1, 3, h, w); top[1]: (1, 1, h, w).
    Source    voc_layers of FCN; Hariharan et al. 2011.
    Differs   a net with it can be looked at only.
    """

    given = {"sbdd_dir": "", "mean": MEAN}
