"""minicaffe data make: a data set of images in whatever form they come.

minicaffe data make photos --size 64x64 --val 10 --test 10
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Any

from ..checking.table import aligned
from ..data import class_folders
from ..data.making import Made, Options, fit, make, parts
from ..errors import ConfigError
from . import data_make_digits, flags, terminal

MOST_ROWS = 40  # of the histogram
MOST_FILES = 10  # of those left out that are named
SIZE = re.compile(r"([1-9][0-9]{0,4})(?:x([1-9][0-9]{0,4}))?")

SOURCES = """
What SOURCE can be:
  a folder of class folders      photos/cats/1.jpg, photos/dogs/2.png, ...; folders inside a class folder are
                                 part of the class; classes are numbered in the order of their names, by
                                 number if all are whole numbers
  a list file                    a path, a space and a label per line; paths from the folder of the list, or
                                 behind --root
  .npz, .npy                     images (N,H,W), (N,H,W,C) or (N,C,H,W) of bytes, colour as red, green, blue;
                                 labels in the .npz (y, labels, ...), beside the .npy or named by --labels
  .csv, .csv.gz                  a row per image: the label (column `label`, else the first), then the pixels,
                                 of a square or of --size; with or without a head
  digits-detection               not a source: makes images with boxes around digits; see
                                 minicaffe data make digits-detection --help
  .parquet, or a folder of them  column `image` (bytes of a file, or a struct with `bytes`), and `label`, a
                                 number or a text (needs pip install 'minicaffe[parquet]')
Classes that have only numbers are named by the lines of a file labels.txt beside the source, if there is one.

What is written to FOLDER:
  train, val, test               as a net's source names them: FOLDER/train (of hdf5 FOLDER/train.txt)
  labels.txt                     the names of the classes, in order
  mean.binaryproto               the mean image of train, for mean_file
  summary.json                   images of each class in each part, mean_values, what was left out and why
It appears whole or not at all.

How images are read: of 16 bits the upper 8 are taken, of several frames the first; opacity is not taken;
CMYK and palettes become colour; a photo is turned as its EXIF orientation says.  Colour is in the order blue,
green, red.  Files that are no image by their name, hidden files, and images that cannot be read (empty, cut
short, damaged, or larger than 179 million pixels) are left out, counted and listed; if that is more than half
of the images, or all of a class, it is an error, as is an empty class folder.

How --resize brings an image H x W to h x w (smoothed, as it shrinks):
  squash     each axis for itself: shapes are distorted
  crop       scaled by max(h/H, w/W), the middle is kept
  fill       scaled by min(h/H, w/W), the border is filled
  half-crop  scaled by 2 / (H/h + W/w): a little is cropped, a little filled
