"""Data: labelled images from a data set."""

from __future__ import annotations

import os

from ...data import datasets
from ...data.batches import Batches
from ...data.class_folders import ImageFolder
from ...data.database import Database
from ...data.datasets import Samples
from ...data.epoch import Epoch
from ...data.images import Channels
from ...data.order import Order, Share
from ...data.records import RecordBatches
from ...data.transformer import Transformer
from ...proto.schema import enum_name
from .prefetching import Prefetching


class Data(Prefetching):
    """Images and their labels, batch after batch, epoch after epoch.

    Param     data_param: backend; source; batch_size; prefetch (4), how many batches a thread prepares ahead,
              0 for none; shuffle (false), a new permutation every epoch.  transform_param: resize, scale (1),
              mean_value or mean_file, std_value, crop_size, mirror; force_color or force_gray, for encoded
              images.  augment_param: random changes of training images.
              backend LMDB: source is the folder of a database of Datum records, in the order of the keys.
              backend IDX: source is a named set (mnist/train, mnist/test, digits/train, digits/test) or the
              path of an IDX file of images, its labels beside it; behind it perhaps a range of the samples,
              which come first to last: mnist/train[:45002], mnist/train[75%:].
              backend FOLDER: source is a folder of class folders, photos/cats/1.jpg: labels are the places of
              the folders' names in order; perhaps with a range behind it, photos[:80%], of a fixed order that
              mixes the classes evenly.  Images are colour, or grey if the first 32 are, unless force_color or
              force_gray is set.
    Shapes    top[0] (batch_size, C, H, W), with crop_size for H and W; top[1], if there is one, (batch_size),
              the labels.  Of an LMDB or a FOLDER every batch has the shape of its first image, so that with
              batch_size 1 every image may have a size of its own.
    Source    Caffe's Data layer.
    Differs   backends IDX and FOLDER, shuffle, resize, std_value and augment_param are extensions; LEVELDB
              cannot be read.  What Caffe ignores (rand_skip, force_encoded_color, the transform fields of
              data_param; force_color and force_gray where an image is not encoded and has other channels) is
              refused.  A pass's batch follows from the seed and the number of the pass, whatever was run
              before.
    """

    type = "Data"
    tops = (1, 2)
    augments = True
    # By backend what the source is.
    sources = {
        "IDX": f"one of {', '.join(datasets.names())}, or the path of an IDX file of images",
        "LMDB": "the folder of the database",
        "FOLDER": "a folder of class folders",
    }

    def setup(self, bottom, top):
        conf, transform = self.param.data_param, self.param.transform_param
        self._check(conf, transform)
        channels = self.channels(Channels.NATIVE)
        self.records: Samples | Database | ImageFolder
        if enum_name(conf, "backend") == "IDX":
            self.records = datasets.open_source(
                conf.source,
                labels=len(top) > 1,
                download=self.allocate,
                largest_bytes=self.device.largest_bytes,
            )
        elif enum_name(conf, "backend") == "FOLDER":
            self.records = ImageFolder(conf.source, channels)
        else:
            self.records = Database(conf.source, channels)
        transformer = self.batches().transformer
        self.shapes = [(conf.batch_size, *transformer.out_shape), (conf.batch_size,)][: len(top)]
        # Caffe seeds a generator for its thread, and two for a transformer that needs one.
        self.setup_draws = 3 if transformer.draws else 1

    def channels(self, default: Channels) -> Channels:
        """What encoded images are decoded into, unless the net says nothing of it."""
        if self.param.transform_param.force_color:
            return Channels.COLOR
        return Channels.GRAY if self.param.transform_param.force_gray else default

    def batches(self) -> Batches | RecordBatches:
        conf, transform, records = self.param.data_param, self.param.transform_param, self.records
        count = len(records.images if isinstance(records, Samples) else records)
        order = Order(count, shuffle=conf.shuffle, seed=self.random.seed)
        share = Share(conf.batch_size, self.random.key)
        if isinstance(records, Samples):
            transformer = Transformer(transform, self.phase, records.images.shape[1:], self.augment)
            return Batches(records, transformer, order, share)
        return RecordBatches(records, transform, self.phase, self.augment, order, share)

    def epoch(self) -> Epoch:
        batches, records = self.batches(), self.records
        name = str if isinstance(records, Samples) else records.place
        classes = records.classes if isinstance(records, ImageFolder) else []
        return Epoch(batches.order.count, batches.order.samples, name, classes, batches.transformer.undo)

    def _check(self, conf, transform) -> None:
        backend = enum_name(conf, "backend")
        default = "" if conf.HasField("backend") else ", the default,"
        self.require(
            backend != "LEVELDB",
            f"data_param.backend LEVELDB{default} cannot be read",
            hint="this is an LMDB: set backend: LMDB"
            if os.path.exists(os.path.join(conf.source, "data.mdb"))
            else "convert it to an LMDB (backend: LMDB); IDX files and named sets are read with backend: IDX",
        )
        self.require(
            backend in self.sources,
            f"data_param.backend {backend} is not of this layer",
            hint=f"{', '.join(self.sources)} are"
            + ("; AnnotatedData reads it" if "IDX" in self.sources else ""),
        )
        self.check_source("data_param", self.sources[backend], ("scale", "mean_file", "crop_size", "mirror"))
        self.require(
            not conf.rand_skip, "data_param.rand_skip has no effect", hint="remove it, or set shuffle"
        )
        self.require(
            not conf.force_encoded_color,
            "data_param.force_encoded_color has no effect",
            hint="set force_color in transform_param",
        )
        self.require(
            not (transform.force_color and transform.force_gray),
            "both transform_param.force_color and force_gray are set",
            hint="keep one of the two",
        )
        for field in ("force_color", "force_gray"):
            self.require(
                backend != "IDX" or not getattr(transform, field),
                f"transform_param.{field} is for encoded images; IDX holds pixels",
                hint="remove it",
            )
