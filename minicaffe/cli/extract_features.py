"""minicaffe extract_features: stores blobs of a net in LMDBs, a record for every image.

    minicaffe extract_features caffenet.caffemodel net.prototxt fc7,prob fc7_lmdb,prob_lmdb 10 lmdb

Record i, under the key 0000000000 + i, is what image i of all batches gives: a Datum without label, whose
float_data are the blob's values behind axis 0, in the shape channels x height x width of the blob's axes 1, 2
and 3 (1 where it has none).

Differs from Caffe: all databases appear at the end, or with an error none; at least one batch; a blob of more
than four axes, a negative device and a mode other than CPU and GPU are errors before the net runs.

Source: Caffe's tools/extract_features.cpp.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from .. import log
from ..core.blob import Blob
from ..data import datum
from ..data.database import GROUP, DatabaseWriter
from ..device.base import Device
from ..device.cpu import CpuDevice
from ..errors import ConfigError, ShapeError, UnknownTypeError, locate, suggest
from ..net import Net
from ..proto.schema import Message
from . import flags, terminal

DIGITS = 10  # of a key
AXES = 4  # of a blob whose values have channels, height and width


def parser() -> flags.Parser:
    p = flags.Parser(
        "extract_features",
        "Run a net in phase TEST on given weights and store blobs in LMDBs, a record for every image.",
    )
    p.add_argument("weights", metavar="WEIGHTS", help="a .caffemodel, binary or HDF5")
    p.add_argument("model", metavar="NET", help="the net prototxt, with a layer that reads the images")
    p.add_argument("blobs", metavar="BLOB[,BLOB...]", help="what to store")
    p.add_argument("databases", metavar="DB[,DB...]", help="where to, a new database for each blob")
    p.add_argument("batches", metavar="BATCHES", type=int, help="how many batches to run")
    p.add_argument("db_type", metavar="DB_TYPE", help="lmdb")
    p.add_argument(
        "mode", metavar="CPU|GPU", nargs="?", choices=("CPU", "GPU"), default="CPU", help="default CPU"
    )
    p.add_argument("device_id", metavar="DEVICE_ID", nargs="?", type=int, default=0, help="which GPU")
    flags.add_threads(p)
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if args.batches < 1:
        raise ConfigError(f"BATCHES must be at least 1; got {args.batches}")
    if args.db_type != "lmdb":
        raise ConfigError(f"databases are of type lmdb; got {args.db_type!r}", hint="write lmdb")
    blobs, databases = args.blobs.split(","), args.databases.split(",")
    if len(blobs) != len(databases):
        raise ConfigError(
            f"the number of blobs and databases must be equal; got {len(blobs)} and {len(databases)}",
            hint="separate each by commas without spaces",
        )
    if len(set(map(os.path.realpath, databases))) < len(databases):
        raise ConfigError(f"each blob needs a database of its own; got {args.databases}")
    terminal.start_log()
    net = Net(args.model, phase="TEST", device=_device(args), forward_only=True)
    net.load(args.weights, must_match=True)
    for name in blobs:
        with locate(args.model):
            _check(net, name)
    with ExitStack() as opened:
        writers = []
        for path in databases:
            log.info(f"Opening dataset {path}")
            writers.append(opened.enter_context(DatabaseWriter(path, DIGITS)))
        extract(net, blobs, writers, args.batches)
    log.info("Successfully extracted the features!")
    return 0


def extract(net: Net, blobs: Sequence[str], writers: Sequence[DatabaseWriter], batches: int) -> None:
    """Run `batches` batches and give each writer the values of its blob, image by image."""
    log.info("Extracting Features")
    for _ in range(batches):
        net.forward()
        for name, writer in zip(blobs, writers):
            for record in records(net.blobs[name], net.device):
                writer.add(record)
                if writer.count % GROUP == 0:
                    _tell(writer, name)
    for name, writer in zip(blobs, writers):
        _tell(writer, name)


def records(blob: Blob, device: Device) -> list[Message]:
    """A Datum for each index of axis 0 (for one value if there is no axis), without label."""
    _check_shape(blob)
    shape = (*blob.shape, *[1] * (AXES - len(blob.shape)))
    made = []
    for values in np.asarray(device.get(blob.data), np.float32).reshape(shape):
        record = datum.from_array(values)
        record.ClearField("label")
        made.append(record)
    return made


def _check(net: Net, name: str) -> None:
    """Refuse what cannot be stored before the net runs."""
    if name not in net.blobs:
        raise UnknownTypeError(f"no blob {name!r}", hint=suggest(name, net.blobs))
    _check_shape(net.blobs[name])


def _check_shape(blob: Blob) -> None:
    if len(blob.shape) > AXES or not blob.count:
        raise ShapeError(
            f"blob {blob.name!r} must have up to {AXES} axes, none empty; got {blob.shape}",
            hint="put a Reshape or Flatten layer behind it",
        )


def _device(args: argparse.Namespace) -> Device:
    number = args.device_id
    if args.mode == "CPU":
        log.info("Using CPU")
        return CpuDevice(threads=args.threads)
    if number < 0:
        raise ConfigError(f"DEVICE_ID must be at least 0; got {number}")
    from ..device.cuda import CudaDevice

    log.info("Using GPU")
    log.info(f"Using Device_id={number}")
    return CudaDevice(number=number, asked=f"GPU {number}")


def _tell(writer: DatabaseWriter, name: str) -> None:
    log.info(f"Extracted features of {writer.count} query images for feature blob {name}")
