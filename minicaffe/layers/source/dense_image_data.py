"""DenseImageData: images and images of labels."""

from __future__ import annotations

from ...data.image_pairs import Treatment
from .pairing import Pairing


class DenseImageData(Pairing):
    """The images that a text file lists, and for every pixel of them the label that another image has there.

    Param     dense_image_data_param: source, a text file with the paths of an image and of its labels on
              every line, separated by a blank; root_folder, put before every path as it is; batch_size;
              shuffle (false); rand_skip (0); is_color (true), else grey; new_height and new_width, what both
              images are resized to; crop_height and crop_width, what is cut out of both at random, in TEST
              too; mirror (false), every other pair is mirrored; label_divide_factor (1), by which the size of
              the labels is divided.  transform_param: mean_value, scale (1), std_value, of the image alone.
              data_param.prefetch (4).
    Shapes    top[0] (batch_size, C, H, W), C 3 or 1; top[1] (batch_size, 1, H, W), or that divided.  Without
              new_height and crop_height all images of a batch must have one size, and with batch_size 1
              every image may have its own.
    Source    DenseImageData of SegNet's and ENet's Caffe; Kendall.
    Differs   what is drawn follows from the seed and the number of the pass.  Labels are read as grey images
              and resized by nearest neighbour.  mean_file is refused, and so is label_divide_factor together
              with a crop.
    """

    type = "DenseImageData"
    message = "dense_image_data_param"

    def setup(self, bottom, top):
        conf, transform = self.param.dense_image_data_param, self.param.transform_param
        self.check_source(self.message, "a text file of pairs of images")
        for field in ("crop_size", "mirror"):
            self.require(
                not getattr(transform, field),
                f"transform_param.{field} has no effect here",
                hint="set mirror, or crop_height and crop_width, in dense_image_data_param",
            )
        self.require(
            not conf.mean_file, "dense_image_data_param.mean_file is not supported", "use mean_value"
        )
        crop, divide = (conf.crop_height, conf.crop_width), conf.label_divide_factor
        self.require(
            all(crop) == any(crop), f"crop_height and crop_width must both be set, or neither; got {crop}"
        )
        self.require(
            divide > 0 and (divide == 1 or not any(crop)),
            f"label_divide_factor must be at least 1, and 1 with a crop; got {divide}",
        )
        cut = crop if any(crop) else None
        self.begin(Treatment(crop=cut, chance=any(crop), mirror=conf.mirror, divide=divide), 2)
