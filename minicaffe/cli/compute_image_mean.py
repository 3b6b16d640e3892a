"""minicaffe compute_image_mean: the mean image of a database, for mean_file, and the means of its channels.

    minicaffe compute_image_mean train_lmdb mean.binaryproto
    minicaffe compute_image_mean --backend=idx --resize_height=64 --resize_width=64 mnist/train m.binaryproto

Arguments, lines and file are those of Caffe's compute_image_mean; data/mean.py says what differs.  Not of
Caffe are backend idx and a size that images are brought to first, as transform_param's resize does.

Source: Caffe's tools/compute_image_mean.cpp.
"""

from __future__ import annotations

from .. import log
from ..data.database import Database
from ..data.mean import SourceImages, mean_image, to_blob
from ..data.resize import Resize
from ..errors import ConfigError
from . import flags, output, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "compute_image_mean", "Compute the mean image of an LMDB of images, or of another source."
    )
    p.add_argument(
        "database", metavar="INPUT_DB", help="the folder of the database; a named set or a file, with idx"
    )
    p.add_argument("output", metavar="OUTPUT_FILE", nargs="?", help="the binary BlobProto to write")
    p.flag("backend", default="lmdb", help="lmdb (default), or idx")
    for side in ("height", "width"):
        p.flag(
            f"resize_{side}", type=flags.at_least(0), default=0, metavar="N", help=f"{side} images get first"
        )
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if args.backend not in ("lmdb", "idx"):
        raise ConfigError(
            f"--backend must be lmdb or idx; got {args.backend!r}", hint="leave it out for an LMDB"
        )
    size = (args.resize_height, args.resize_width)
    if bool(size[0]) != bool(size[1]):
        raise ConfigError(f"--resize_height and --resize_width need each other; got {size[0]} and {size[1]}")
    terminal.start_log()
    records = Database(args.database) if args.backend == "lmdb" else SourceImages(args.database)
    log.info(f"Opened {args.backend} {args.database}")
    mean = mean_image(records, Resize(*size) if all(size) else None)
    if args.output is not None:
        log.info(f"Write to {args.output}")
        output.write({args.output: to_blob(mean).SerializeToString()})
    log.info(f"Number of channels: {len(mean)}")
    for number, channel in enumerate(mean):
        log.info(f"mean_value channel [{number}]: {log.number(channel.mean(dtype=float))}")
    return 0