"""


def parser() -> flags.Parser:
    p = flags.Parser("data make", "Make a data set of images: IDX, LMDB or HDF5.")
    p.formatter_class = argparse.RawDescriptionHelpFormatter
    p.epilog = SOURCES
    p.add_argument("source", metavar="SOURCE", help="where the images are; see below")
    p.add_argument("-o", "--output", metavar="FOLDER", help="what to make (default: SOURCE-data)")
    p.flag("kind", choices=tuple(parts.KINDS), default="idx", help="what to write (default idx)")
    p.flag(
        "size", type=_size, metavar="HxW", help="of all images; one number: a square (default: as they are)"
    )
    p.flag("resize", choices=fit.MODES, default="squash", help="how they get there (default squash)")
    p.flag("fill", type=int, default=0, metavar="N", help="what borders become, 0 to 255 (default 0, black)")
    p.boolean("gray", help="make images grey (default: if no image has a coloured pixel)")
    p.boolean("color", help="make images colour (default: if any has)")
    p.flag("encode", default="", metavar="KIND", help="png, jpg: keep files in the LMDB, not pixels")
    p.flag(
        "val", type=_percent, default=0.0, metavar="PERCENT", help="of each class for validation (default 0)"
    )
    p.flag(
        "test", type=_percent, default=0.0, metavar="PERCENT", help="of each class for the test (default 0)"
    )
    p.flag("seed", type=flags.at_least(0), default=0, metavar="N", help="of parts and order (default 0)")
    p.boolean("keep_order", help="do not shuffle the images")
    p.boolean("strict", help="an image that cannot be read is an error")
    p.flag("labels", metavar="FILE", help="the labels of a .npy or .npz")
    p.flag("root", metavar="FOLDER/", help="put before every path of a list as it is")
    p.flag("threads", type=flags.at_least(1), metavar="N", help="that read images (default: as many as help)")
    return p


def run(arguments: list[str]) -> int:
    if arguments[:1] == [data_make_digits.NAME]:
        return data_make_digits.run(arguments[1:])
    args = parser().parse(arguments)
    if args.gray and args.color:
        raise ConfigError("both --gray and --color", hint="keep one of the two")
    terminal.start_log("quiet")
    options = Options(
        kind=args.kind,
        size=args.size,
        resize=args.resize,
        fill=args.fill,
        channels="gray" if args.gray else "color" if args.color else "auto",
        encode=args.encode,
        val=args.val,
        test=args.test,
        seed=args.seed,
        keep_order=args.keep_order,
        strict=args.strict,
        labels=args.labels,
        root=args.root,
        threads=args.threads,
    )
    made = make(args.source, args.output or _beside(args.source), options)
    _report(made, options)
    return 0


def _beside(source: str) -> str:
    """The folder that is made if none is named: of photos, photos/ and photos.npz photos-data."""
    path = Path(os.path.normpath(source))
    path = path if path.name else Path(os.path.abspath(source))  # of `.`
    stem = path.name if path.is_dir() else path.name.partition(".")[0]
    return str(path.with_name(f"{stem or 'images'}-data")) if path.name else "images-data"  # of `/`


def _report(made: Made, options: Options) -> None:
    summary = made.summary
    _histogram(summary)
    shape = summary["shape"]
    size = f"{shape[1]}x{shape[2]}" if shape else "of different sizes"
    counts = ", ".join(f"{name} {part['images']:,}" for name, part in summary["parts"].items())
    terminal.say(f"{made.folder}: {counts} images, {size}, {summary['channels']}")
    if summary["mean_values"]:
        means, deviations = (
            " ".join(f"{value:.4g}" for value in summary[key]) for key in ("mean_values", "std_values")
        )
        terminal.say(f"mean {means}, standard deviation {deviations}; {made.folder}/mean.binaryproto")
    for remark, names in summary["remarks"].items():
        terminal.say(f"{len(names)} images: {remark} (such as {names[0]})")
    _left_out(made)
    terminal.say("Next, in a Data layer:" if options.kind != "hdf5" else "Next, in an HDF5Data layer:")
    field = "hdf5_data_param" if options.kind == "hdf5" else "data_param"
    backend = {"idx": "  backend: IDX", "lmdb": "  backend: LMDB", "hdf5": ""}[options.kind]
    for source in made.sources.values():
        terminal.show(f'  {field} {{ source: "{source}"{backend}  batch_size: 64 }}')


def _histogram(summary: dict[str, Any]) -> None:
    """Images of each class in each part."""
    rows = []
    for label, name in enumerate(summary["classes"]):
        counts = [part["classes"].get(str(label), 0) for part in summary["parts"].values()]
        if any(counts):
            rows.append([str(label), name, *map(str, counts)])
    head = ["", "class", *summary["parts"]]
    shown = rows[:MOST_ROWS]
    terminal.show(aligned(head, shown, "><" + ">" * len(summary["parts"]), width=terminal.width()))
    if len(rows) > len(shown):
        terminal.say(f"... and {len(rows) - len(shown)} classes more, in summary.json")


def _left_out(made: Made) -> None:
    left_out = [(entry["file"], entry["reason"]) for entry in made.summary["left out"]]
    if not left_out:
        return
    terminal.say(f"{len(left_out)} files are left out: {class_folders.reasons(left_out)}")
    for name, reason in left_out[-MOST_FILES:]:  # those that could not be read are the last
        terminal.say(f"  {name}: {reason}")
    if len(left_out) > MOST_FILES:
        terminal.say(f"  ... and {len(left_out) - MOST_FILES} more, in {made.folder}/summary.json")


def _size(text: str) -> tuple[int, int]:
    if (found := SIZE.fullmatch(text)) is None:
        raise argparse.ArgumentTypeError(f"a size is like 28 or 240x320, height first; got {text!r}")
    return int(found[1]), int(found[2] or found[1])


def _percent(text: str) -> float:
    return float(text.removesuffix("%"))


_percent.__name__ = "float"
