"""minicaffe compute_image_mean: the mean image of a database, for mean_file, and the means of its channels.

    minicaffe compute_image_mean train_lmdb mean.binaryproto

Arguments, lines and file are those of Caffe's compute_image_mean; data/mean.py says what differs.

Source: Caffe's tools/compute_image_mean.cpp.
"""

from __future__ import annotations

from .. import log
from ..data.database import Database
from ..data.mean import mean_image, to_blob
from ..errors import ConfigError
from . import flags, output, terminal


def parser() -> flags.Parser:
    p = flags.Parser("compute_image_mean", "Compute the mean image of an LMDB of images.")
    p.add_argument("database", metavar="INPUT_DB", help="the folder of the database")
    p.add_argument("output", metavar="OUTPUT_FILE", nargs="?", help="the binary BlobProto to write")
    p.flag("backend", default="lmdb", help="lmdb")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if args.backend != "lmdb":
        raise ConfigError(f"--backend must be lmdb; got {args.backend!r}", hint="leave it out")
    terminal.start_log()
    database = Database(args.database)
    log.info(f"Opened lmdb {args.database}")
    mean = mean_image(database)
    if args.output is not None:
        log.info(f"Write to {args.output}")
        output.write({args.output: to_blob(mean).SerializeToString()})
    log.info(f"Number of channels: {len(mean)}")
    for number, channel in enumerate(mean):
        log.info(f"mean_value channel [{number}]: {log.number(channel.mean(dtype=float))}")
    return 0
