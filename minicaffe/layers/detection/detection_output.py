"""DetectionOutput: what a detector has found."""

from __future__ import annotations

import numpy as np

from ...core.layer import Layer
from ...kernels import detection
from ..foreign import refuse_others
from .priors import count_priors

READ = frozenset(
    """num_classes share_location background_label_id nms_param code_type keep_top_k
    variance_encoded_in_target confidence_threshold save_output_param visualize_threshold""".split()
)
VALUES = 7  # of a row: image, class, score, xmin, ymin, xmax, ymax


class DetectionOutput(Layer):
    """y = a row for everything found: image, class, score, xmin, ymin, xmax, ymax, as shares of the image.

    Of each class but the background the boxes with scores above a threshold are taken, the highest first (of
    equal ones the first), and top_k of them at most; one is kept unless it overlaps one kept before (their
    common area over what both cover) by more than nms_threshold.  Of all that an image has then, the
    keep_top_k with the highest scores stay.

    Param     detection_output_param: num_classes (must be given); share_location (true), one box for all
              classes; background_label_id (0); code_type (CORNER), how boxes are moved: CORNER: prior +
              v * l; CENTER_SIZE: centre + v * l * size, size * exp(v * l); CORNER_SIZE: corner +
              v * l * size; variance_encoded_in_target (false; true: v = 1); confidence_threshold (none);
              nms_param: nms_threshold (0.3), top_k (all), eta (1), by which the threshold is multiplied for
              each box kept while it is above 0.5; keep_top_k (-1: all).
    Shapes    bottom[0]: l (n, priors * sets * 4), one set of offsets, or one for each class; bottom[1]:
              scores (n, priors * classes); bottom[2]: (1, 2, priors * 4), boxes and their variances v;
              top[0]: (1, 1, rows, 7), by image, class, and score from the highest down.  If nothing is
              found: a row for each image, -1 but for its number.  How many rows there are is known only when
              forward runs.
    Source    the DetectionOutput layer of the SSD fork.
    Differs   writing the results to files and showing them are refused, and so are fields of single forks.
              Of equal scores at the end of keep_top_k the lower class stays; the fork leaves it open.
    """

    type = "DetectionOutput"
    settles = True
    bottoms = 3
    kernels = detection
    backward_reads = frozenset()
    not_differentiable = Layer.ALL
    capturable = False
    operations = (8, 0, 0)

    def setup(self, bottom, top):
        refuse_others(self, "detection_output_param", READ)
        conf = self.conf = self.param.detection_output_param
        nms, saved = conf.nms_param, conf.save_output_param
        self.require(conf.num_classes > 0, "detection_output_param.num_classes must be at least 1")
        self.require(
            not (saved.label_map_file and saved.name_size_file),
            "detection_output_param.save_output_param: results are not written to files",
            hint="remove it, and take the rows from the top",
        )
        self.require(
            nms.nms_threshold >= 0 and 0 < nms.eta <= 1,
            "nms_param must have nms_threshold of at least 0, and eta above 0 and at most 1; got"
            f" {nms.nms_threshold:g} and {nms.eta:g}",
        )
        lowest = -float(np.finfo(np.float32).max)
        given = conf.HasField("confidence_threshold")
        self.threshold = conf.confidence_threshold if given else lowest

    def reshape(self, bottom, top):
        conf, loc = self.conf, bottom[0]
        nms, n, classes = conf.nms_param, loc.shape[0] if loc.shape else 0, conf.num_classes
        sets = 1 if conf.share_location else classes
        priors = count_priors(bottom, sets, classes)
        most = min(priors, nms.top_k) if nms.HasField("top_k") and nms.top_k >= 0 else priors
        flags = conf.background_label_id, conf.code_type, int(conf.variance_encoded_in_target)
        self.g = detection.Detection(n, priors, classes, sets, *flags, most)
        found = n * classes, most
        self.boxes, self.order = (
            self.saved((n * sets, priors, 4)),
            self.saved((n * classes, priors), np.int32),
        )
        self.kept, self.counts = self.saved(found, np.int32), self.saved(found[:1], np.int32)
        self.scores, self.picks = self.saved(found), self.saved((n * classes * most, 4), np.int32)
        top[0].reshape(1, 1, n, VALUES)  # until forward knows

    def forward(self, bottom, top):
        g, nms, device = self.g, self.conf.nms_param, self.device
        loc, scores, prior = (blob.data for blob in bottom)
        self.k.decode_boxes(loc, prior, self.boxes.data, g)
        found = self.order.data, self.kept.data, self.scores.data, self.counts.data
        limits = self.threshold, nms.nms_threshold, nms.eta
        self.k.select_boxes(scores, self.boxes.data, *found, g, *limits)
        picks = self._picks()
        rows = (1, 1, len(picks) or g.n, VALUES)
        if top[0].shape != rows:
            top[0].reshape(*rows)
            self.settle()
        if len(picks):
            device.put(picks, self.picks.data[: len(picks)])
            self.k.write_detections(self.boxes.data, self.picks.data, self.scores.data, top[0].data, g)
        else:
            nothing = np.full(rows, -1.0)
            nothing[..., 0] = np.arange(g.n)
            device.put(nothing, top[0].data)

    def _picks(self) -> np.ndarray:
        """Image, class, box and place among the scores of every row."""
        g, keep = self.g, self.conf.keep_top_k
        counts, scores = self.device.get(self.counts.data), self.device.get(self.scores.data)
        columns = np.nonzero(np.arange(g.most) < counts[:, None])  # by image, class and score
        places = columns[0] * g.most + columns[1]
        if keep >= 0:
            image = columns[0] // g.classes
            best = np.lexsort((-scores.reshape(-1)[places], image))  # stable: of equal ones the first
            within = np.arange(len(best)) - np.searchsorted(image, image)  # places are by image already
            places = np.sort(places[best[within < keep]])
        item = places // g.most
        boxes = self.device.get(self.kept.data).reshape(-1)[places]
        return np.stack([item // g.classes, item % g.classes, boxes, places], axis=1).astype(np.int32)

    def backward(self, top, propagate_down, bottom):
        pass  # force_backward runs it; there is nothing to pass down
