"""minicaffe convert_imageset: makes a database of the images that a list names.

    minicaffe convert_imageset --resize_height=256 --resize_width=256 --shuffle images/ train.txt train_lmdb

Flags, keys and records are those of Caffe's convert_imageset; data/imageset.py says what differs in the
records.  In the flags: resize_height and resize_width need each other; leveldb is refused; the order of
--shuffle follows from --seed; a line of the list that is none is an error, and no label 0.

Source: Caffe's tools/convert_imageset.cpp.
"""

from __future__ import annotations

from .. import log
from ..data.image_list import ImageList
from ..data.images import Channels
from ..data.imageset import ImageSet, convert
from ..data.order import permutation
from ..errors import ConfigError
from . import flags, terminal


def parser() -> flags.Parser:
    p = flags.Parser(
        "convert_imageset", "Convert a set of images to the LMDB format used as input for Caffe."
    )
    p.add_argument("root", metavar="ROOTFOLDER/", help="put before every path of the list as it is")
    p.add_argument("list", metavar="LISTFILE", help="lines of a path, a space and a label")
    p.add_argument("database", metavar="DB_NAME", help="the folder to make")
    p.boolean("gray", help="make images grey")
    p.boolean("shuffle", help="shuffle the images")
    p.flag("seed", type=flags.at_least(0), default=0, metavar="N", help="of the shuffled order (default 0)")
    p.flag("backend", default="lmdb", help="lmdb")
    p.flag("resize_width", type=flags.at_least(0), default=0, metavar="N", help="width images are resized to")
    p.flag(
        "resize_height", type=flags.at_least(0), default=0, metavar="N", help="height images are resized to"
    )
    p.boolean("check_size", help="check that all images have the same size")
    p.boolean("encoded", help="store encoded images")
    p.flag(
        "encode_type", default="", metavar="KIND", help="what to encode as: png, jpg, ... (implies --encoded)"
    )
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if args.backend != "lmdb":
        raise ConfigError(f"--backend must be lmdb; got {args.backend!r}", hint="leave it out")
    terminal.start_log()
    listed = ImageList(args.list, args.root, Channels.GRAY if args.gray else Channels.COLOR)
    image_set = ImageSet(
        listed,
        size=_size(args),
        encoded=args.encoded,
        encode_type=args.encode_type,
        check_size=args.check_size,
    )
    lines = range(len(listed))
    if args.shuffle:
        log.info("Shuffling data")
        lines = permutation(len(listed), args.seed).tolist()
    log.info(f"A total of {len(listed)} images.")
    if args.encode_type and not args.encoded:
        log.info("encode_type specified, assuming encoded=true.")
    convert(image_set, args.database, lines)
    return 0


def _size(args) -> tuple[int, int] | None:
    size = (args.resize_height, args.resize_width)
    if size == (0, 0):
        return None
    if min(size) < 1:
        raise ConfigError(f"--resize_height and --resize_width need each other; got {size[0]} and {size[1]}")
    return size
