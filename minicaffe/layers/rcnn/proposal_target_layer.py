"""ProposalTargetLayer of rpn.proposal_target_layer: regions to learn from, and what each is to answer."""

from __future__ import annotations

import numpy as np

from ...errors import DataError, ShapeError
from ..detection.regions import REGION
from ..user.settings import Settings
from .examples import Examples
from .geometry import moves, overlaps

POSITIVE, NEGATIVE = 0, 1  # what a random choice is for


class ProposalTargetLayer(Examples):
    """y = a choice of regions, their classes, how each is moved to its object, and weights.

    The objects count among the regions.  A region's object is the one that it overlaps most.  Regions with
    FG_THRESH and more in common get its class, round(FG_FRACTION * BATCH_SIZE) of them; those with
    BG_THRESH_LO to below BG_THRESH_HI are ground, class 0, and fill BATCH_SIZE.  Which of them are taken is
    random.  Moves have BBOX_NORMALIZE_MEANS subtracted and are divided by BBOX_NORMALIZE_STDS.

    Param     python_param.param_str: num_classes, needed; with 2 of them moves are those of any object, as
              R-FCN has them, whatever the class; BATCH_SIZE (128; -1: all regions, as R-FCN's OHEM has it);
              FG_FRACTION (0.25); FG_THRESH (0.5); BG_THRESH_HI (0.5); BG_THRESH_LO (0); BBOX_INSIDE_WEIGHTS
              ([1, 1, 1, 1]); BBOX_NORMALIZE_TARGETS_PRECOMPUTED (true); BBOX_NORMALIZE_MEANS ([0, 0, 0, 0]);
              BBOX_NORMALIZE_STDS ([0.1, 0.1, 0.2, 0.2]).
    Shapes    bottom[0]: regions (r, 5): image, which must be 0, x1, y1, x2, y2; bottom[1]: objects (g, 5):
              x1, y1, x2, y2, class; top[0]: regions (m, 5, 1, 1); top[1]: classes (m, 1, 1, 1); top[2]:
              moves, at the numbers of its class; top[3]: weights inside the loss; top[4]: 1 where they are
              above 0: all (m, 4 num_classes, 1, 1).  m is known only when forward runs.
    Backward  0.
    Source    rpn.proposal_target_layer of py-faster-rcnn, and of R-FCN's; defaults are those of
              faster_rcnn_end2end.yml; Ren, He, Girshick & Sun 2015.
    Differs   the random choice follows from the net's seed, the layer's name and the pass, and regions stay
              in their order.  If no region may be taken, the first is, as ground.  Tops of py-faster-rcnn's
              module have not the two axes of 1 that R-FCN's have.
    """

    bottoms = 2
    tops = 5

    def setup(self, bottom, top):
        conf = self.conf = Settings(
            self,
            {
                "num_classes": None, "BATCH_SIZE": 128, "FG_FRACTION": 0.25, "FG_THRESH": 0.5,
                "BG_THRESH_HI": 0.5, "BG_THRESH_LO": 0.0, "BBOX_INSIDE_WEIGHTS": [1.0, 1.0, 1.0, 1.0],
                "BBOX_NORMALIZE_TARGETS_PRECOMPUTED": True, "BBOX_NORMALIZE_MEANS": [0.0, 0.0, 0.0, 0.0],
                "BBOX_NORMALIZE_STDS": [0.1, 0.1, 0.2, 0.2],
            },
        )  # fmt: skip
        self.require(
            conf.num_classes >= 2,
            f"python_param.param_str: num_classes must be at least 2, with ground; got {conf.num_classes}",
        )
        for name in ("BBOX_INSIDE_WEIGHTS", "BBOX_NORMALIZE_MEANS", "BBOX_NORMALIZE_STDS"):
            self.require(len(getattr(conf, name)) == 4, f"python_param.param_str: {name} must be 4 numbers")

    def reshape(self, bottom, top):
        rois = bottom[0]
        if not rois.shape or rois.count != REGION * rois.shape[0]:
            raise ShapeError(f"bottom 0 must hold regions (r, {REGION}); got {rois.shape}")
        self.check_objects(bottom[1])
        count, wanted = rois.shape[0] + bottom[1].shape[0], self.conf.BATCH_SIZE
        count = count if wanted < 0 else min(count, wanted)  # until forward knows
        for blob, numbers in zip(top, [REGION, 1, *[4 * self.conf.num_classes] * 3]):
            blob.reshape(count, numbers, 1, 1)

    def forward(self, bottom, top):
        rois = self.device.get(bottom[0].data).reshape(-1, REGION).astype(np.float64)
        if rois[:, 0].any():
            raise DataError("bottom 0 has regions of several images; expected those of image 0")
        objects = self.objects(bottom[1])
        rois = np.concatenate([rois, np.insert(objects[:, :4], 0, 0, axis=1)])
        if len(objects):
            shares = overlaps(rois[:, 1:], objects)
            most, nearest = shares.max(axis=1), objects[shares.argmax(axis=1)]
        else:
            most, nearest = np.zeros(len(rois)), np.insert(rois[:, 1:], 4, 0, axis=1)
        positive, ground = self._chosen(most)
        taken = np.append(positive, ground)
        classes = nearest[taken, 4]
        classes[len(positive) :] = 0
        targets = moves(rois[taken, 1:], nearest[taken])
        if self.conf.BBOX_NORMALIZE_TARGETS_PRECOMPUTED:
            targets = (targets - self.conf.BBOX_NORMALIZE_MEANS) / np.array(self.conf.BBOX_NORMALIZE_STDS)
        found = rois[taken], classes, *self._of_classes(classes, targets)
        self.write(top, [a.reshape(len(taken), -1, 1, 1) for a in found])

    def _chosen(self, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Regions of objects and of ground, by how much of an object each has at most."""
        conf = self.conf
        batch = len(most) if conf.BATCH_SIZE < 0 else conf.BATCH_SIZE
        limit = len(most) if conf.BATCH_SIZE < 0 else int(np.round(conf.FG_FRACTION * batch))
        positive = self.some(np.flatnonzero(most >= conf.FG_THRESH), limit, POSITIVE)
        ground = np.flatnonzero((most < conf.BG_THRESH_HI) & (most >= conf.BG_THRESH_LO))
        ground = self.some(ground, batch - len(positive), NEGATIVE)
        if not len(positive) and not len(ground):
            ground = np.array([0])
        return positive, ground

    def _of_classes(self, classes: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
        """Moves and weights, at the places of the classes."""
        count = self.conf.num_classes
        if classes.max(initial=0) >= count > 2:
            raise DataError(
                f"bottom 1 has class {classes.max():g}; expected 1 to {count - 1}, as num_classes says"
            )
        moved, inside = (np.zeros((len(classes), count, 4)) for _ in range(2))
        rows = np.flatnonzero(classes > 0)
        places = np.minimum(classes[rows], count - 1).astype(int)
        moved[rows, places], inside[rows, places] = targets[rows], self.conf.BBOX_INSIDE_WEIGHTS
        return [moved, inside, inside > 0]
