"""RoIDataLayer of roi_data_layer.layer: images, and the objects in them."""

from __future__ import annotations

import numpy as np

from ...data.detection import voc
from ...data.detection.pixels import Marked, of_coco, of_voc
from ...data.epoch import Epoch
from ...data.images import read
from ...data.order import Order
from ...data.resize import Resize
from ...errors import DataError
from ..source.source import Source
from ..user.settings import Settings

IMAGES, REGIONS = 3, 6  # tops with objects, and with regions chosen beforehand
REGIONS_BATCH = 128
WHERE = (
    "'voc': 'VOCdevkit/VOC2007', 'image_set': 'trainval', or 'coco': 'instances.json', 'images': 'train2014'"
)


class RoIDataLayer(Source):
    """One image after the other with its objects, enlarged so that its shorter side is SCALE, or its longer
    side MAX_SIZE if that is less.

    The module gets its images from a training script.  Here param_str names them, and without that the net
    can only be looked at (check, summary, draw), with assumed shapes.

    Param     python_param.param_str: num_classes, needed; voc, a folder such as VOCdevkit/VOC2007, and
              image_set (trainval); or coco, a file of annotations, and images, the folder of images, if it is
              not where AnnotatedData looks for it; classes, their names, those of VOC if left out; SCALE
              (600); MAX_SIZE (1000); USE_FLIPPED (true): every image comes mirrored too; PIXEL_MEANS
              ([102.9801, 115.9465, 122.7717]), of blue, green and red.
    Shapes    top[0]: (1, 3, h, w); top[1]: (1, 3), h, w and by how much the image is enlarged; top[2]:
              objects (g, 5): x1, y1, x2, y2 in pixels of top[0], class.  With tops of Fast R-CNN (image,
              regions (r, 5), labels (r), targets, and one or two of weights, (r, 4 num_classes)) it can only
              be looked at.
    Source    roi_data_layer.layer of py-faster-rcnn.
    Differs   the order is a permutation of all images for each epoch that follows from the net's seed.
              Images are resized as OpenCV does with a given size, not with a given factor.
    Raises    DataError for images or annotations that are missing or damaged.
    """

    type = "Python"
    tops = (3, 6)
    stochastic = True
    settles = True

    def setup(self, bottom, top):
        conf = self.conf = Settings(
            self,
            {
                "num_classes": None, "voc": "", "image_set": "trainval", "coco": "", "images": "",
                "classes": [""], "SCALE": 600, "MAX_SIZE": 1000, "USE_FLIPPED": True,
                "PIXEL_MEANS": [102.9801, 115.9465, 122.7717],
            },
        )  # fmt: skip
        self.require(
            len(conf.PIXEL_MEANS) == 3 and min(conf.SCALE, conf.MAX_SIZE) > 0,
            "python_param.param_str: PIXEL_MEANS must be 3 numbers, SCALE and MAX_SIZE greater than 0",
        )
        chosen = len(top) > IMAGES or "roi" in self.param.top[1]
        self.shapes = self._assumed(len(top), chosen)
        if self.allocate:
            self.require(
                not chosen,
                "regions that were chosen beforehand cannot be read",
                hint="put py-faster-rcnn's lib on PYTHONPATH, or let the net propose regions: tops data,"
                " im_info and gt_boxes",
            )
            self._open()

    def _assumed(self, tops: int, chosen: bool) -> list[tuple[int, ...]]:
        conf = self.conf
        image = (1, 3, conf.SCALE, conf.MAX_SIZE)
        if not chosen:
            return [image, (1, 3), (1, 5)]
        wide = (REGIONS_BATCH, 4 * conf.num_classes)
        return [image, (REGIONS_BATCH, 5), (REGIONS_BATCH,), wide, wide, wide][:tops]

    def _open(self) -> None:
        """Find the images."""
        conf = self.conf
        self.require(
            bool(conf.voc) != bool(conf.coco),
            "python_param.param_str names no images, or two kinds",
            hint=f"add {WHERE}",
        )
        if conf.voc:
            self.marked = of_voc(conf.voc, conf.image_set, self._classes())
        else:
            self.marked = of_coco(conf.coco, conf.images)
        where = conf.voc or conf.coco
        if not self.marked:
            raise DataError(f"{where} has no image with objects of these classes")
        highest = max(int(m.objects[:, 4].max()) for m in self.marked)
        self.require(
            highest < conf.num_classes,
            f"python_param.param_str: num_classes is {conf.num_classes}, with ground; {where} has {highest}"
            " classes",
        )

    def _classes(self) -> list[str]:
        """All but ground."""
        classes = [str(name) for name in self.conf.classes if name] or list(voc.CLASSES)
        self.require(
            len(classes) == self.conf.num_classes - 1,
            f"num_classes is {self.conf.num_classes}, with ground; there are {len(classes)} classes",
            hint="name them: 'classes': [car, person, ...]",
        )
        return classes

    def order(self) -> Order:
        return Order(len(self.marked) * (1 + self.conf.USE_FLIPPED), shuffle=True, seed=self.random.seed)

    def epoch(self) -> Epoch:
        order = self.order()
        return Epoch(order.count, order.samples, lambda i: self.marked[i % len(self.marked)].path)

    def stage(self, passes, top, put):
        (sample,) = self.order().samples(np.array([passes], np.int64))
        marked = self.marked[sample % len(self.marked)]
        image, found, scale = self._prepared(marked, mirror=sample >= len(self.marked))
        about = np.array([[*image.shape[1:], scale]])
        self.hand_over([a.astype(self.device.dtype) for a in (image[None], about, found)], top, put)

    def _prepared(self, marked: Marked, mirror: bool) -> tuple[np.ndarray, np.ndarray, float]:
        """Pixels, objects, and by how much they are enlarged."""
        image, found = read(marked.path).astype(np.float32), marked.objects.copy()
        h, w = image.shape[1:]
        if mirror:
            image, found[:, [0, 2]] = image[:, :, ::-1], w - found[:, [2, 0]] - 1
        image = image - np.array(self.conf.PIXEL_MEANS, np.float32)[:, None, None]
        scale = self.conf.SCALE / min(h, w)
        if round(scale * max(h, w)) > self.conf.MAX_SIZE:
            scale = self.conf.MAX_SIZE / max(h, w)
        size = max(round(h * scale), 1), max(round(w * scale), 1)
        out = np.empty((3, *size), np.float32)
        Resize(*size)(np.ascontiguousarray(image), out)
        found[:, :4] *= scale
        return out, found, scale
