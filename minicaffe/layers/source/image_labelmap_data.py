"""ImageLabelmapData: images and maps of their edges."""

from __future__ import annotations

from ...data.image_pairs import Treatment
from ...proto.schema import TRAIN
from .pairing import Pairing


class ImageLabelmapData(Pairing):
    """The images that a text file lists, and where another image, of edges, is brighter than half: 1, else 0.

    Param     image_data_param: source, a text file with the paths of an image and of its map on every line,
              separated by a blank; root_folder, put before every path as it is; batch_size; shuffle (false);
              rand_skip (0); is_color (true), else grey; new_height and new_width, what both are resized to.
              transform_param: crop_size, cut out of both, in TRAIN anywhere, else from the middle; mirror;
              mean_value, scale (1), std_value, of the image alone.
              data_param.prefetch (4).
    Shapes    top[0] (batch_size, C, H, W), C 3 or 1; top[1] (batch_size, 1, H, W).  Without new_height and
              crop_size all images of a batch must have one size, and with batch_size 1 every image may have
              its own.
    Source    ImageLabelmapData of HED's Caffe; Xie & Tu 2015.
    Differs   what is drawn follows from the seed and the number of the pass.  mean_file is refused.
    """

    type = "ImageLabelmapData"

    def setup(self, bottom, top):
        side = self.param.transform_param.crop_size
        self.check_source(
            self.message, "a text file of pairs of images", ("scale", "mean_file", "crop_size", "mirror")
        )
        how = Treatment(
            kind="EDGES",
            crop=(side, side) if side else None,
            chance=bool(side) and self.phase == TRAIN,
            mirror=self.param.transform_param.mirror,
        )
        self.begin(how, 2)
