"""VideoData: labelled videos, as some frames of each."""

from __future__ import annotations

from ...data.epoch import Epoch
from ...data.order import Order, Share
from ...data.video_list import VideoList
from ...data.videos import SCALES, VideoBatches
from ...errors import locate
from ...proto.schema import enum_name
from .prefetching import Prefetching

CAMERA = ("video_type", "device_id", "video_file", "skip_frames")  # of SSD's fork
FIELDS = ("multi_scale", "fix_crop", "more_fix_crop", "scale_ratios", "max_distort", "is_flow")


class VideoData(Prefetching):
    """The videos that a text file lists, each a folder of frames, and their labels, epoch after epoch.

    Of each of S parts of a video K frames are taken: from a random one on in TRAIN, from the middle in TEST.

    Param     video_data_param: source, a text file with a folder, its number of frames and a label per line;
              batch_size; num_segments S (1); new_length K (1); modality (FLOW): FLOW, two grey images a
              frame, or RGB; name_pattern ("flow_%c_%04d.jpg", %c being x and y, or "image_%04d.jpg"), frames
              are counted from 1; new_height and new_width, their size; shuffle (false), a new permutation
              every epoch; rand_skip (0), begin somewhere among the first so many lines.
              transform_param: crop_size, mirror, scale (1), std_value; mean_value, one or as many as divide
              the channels, for these in turns; is_flow, mirrored pixels of x are 255 - pixel; multi_scale,
              in TRAIN height and width of a crop, which is resized to crop_size, are drawn from scale_ratios
              (1, 0.875, 0.75, 0.66) of the shorter side, at most max_distort (1) places apart; fix_crop, in
              TRAIN a crop lies in a corner or the middle, more_fix_crop, or at 8 more places.
              data_param.prefetch (4).
    Shapes    top[0] (batch_size, S K 3, H, W), or S K 2 of FLOW; H and W are crop_size, or those of the
              frames; top[1] (batch_size), the labels.
    Source    VideoData of TSN's Caffe; Wang et al. 2016.
    Differs   frames, crops and order are functions of the seed and the number of the pass.  A frame that is
              not there is an error, where the fork goes on with what the batch before held.  Other fields,
              mean_file, and SSD's layer of this name, which reads a camera or a video file, are refused.
    """

    type = "VideoData"
    tops = 2
    fork_fields = frozenset(f"transform_param.{field}" for field in FIELDS)

    def setup(self, bottom, top):
        conf, transform = self.param.video_data_param, self.param.transform_param
        self._check(conf, transform)
        size = (conf.new_height, conf.new_width) if conf.new_height else None
        flow = enum_name(conf, "modality") == "FLOW"
        self.videos = VideoList(conf.source, flow, conf.name_pattern, size)
        batches = self.batches()
        at = batches.share.positions(0)[:1]
        index = int(batches.order.samples(at)[0])
        first = self.videos.videos[index]
        with locate(self.videos.place(index)):
            pixels = batches.read(first, batches.starts(first.length, int(at[0])))
            batches.crop(pixels.shape[1:], (0, 0, 0, 0))  # refuses what does not fit
        side = transform.crop_size
        h, w = (side, side) if side else pixels.shape[1:]
        self.shapes = [(conf.batch_size, batches.channels, h, w), (conf.batch_size,)]

    def batches(self) -> VideoBatches:
        conf = self.param.video_data_param
        seed = self.random.seed
        order = Order(len(self.videos), shuffle=conf.shuffle, seed=seed, rand_skip=conf.rand_skip)
        share = Share(conf.batch_size, self.random.key)
        parts = conf.num_segments, conf.new_length
        return VideoBatches(self.videos, *parts, self.param.transform_param, self.phase, order, share)

    def epoch(self) -> Epoch:
        order = self.batches().order
        return Epoch(order.count, order.samples, lambda index: self.videos.videos[index].folder)

    def _check(self, conf, transform) -> None:
        camera = [field for field in CAMERA if conf.HasField(field)]
        self.require(
            not camera,
            f"video_data_param.{', '.join(camera)}: reading a camera or a video file, as SSD's fork does, is"
            " not supported",
            hint="write the frames to files, and list those for ImageData or, as folders, for VideoData",
        )
        moved = ("scale", "mean_file", "crop_size", "mirror")
        self.check_source("video_data_param", "a text file of folders, lengths and labels", moved)
        for field in ("encoded", "grayscale"):
            self.require(not getattr(conf, field), f"video_data_param.{field} is not supported")
        self.require(
            min(conf.num_segments, conf.new_length) > 0,
            "video_data_param must have num_segments and new_length of at least 1; got"
            f" {conf.num_segments} and {conf.new_length}",
        )
        self.require(
            bool(conf.new_height) == bool(conf.new_width),
            "video_data_param must have both new_height and new_width, or neither; got"
            f" {conf.new_height} and {conf.new_width}",
        )
        for field in ("resize", "force_color", "force_gray", "mean_file"):
            hint = {"resize": "set new_height and new_width", "mean_file": "set mean_value"}.get(field, "")
            self.require(
                not transform.HasField(field), f"transform_param.{field} has no effect here", hint=hint
            )
        scales = list(transform.scale_ratios) or SCALES
        self.require(
            transform.max_distort >= 0 and 0 < min(scales) and max(scales) <= 1,
            "transform_param must have max_distort of at least 0, and scale_ratios above 0 and at most 1; got"
            f" {transform.max_distort} and {', '.join(f'{s:g}' for s in scales)}",
        )
        self.require(
            bool(transform.crop_size) or not transform.multi_scale,
            "transform_param.multi_scale needs a crop_size",
        )
