"""MultiBoxLoss: what a detector with boxes is trained on."""

from __future__ import annotations

from ...errors import DataError
from ...kernels import loss
from ...kernels.loss import Labels
from ...kernels.partial_sums import chunks
from .examples import Examples


class MultiBoxLoss(Examples):
    """loss = (loc_weight * sum of f(l - t) + sum of the losses of scores) / Z.

    Which object a box stands for: the box and the object of an image that overlap most are a pair, then the
    next of those left, until each object has a box; with PER_PREDICTION every other box gets the object that
    it overlaps most, if by overlap_threshold.  A box with an object is to have its class, and offsets t that
    move its prior to it, as DetectionOutput does.  f(d) is d^2 / 2 if |d| < 1, else |d| - 1/2 (SMOOTH_L1), or
    d^2 / 2 (L2).  Other boxes are to be background, but as examples alone:

    MAX_NEGATIVE  in each image neg_pos_ratio times as many as have an object, those with the highest losses
                  of those that overlap no object by neg_overlap
    HARD_EXAMPLE  of all boxes, with or without object, the sample_size with the highest losses
    NONE          all of them

    An image without objects has no examples, but with NONE.  A propagate_down: false of l or scores takes its
    part from the loss.  With LOGISTIC the scores of other classes than a box's are to be background_label_id:
    leave that at 0; and without mining it gives the labels of all images but the first to wrong boxes: use it
    with mining.  Both is as in the forks.

    Param     multibox_loss_param: num_classes, needed; loc_loss_type (SMOOTH_L1), conf_loss_type (SOFTMAX;
              LOGISTIC: a sigmoid for each class), loc_weight (1), share_location (true), match_type
              (PER_PREDICTION or BIPARTITE), overlap_threshold (0.5), use_prior_for_matching (true; false:
              boxes as predicted), background_label_id (0), use_difficult_gt (true), mining_type
              (MAX_NEGATIVE), neg_pos_ratio (3), neg_overlap (0.5), sample_size (64), nms_param (none; an
              example overlaps no harder one by more than its nms_threshold), use_prior_for_nms (false),
              code_type (CORNER), encode_variance_in_target (false; true: both l and t are divided by
              variances), map_object_to_agnostic (false; true: all objects are of the class behind the
              background), ignore_cross_boundary_bbox (false; true: boxes that leave the image have no object
              and are no background), bp_inside (false; true: coordinates of a box outside the image have no
              gradient).  loss_param: normalization: Z is the number of boxes with an object (VALID), n
              (BATCH_SIZE), n * priors (FULL) or 1 (NONE), and at least 1.
    Shapes    bottom[0] l: (n, priors * sets * 4), sets of offsets as of DetectionOutput; bottom[1]: scores
              (n, priors * num_classes); bottom[2]: (1, 2, priors * 4), boxes and variances; bottom[3]:
              objects (1, 1, rows, 8): image (-1: none), class, instance, xmin, ymin, xmax, ymax, difficult;
              top[0]: ().
    Backward  to l and scores; which boxes are examples is a constant.  Reads nothing: forward saves slopes.
    Source    MultiBoxLoss of SSD's Caffe; Liu et al. 2016.
    Differs   with encode_variance_in_target the gradient is the true one; the forks leave out the division by
              variances.  Of equal losses the lower box is harder, where the forks leave it open.
              ignore_difficult_gt and objectness_score, of single forks, are refused.
    Raises    ShapeError for shapes that do not fit, DataError for an image or class of an object that there
              is not.
    """

    type = "MultiBoxLoss"
    backward_reads = frozenset()
    not_differentiable = frozenset({2, 3})

    def setup(self, bottom, top):
        super().setup(bottom, top)
        self.losses = self.device.bind(loss)
        loc, scores = [*self.param.propagate_down, True, True][:2] if self.param.propagate_down else (1, 1)
        self.weights = self.conf.loc_weight * loc, float(scores)

    def reshape(self, bottom, top):
        super().reshape(bottom, top)
        self.take_boxes(bottom)
        self.slopes = self.saved(bottom[0].shape), self.saved(bottom[1].shape)
        self.allot(chunks(self.g.n * self.g.priors))
        self.rows = bottom[3].shape

    def forward(self, bottom, top):
        g, found = self.g, self.find(bottom)
        slopes = (slope.data for slope in self.slopes)
        fixed = self.fixed_divisor(Labels(g.n, g.classes, g.priors, 1, 0))
        self.k.multibox_loss_forward(*found, *slopes, *self.results(top[0]), g, *self.weights, fixed)

    def backward(self, top, propagate_down, bottom):
        for blob, slope, wanted in zip(bottom, self.slopes, propagate_down):
            if wanted:
                self.losses.loss_backward(slope.data, top[0].diff, self.outcome, blob.diff, 1, 0)

    def verify(self):
        noted = self.noted.take(self.rows)
        if noted is None:
            return
        value, place = noted
        if place[-1] == 0:
            what, hint = f"image {value:.9g}", f"the batch has the images 0 to {self.g.n - 1}; -1 is none"
        else:
            last = self.g.classes - 1
            what = f"class {value:.9g}"
            hint = f"objects have the classes 0 to {last} but {self.g.background}, which is the background"
        raise DataError(f"{what} at {place} of bottom 3 is no object's", hint=hint)

    def forward_operations(self, bottom, top):
        return 12 * self.g.rows * self.g.priors + 8 * bottom[0].count + 6 * bottom[1].count

    def backward_operations(self, bottom, top, propagate_down, params):
        return sum(blob.count for blob, wanted in zip(bottom, propagate_down) if wanted)
