"""DetectionEvaluate: which of the boxes that a detector found are right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ... import files
from ...core.layer import Layer
from ...errors import DataError, ShapeError
from ..foreign import refuse_others

READ = frozenset(
    "num_classes background_label_id overlap_threshold evaluate_difficult_gt name_size_file".split()
)
FOUND, OBJECT, VALUES = 7, 8, 5  # numbers of a row of each bottom, and of the top


class DetectionEvaluate(Layer):
    """y = a row for each class, how often there is one; then for each box found: right, wrong, or neither.

    Of an image and a class the boxes are looked at from the highest score down.  A box belongs to the object
    of its class that it overlaps most, if by overlap_threshold at least.  It is right if it is the first of
    its object, else wrong; and neither if evaluate_difficult_gt is false and the object is difficult.

    Param     detection_evaluate_param: num_classes, needed; background_label_id (0), overlap_threshold (0.5),
              evaluate_difficult_gt (true), name_size_file (none): lines of NAME HEIGHT WIDTH, the sizes of
              the images in the order in which they come: overlaps are then of whole pixels, with 1 added to
              either side of what is common.
    Shapes    bottom[0]: (1, 1, found, 7), the top of DetectionOutput; bottom[1]: (1, 1, rows, 8), objects as
              MultiBoxLoss reads them; top[0]: (1, 1, classes - 1 + found, 5): -1, class, count, -1, -1; then
              image, class, score, right, wrong.  Rows come by image, class, and score from the highest down,
              but in the order given where an image has none of the class.  Known when forward runs.
    Backward  nothing.
    Source    DetectionEvaluate of SSD's Caffe.
    Differs   of equal scores the first box is first; the fork leaves it open.  Sizes of images go by their
              number in a batch, which has as many as its rows tell; in the fork an image in which nothing is
              found shifts all that follow.  resize_param is refused.
    Raises    DataError for a row of the background's class.
    """

    type = "DetectionEvaluate"
    settles = True
    bottoms = 2
    measures = True
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    capturable = False
    operations = (0, 0, 0)

    def setup(self, bottom, top):
        refuse_others(self, "detection_evaluate_param", READ)
        conf = self.conf = self.param.detection_evaluate_param
        self.require(conf.num_classes > 0, "detection_evaluate_param.num_classes must be at least 1")
        self.classes = [c for c in range(conf.num_classes) if c != conf.background_label_id]
        self.sizes = _sizes(conf.name_size_file) if conf.name_size_file and self.allocate else None
        self.carries = bool(conf.name_size_file)
        self.seen = 0  # images before this batch
        self.complaint = ""  # of rows that forward met

    def reset_state(self):
        self.seen = 0

    def reshape(self, bottom, top):
        for i, (blob, values) in enumerate(zip(bottom, (FOUND, OBJECT))):
            if blob.count % values:
                raise ShapeError(f"bottom {i} must be (1, 1, rows, {values}); got {blob.shape}")
        found = bottom[0].count // FOUND  # until forward knows
        top[0].reshape(1, 1, len(self.classes) + found, VALUES)

    def forward(self, bottom, top):
        rows = np.array([*self._rows(*(self.device.get(blob.data) for blob in bottom))], self.device.dtype)
        rows = rows.reshape(1, 1, -1, VALUES)
        if top[0].shape != rows.shape:
            top[0].reshape(*rows.shape)
            self.settle()
        self.device.put(rows, top[0].data)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down

    def verify(self):
        complaint, self.complaint = self.complaint, ""
        if complaint:
            raise DataError(f"{complaint}, the background", hint="is background_label_id that of the data?")

    def _rows(self, found: np.ndarray, truth: np.ndarray) -> Iterator[tuple]:
        found, truth = found.reshape(-1, FOUND), truth.reshape(-1, OBJECT)
        found, truth = found[found[:, 1] != -1], truth[truth[:, 0] != -1]
        for i, labels in enumerate((found[:, 1], truth[:, 1])):
            if (labels == self.conf.background_label_id).any():
                self.complaint = f"bottom {i} has rows of class {self.conf.background_label_id}"
        counting = truth if self.conf.evaluate_difficult_gt else truth[truth[:, 7] == 0]
        for c in self.classes:
            yield -1, c, (counting[:, 1] == c).sum(), -1, -1
        for image, label in np.unique(found[:, :2], axis=0):
            boxes = found[(found[:, 0] == image) & (found[:, 1] == label)]
            objects = truth[(truth[:, 0] == image) & (truth[:, 1] == label)]
            if len(objects):
                boxes = boxes[np.argsort(-boxes[:, 2], kind="stable")]
            right, wrong = self._verdicts(boxes[:, 3:7], objects, image)
            yield from ((image, label, *row) for row in zip(boxes[:, 2], right, wrong))
        if self.sizes:
            self.seen += 1 + int(max(found[:, 0].max(initial=-1), truth[:, 0].max(initial=-1)))

    def _verdicts(
        self, boxes: np.ndarray, objects: np.ndarray, image: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of the boxes of an image and class, the best first, are right, and which wrong."""
        if not len(objects):
            return np.zeros(len(boxes)), np.ones(len(boxes))
        shares = overlaps(boxes, objects[:, 3:7], self._size(image))
        belongs, hits = shares.argmax(axis=1), shares.max(axis=1) >= self.conf.overlap_threshold
        first = np.zeros(len(boxes), bool)
        places = np.flatnonzero(hits)
        first[places[np.unique(belongs[places], return_index=True)[1]]] = True
        skipped = hits & (objects[belongs, 7] != 0) & (not self.conf.evaluate_difficult_gt)
        return first & ~skipped, ~first & ~skipped

    def _size(self, image: float) -> tuple[int, int] | None:
        """Height and width of an image, if boxes are to be compared in pixels."""
        return self.sizes[(self.seen + int(image)) % len(self.sizes)] if self.sizes else None


def overlaps(boxes: np.ndarray, others: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """What each box has in common with each of the others, as a share of what they cover together; `size`
    (height, width): in pixels."""
    pixels = np.tile(size[::-1] if size else (1, 1), 2)
    boxes, others = boxes * pixels.astype(float), others * pixels.astype(float)  # float64: areas may be large
    more = 1 if size else 0
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        sides = np.minimum(boxes[:, None, 2:], others[:, 2:]) - np.maximum(boxes[:, None, :2], others[:, :2])
        common = np.where((sides > 0).all(axis=2), (sides + more).prod(axis=2), 0)
        one, other = ((values[:, 2:] - values[:, :2]).clip(0).prod(axis=1) for values in (boxes, others))
        shares = common / (one[:, None] + other - common)
    return np.where(shares > 0, shares, 0)


def _sizes(path: str) -> list[tuple[int, int]]:
    """Heights and widths."""
    found = []
    for number, line in enumerate(files.read_text(path).splitlines(), 1):
        words = line.split()
        if len(words) < 3 or not all(word.isdecimal() and int(word) > 0 for word in words[-2:]):
            raise DataError(f"{path}:{number}: expected NAME HEIGHT WIDTH; got {line[:80]!r}")
        found.append((int(words[-2]), int(words[-1])))
    if not found:
        raise DataError(f"{path} has no sizes of images", hint="a line for each: NAME HEIGHT WIDTH")
    return found
