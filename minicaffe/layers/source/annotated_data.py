"""AnnotatedData: images and the boxes of the objects in them."""

from __future__ import annotations

from ...data.detection import label_map
from ...data.detection.batches import AnnotatedBatches
from ...data.detection.coco import Coco
from ...data.detection.database import AnnotatedDatabase
from ...data.detection.settings import FORKS_OWN
from ...data.detection.voc import Voc
from ...data.epoch import Epoch
from ...data.images import Channels
from ...data.order import Order, Share
from ...proto.schema import enum_name
from ..foreign import refuse_others
from .data import Data

READ = frozenset("batch_sampler label_map_file anno_type".split())
BOXES = 8  # values of a row


class AnnotatedData(Data):
    """Images and the boxes of the objects in them, batch after batch, epoch after epoch.

    Every image goes through these steps, as far as the net asks for them, and its boxes with it: its colours
    are distorted, it is put on a larger ground, a part of it is taken that a batch_sampler found, it is
    resized, has its noise, is cropped and mirrored, and its mean is taken off.  docs/forks.md describes them.

    Param     data_param: backend; source; batch_size; prefetch (4); shuffle (false).  annotated_data_param:
              batch_sampler; label_map_file, the classes; anno_type, that records without a type have.
              transform_param: distort_param, expand_param, resize_param, noise_param, crop_size or crop_h and
              crop_w, emit_constraint, mirror, mean_value or mean_file, scale (1), std_value; force_color or
              force_gray, for encoded images.
              backend LMDB: source is the folder of a database of AnnotatedDatum records.
              backend VOC: source is a list, FOLDER/ImageSets/Main/train.txt or for short FOLDER/train, with
              images and XML annotations in FOLDER.  Images are colour unless force_gray is set, as of COCO.
              backend COCO: source is a JSON file of instances; root_folder, where the images are.
    Shapes    top[0] (batch_size, C, H, W); top[1], if there is one, (1, 1, objects, 8), a row for every
              object of the batch: image in the batch, label, instance, xmin, ymin, xmax, ymax, as shares of
              the image, and 1 if it is difficult; or one row of -1.  How many there are differs from batch to
              batch.  Of records without boxes: (batch_size), their labels.
    Source    the AnnotatedData layer of the SSD fork.
    Differs   backends VOC and COCO and shuffle are extensions; LEVELDB cannot be read.  Random choices are
              functions of the seed and the pass.  Between steps images are not stored as JPEG, and boxes are
              cut where the pixels are.  Hues turn on their circle; in the fork they are held at its end.
              clahe, convert_to_hsv and convert_to_lab of noise_param, height_scale and width_scale of
              resize_param, a crop that is no square, and what single forks added are refused.
    """

    type = "AnnotatedData"
    tops = (1, 2)
    augments = False
    fork_fields = frozenset(f"transform_param.{name}" for name in FORKS_OWN)
    sources = {
        "LMDB": "the folder of a database of AnnotatedDatum",
        "VOC": "FOLDER/train, for FOLDER/ImageSets/Main/train.txt",
        "COCO": "a JSON file of instances",
    }

    def setup(self, bottom, top):
        refuse_others(self, "annotated_data_param", READ)
        conf, transform = self.param.data_param, self.param.transform_param
        self._check(conf, transform)
        backend, wanted = enum_name(conf, "backend"), self.param.annotated_data_param
        self.require(
            not wanted.HasField("anno_type") or enum_name(wanted, "anno_type") == "BBOX",
            "annotated_data_param.anno_type must be BBOX",
        )
        self.require(not conf.root_folder or backend == "COCO", "data_param.root_folder is for backend COCO")
        small = any(enum_name(fit, "resize_mode") == "FIT_SMALL_SIZE" for fit in transform.resize_param)
        self.require(
            not small or conf.batch_size == 1 or bool(transform.crop_size or transform.crop_h),
            f"FIT_SMALL_SIZE leaves images of many sizes; batch_size must be 1, got {conf.batch_size}",
            hint="or set crop_size",
        )
        labels = (
            label_map.read(wanted.label_map_file) if wanted.label_map_file and backend != "LMDB" else None
        )
        self.decoded = self.channels(Channels.NATIVE if backend == "LMDB" else Channels.COLOR)
        self.annotated: AnnotatedDatabase | Voc | Coco
        if backend == "VOC":
            self.annotated = Voc(conf.source, labels)
        elif backend == "COCO":
            self.annotated = Coco(conf.source, conf.root_folder, labels)
        else:
            self.annotated = AnnotatedDatabase(conf.source, self.decoded, wanted.HasField("anno_type"))
        first = self.batches()
        rows = (1, 1, first.first_rows, BOXES) if first.labelled else (conf.batch_size,)
        self.shapes = [(conf.batch_size, *first.transformer.out_shape), rows][: len(top)]
        self.setup_draws = 3 if first.transformer.draws else 1

    def batches(self) -> AnnotatedBatches:  # type: ignore[override]
        conf, random = self.param.data_param, self.random
        order = Order(len(self.annotated), shuffle=conf.shuffle, seed=random.seed)
        wanted = self.param.annotated_data_param, self.param.transform_param, self.phase, self.decoded
        return AnnotatedBatches(self.annotated, *wanted, order, Share(conf.batch_size, random.key))

    def epoch(self) -> Epoch:
        batches, records = self.batches(), self.annotated
        undo = batches.transformer.undo
        return Epoch(batches.order.count, batches.order.samples, records.place, records.classes, undo)
