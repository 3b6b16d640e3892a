"""ImageSegData: images and labels of their pixels, filled up to one size."""

from __future__ import annotations

from ...data.image_pairs import Treatment
from ...proto.schema import TRAIN, enum_name
from .pairing import Pairing


class ImageSegData(Pairing):
    """The images that a text file lists, a label for every pixel, and the size of each.

    Param     image_data_param: source, a text file with the path of an image and what label_type says on
              every line, separated by a blank: PIXEL the path of an image of labels, IMAGE (the default) one
              label for all pixels, NONE nothing, and all pixels get ignore_label (255); root_folder, put
              before every path as it is; batch_size; shuffle (false); rand_skip (0); is_color (true), else
              grey; new_height and new_width, what both images are resized to.
              transform_param: scale_factors, by one of which, drawn, both are resized; crop_size, or
              crop_height and crop_width: what is smaller is filled up, at the bottom and on the right, with
              the mean and with ignore_label, and what is larger is cut, in TRAIN anywhere, else to the
              middle; mirror; mean_value, scale (1), std_value, of the image alone.
              data_param.prefetch (4).
    Shapes    top[0] (batch_size, C, H, W), C 3 or 1; top[1] (batch_size, 1, H, W); top[2] (batch_size, 1, 1,
              2), how many rows and columns are not filled up.
    Source    ImageSegData of DeepLab's and PSPNet's Caffe; Chen et al. 2015.
    Differs   what is drawn follows from the seed and the number of the pass.  Label images are read as grey
              and resized by nearest neighbour.  mean_file is refused.
    """

    type = "ImageSegData"
    tops = 3
    fork_fields = frozenset(
        {
            "image_data_param.label_type",
            "image_data_param.ignore_label",
            "transform_param.scale_factors",
            "transform_param.crop_height",
            "transform_param.crop_width",
        }
    )

    def setup(self, bottom, top):
        conf, transform = self.param.image_data_param, self.param.transform_param
        self.check_source(
            self.message, "a text file of images", ("scale", "mean_file", "crop_size", "mirror")
        )
        crop = transform.crop_height, transform.crop_width
        if transform.crop_size:
            self.require(not any(crop), "both crop_size and crop_height are set", hint="keep one of the two")
            crop = (transform.crop_size,) * 2
        self.require(
            all(crop) == any(crop), f"crop_height and crop_width must both be set, or neither; got {crop}"
        )
        self.require(all(f > 0 for f in transform.scale_factors), "every scale_factors must be above 0")
        how = Treatment(
            kind=enum_name(conf, "label_type"),
            factors=list(transform.scale_factors),
            crop=crop if any(crop) else None,
            chance=any(crop) and self.phase == TRAIN,
            fill=True,
            mirror=transform.mirror,
            ignore=conf.ignore_label,
        )
        self.begin(how, 3)
