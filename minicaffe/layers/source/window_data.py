"""WindowData: windows of images, in foreground and background."""

from __future__ import annotations

from ...data.order import Share
from ...data.window_list import WindowList
from ...data.windows import WindowBatches
from ...proto.schema import TRAIN
from .prefetching import Prefetching


class WindowData(Prefetching):
    """Windows that a text file lists, brought to one size: what R-CNN trains on.

    Param     window_data_param: source, the file; root_folder, put before every path as it is; batch_size;
              fg_threshold (0.5), the overlap from which on a window is foreground; bg_threshold (0.5), below
              which it is background, with label 0; fg_fraction (0.25), the share of foreground in a batch;
              context_pad (0), pixels around the window in the output; crop_mode, "warp" or "square", which
              keeps proportions; scale (1); cache_images (false), keep the files in memory.
              transform_param: crop_size, mirror, mean_value or mean_file (its middle is used), std_value.
              data_param.prefetch (4).
    Shapes    top[0] (batch_size, 3, crop_size, crop_size), background first; top[1] (batch_size).  Pixels
              outside the image are 0.
    Source    Caffe's WindowData layer; Girshick, Donahue, Darrell, Malik, CVPR 2014.
    Differs   windows and mirroring are functions of the seed and the pass.  The scale may stand in either
              message, in Caffe only in window_data_param, from where the upgrade of old files moves it away.
              A mean that is not square is centred along both axes, and a window belongs to the image it
              stands under, not to the one of that index.
    """

    type = "WindowData"
    tops = 2

    def setup(self, bottom, top):
        conf, transform = self.param.window_data_param, self.param.transform_param
        self._check(conf, transform)
        self.windows = WindowList(conf.source, conf)
        self.batches()  # refuses what is wrong now
        side = transform.crop_size
        self.shapes = [(conf.batch_size, 3, side, side), (conf.batch_size,)]
        # Caffe seeds a generator for its thread, one for the windows, and two for a transformer that draws.
        self.setup_draws = 4 if transform.mirror or self.phase == TRAIN else 2

    def batches(self) -> WindowBatches:
        conf, transform = self.param.window_data_param, self.param.transform_param
        scale = (transform if transform.HasField("scale") else conf).scale
        share = Share(conf.batch_size, self.random.key)
        return WindowBatches(self.windows, conf, transform, scale, share)

    def _check(self, conf, transform) -> None:
        self.check_source("window_data_param", "a window file", ("mean_file", "crop_size", "mirror"))
        self.require(transform.crop_size > 0, "transform_param.crop_size must be at least 1")
        self.require(
            2 * conf.context_pad < transform.crop_size,
            f"context_pad {conf.context_pad} on both sides leaves nothing of crop_size {transform.crop_size}",
        )
        self.require(
            conf.crop_mode in ("warp", "square"),
            f'window_data_param.crop_mode must be "warp" or "square"; got "{conf.crop_mode}"',
        )
        self.require(
            0 <= conf.fg_fraction <= 1, f"fg_fraction must lie between 0 and 1; got {conf.fg_fraction}"
        )
        self.require(
            not (transform.HasField("scale") and conf.HasField("scale")) or transform.scale == conf.scale,
            "transform_param.scale and window_data_param.scale differ",
            hint="keep one of the two",
        )
        for field in ("resize", "force_color", "force_gray"):
            self.require(not transform.HasField(field), f"transform_param.{field} has no effect here")
