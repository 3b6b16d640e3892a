"""ImageData: labelled images from files."""

from __future__ import annotations

from ...data.epoch import Epoch
from ...data.image_list import ImageList
from ...data.images import Channels
from ...data.order import Order, Share
from ...data.records import RecordBatches
from ...proto.schema import TransformationParameter
from .prefetching import Prefetching


class ImageData(Prefetching):
    """The images that a text file lists, and their labels, epoch after epoch.

    Param     image_data_param: source, a text file with a path, a space and a label per line; root_folder,
              put before every path as it is, so a folder ends in a slash; batch_size (1); shuffle (false), a
              new permutation every epoch; rand_skip (0), begin somewhere among the first so many lines;
              is_color (true), else grey; new_height and new_width, what every image is resized to.
              transform_param: scale (1), mean_value or mean_file, std_value, crop_size, mirror, resize (the
              same as new_height and new_width).  augment_param: random changes of training images.
              data_param.prefetch (4).
    Shapes    top[0] (batch_size, C, H, W), C 3 or 1; H and W are crop_size, or those of the batch's first
              image: without resize and crop_size all images of a batch must have one size, so that with
              batch_size 1 every image may have its own.  top[1] (batch_size), the labels.
    Source    Caffe's ImageData layer.
    Differs   the shuffle and rand_skip follow from the seed, and a pass's batch from the seed and the number
              of the pass.  A line without a whole number for label is refused where Caffe reads 0, and so
              are the fields that Caffe ignores.  What is decoded how: see data/images.py.
    """

    type = "ImageData"
    tops = 2
    augments = True

    def setup(self, bottom, top):
        conf = self.param.image_data_param
        self.transform = TransformationParameter()
        self.transform.CopyFrom(self.param.transform_param)
        self._check(conf, self.transform)
        if conf.new_height:
            self.transform.resize.height, self.transform.resize.width = conf.new_height, conf.new_width
        channels = Channels.COLOR if conf.is_color else Channels.GRAY
        self.images = ImageList(conf.source, conf.root_folder, channels)
        transformer = self.batches().transformer
        self.shapes = [(conf.batch_size, *transformer.out_shape), (conf.batch_size,)]
        # As for Data, and one each for the shuffle and the skip.
        self.setup_draws = (3 if transformer.draws else 1) + conf.shuffle + bool(conf.rand_skip)

    def batches(self) -> RecordBatches:
        conf = self.param.image_data_param
        order = Order(len(self.images), shuffle=conf.shuffle, seed=self.random.seed, rand_skip=conf.rand_skip)
        share = Share(conf.batch_size, self.random.key)
        return RecordBatches(self.images, self.transform, self.phase, self.augment, order, share)

    def epoch(self) -> Epoch:
        batches = self.batches()
        order, undo = batches.order, batches.transformer.undo
        return Epoch(order.count, order.samples, self.images.path, pixels=undo)

    def _check(self, conf, transform) -> None:
        moved = ("scale", "mean_file", "crop_size", "mirror")
        self.check_source("image_data_param", "a text file of images", moved)
        self.require(
            bool(conf.new_height) == bool(conf.new_width),
            "image_data_param must have both new_height and new_width, or neither; got"
            f" {conf.new_height} and {conf.new_width}",
        )
        self.require(
            not (conf.new_height and transform.HasField("resize")),
            "both new_height and transform_param.resize are set",
            hint="keep one of the two",
        )
        for field in ("force_color", "force_gray"):
            self.require(
                not getattr(transform, field),
                f"transform_param.{field} has no effect",
                hint="set is_color in image_data_param",
            )
