"""The base of losses that learn from some boxes of a detector: which those are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ShapeError
from ...kernels import detection, matching, multibox
from ...proto.schema import enum_name
from ..foreign import refuse_others
from ..loss.measure import NormalizedLoss
from .priors import count_priors

READ = frozenset(
    """loc_loss_type conf_loss_type loc_weight num_classes share_location match_type overlap_threshold
    use_prior_for_matching background_label_id use_difficult_gt do_neg_mining neg_pos_ratio neg_overlap
    code_type encode_variance_in_target map_object_to_agnostic ignore_cross_boundary_bbox bp_inside
    mining_type nms_param sample_size use_prior_for_nms""".split()
)
FIELD = "multibox_loss_param"


class Examples(NormalizedLoss):
    """Reads multibox_loss_param; `find` then says which object each box has, and which are background."""

    bottoms = 4
    kernels = multibox

    def setup(self, bottom, top):
        super().setup(bottom, top)
        refuse_others(self, FIELD, READ)
        conf = self.conf = self.param.multibox_loss_param
        mining, last = enum_name(conf, "mining_type"), conf.background_label_id + conf.map_object_to_agnostic
        mined = mining != "NONE"
        self.require(conf.num_classes > 0, f"{FIELD}.num_classes must be at least 1")
        self.require(not mined or conf.share_location, f"{FIELD}: mining needs share_location: true")
        self.require(
            not conf.HasField("do_neg_mining") or conf.do_neg_mining == mined,
            f"{FIELD}.do_neg_mining: {str(conf.do_neg_mining).lower()} contradicts mining_type {mining}",
            hint="it is deprecated: remove it",
        )
        self.require(conf.sample_size > 0, f"{FIELD}.sample_size must be above 0; got {conf.sample_size}")
        self.require(
            conf.neg_pos_ratio >= 0, f"{FIELD}.neg_pos_ratio must be at least 0; got {conf.neg_pos_ratio:g}"
        )
        self.require(
            last < conf.num_classes or enum_name(conf, "conf_loss_type") == "LOGISTIC",
            f"{FIELD}: class {last} is none of {conf.num_classes} classes; see background_label_id",
        )
        self.spread = mined and conf.HasField("nms_param") and conf.nms_param.nms_threshold > 0
        self.detection, self.matching = self.device.bind(detection), self.device.bind(matching)

    def take_boxes(self, bottom) -> None:
        """In reshape: the geometry, and room for what `find` finds."""
        conf, n, rows = self.conf, bottom[0].shape[0], bottom[3].count // matching.ROW
        sets = 1 if conf.share_location else conf.num_classes
        priors = count_priors(bottom, sets, conf.num_classes)
        if bottom[3].count % matching.ROW:
            raise ShapeError(
                f"bottom 3 must be (1, 1, rows, {matching.ROW}), objects; got {bottom[3].shape}",
                hint="they are image, class, instance, xmin, ymin, xmax, ymax, difficult",
            )
        flags = (
            *(conf.background_label_id, conf.code_type, conf.encode_variance_in_target),
            *(enum_name(conf, "match_type") == "BIPARTITE", conf.use_difficult_gt),
            *(conf.map_object_to_agnostic, conf.bp_inside, conf.ignore_cross_boundary_bbox),
            *(not conf.use_prior_for_matching, enum_name(conf, "conf_loss_type") == "LOGISTIC"),
            *(enum_name(conf, "loc_loss_type") == "L2", conf.mining_type),
        )
        g = self.g = matching.MultiBox(n, priors, conf.num_classes, sets, rows, *map(int, flags))
        boxes, images = (n * sets, priors), (n, priors)
        self.boxes = None
        if g.predicted or (self.spread and not conf.use_prior_for_nms):
            self.boxes = self.saved((*boxes, 4))
        self.match, self.close = self.saved(boxes, np.int32), self.saved(boxes)
        self.best, self.nearness = self.saved((max(rows, 1),), np.int32), self.saved((max(rows, 1),))
        self.positives = self.saved(boxes[:1], np.int32)
        if g.mining:
            self.hardness, self.order = self.saved(images), self.saved(images, np.int32)
            self.kept = self.saved(images if self.spread else (1,), np.int32)

    def find(self, bottom) -> tuple[Any, ...]:
        """What comes first in forward: the kernels' arguments loc to match."""
        conf, g, match = self.conf, self.g, self.match.data
        loc, scores, prior, truth = (blob.data for blob in bottom)
        if self.boxes:
            codes = detection.Detection(g.n, g.priors, g.classes, g.sets, 0, g.code, g.encoded, g.priors)
            self.detection.decode_boxes(loc, prior, self.boxes.data, codes)
        boxes = self.boxes.data if self.boxes and g.predicted else prior
        close, positives = self.close.data, self.positives.data
        room = self.best.data, self.nearness.data
        self.matching.match_boxes(truth, boxes, match, close, *room, positives, g, conf.overlap_threshold)
        bottoms = loc, scores, prior, truth, boxes, match
        if g.mining:
            losses = self.hardness.data
            self.k.candidate_losses(*bottoms, close, positives, losses, g, conf.neg_overlap)
            self._keep(losses, prior, positives, match)
        return bottoms

    def _keep(self, losses: Any, prior: Any, positives: Any, match: Any) -> None:
        """Choose the hardest candidates."""
        conf, nms, order = self.conf, self.conf.nms_param, self.order.data
        limits = conf.neg_pos_ratio, conf.sample_size
        if not self.spread:
            self.matching.keep_hardest(losses, positives, match, order, self.g, *limits)
            return
        own = int(not conf.use_prior_for_nms)
        boxes = self.boxes.data if self.boxes and own else prior
        most = nms.top_k if nms.HasField("top_k") and nms.top_k >= 0 else self.g.priors
        self.matching.keep_hardest_apart(
            losses,
            boxes,
            positives,
            match,
            order,
            self.kept.data,
            self.g,
            *limits,
            most,
            nms.nms_threshold,
            own,
        )
