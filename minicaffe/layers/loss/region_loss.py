"""RegionLoss: the loss of YOLOv2."""

from __future__ import annotations

import numpy as np

from ...errors import DataError, ShapeError
from ...kernels import partial_sums, region_loss
from ..detection.cells import anchor_sizes
from ..foreign import refuse_others
from .measure import Loss

NAME = "region_loss_param"
READ = frozenset(
    """side num_class bias_match coords num softmax jitter rescore object_scale class_scale noobject_scale
    coord_scale absolute thresh random biases""".split()
)
CORNERS, CENTRE = 8, 5  # numbers of an object


class RegionLoss(Loss):
    """loss = sum of d^2 over what each box says: d is by how much it is wrong, with a weight.

    With s the logistic function, an anchor of a cell of w by h cells says: centre (column + s(x)) / w, (row +
    s(y)) / h; size biases / (w, h) * e^(its own); p = s(object), and the softmax q over classes.  An object
    goes to one anchor of the cell that its centre lies in: to that which has most in common with it, or with
    bias_match: 0 to such a box.  There d is coord_scale (s(x) - t) s'(x) for x and y, coord_scale (x - t) for
    the sizes, t being what the object is; class_scale (q - 1 or 0) for classes; and object_scale (p - 1)
    p (1 - p).  Elsewhere d is noobject_scale p^2 (1 - p) for the object, unless the box has more than thresh
    in common with one, and 0 for all else.

    MobileNet-YOLO's form, where bottom[1] has 5 numbers an object: with rescore p is to be what box and
    object have in common, without it coord_scale is multiplied by 2 - the object's area; in the passes over
    the first 12800 images every box is drawn to its anchor; the loss is divided by n.
    Intel's, where it has 8: s(x) - t and x - t are cut to 1, and object_scale (p - 1) is multiplied by 2
    (1 - p)^2; the loss is not divided.

    Param     region_loss_param: num_class (20); num (5), anchors; biases, two numbers for each; bias_match
              (1); rescore (1); object_scale (1); noobject_scale (0.5); class_scale (1); coord_scale (5);
              thresh (0.2); coords (4) and softmax (1), which must be so; side, jitter, absolute and random
              are read and without meaning in the forks too.
    Shapes    bottom[0]: (n, num (5 + num_class), h, w); bottom[1]: (n, objects * 5): class from 0, x, y, w,
              h, as shares of the image, and zeros behind the last; or (1, 1, objects, 8): image, -1 for none,
              class from 1, instance, xmin, ymin, xmax, ymax, difficult; top[0]: ().
    Backward  dx = d dloss / n, which is not the gradient of the loss.  Forward saves d.
    Source    RegionLoss of MobileNet-YOLO's and Intel's Caffe; Redmon & Farhadi 2017.
    Differs   runs on every device.  Maps need not be square.  A centre outside of the image belongs to the
              nearest cell.  softmax_tree and class_map are refused.
    Raises    DataError for a class that is none.
    """

    type = "RegionLoss"
    kernels = region_loss
    backward_reads = frozenset()
    stochastic = True  # for the number of the pass
    operations = (4, 1, 0)

    def setup(self, bottom, top):
        refuse_others(self, NAME, READ)
        conf = self.conf = self.param.region_loss_param
        self.require(conf.num_class > 0 and conf.num > 0, f"{NAME}: num_class, num must be above 0")
        self.require(
            conf.coords == 4 and conf.softmax != 0,
            f"{NAME} must have coords 4 and softmax 1; got {conf.coords} and {conf.softmax}",
        )
        sizes = anchor_sizes(self, NAME, conf.biases, conf.num)
        self.require(sizes.min() > 0, f"{NAME}.biases must be greater than 0")
        self.biases = self.device.empty(sizes.shape)
        self.device.put(sizes.astype(self.device.dtype), self.biases)

    def reshape(self, bottom, top):
        conf, shape, labels = self.conf, bottom[0].shape, bottom[1]
        channels = conf.num * (5 + conf.num_class)
        if len(shape) != 4 or shape[1] != channels:
            raise ShapeError(f"bottom 0 must be (n, {channels}, h, w), as num and num_class say; got {shape}")
        n, _, h, w = shape
        self.corners = labels.shape[:2] == (1, 1) and labels.shape[3:] == (CORNERS,)
        if not self.corners and (labels.shape[:1] != (n,) or labels.count % (CENTRE * n)):
            raise ShapeError(
                f"bottom 1 must be ({n}, objects * {CENTRE}) or (1, 1, objects, {CORNERS}); got"
                f" {labels.shape}"
            )
        rows = labels.count // (CORNERS if self.corners else CENTRE * n)
        flags = int(self.corners), int(conf.bias_match != 0), int(conf.rescore != 0)
        self.g = region_loss.Region(n, conf.num, conf.num_class, h, w, rows, *flags)
        self.labels = labels.shape
        self.slope, self.bad = self.saved(shape), self.saved((n,), np.int32)
        self.allot(partial_sums.chunks(bottom[0].count))
        top[0].reshape()

    def forward(self, bottom, top):
        conf, g, slope, bad = self.conf, self.g, self.slope.data, self.bad.data
        x, labels = bottom[0].data, bottom[1].data
        limits = conf.noobject_scale, conf.thresh
        self.k.region_ground(x, labels, self.biases, self.random.data, slope, g, *limits)
        weights = conf.object_scale, conf.class_scale, conf.coord_scale
        self.k.region_objects(x, labels, self.biases, slope, bad, g, *weights)
        divisor = 1.0 if self.corners else float(g.images)
        self.k.region_sum(
            slope, labels, bad, *self.results(top[0]), divisor, bottom[0].count, g.images
        )  # fmt: skip

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            self.k.region_backward(self.slope.data, top[0].diff, bottom[0].diff, 1 / self.g.images)

    def verify(self):
        missing = self.noted.take(self.labels)
        if missing is not None:
            first, classes = int(self.corners), self.g.classes
            raise DataError(
                f"class {missing[0]:g} at {missing[1]} of bottom 1: there are the classes {first} to"
                f" {classes - 1 + first}"
            )
