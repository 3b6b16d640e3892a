"""minicaffe data make digits-detection: digits on textured grounds, to learn detection on."""

from __future__ import annotations

import argparse

from ..data.making.detection import Options, make_digits
from ..errors import ConfigError
from . import flags, terminal

NAME = "digits-detection"

WRITTEN = """
What is written to FOLDER, which appears whole or not at all:
  JPEGImages, Annotations        images, and the boxes of their digits, as PASCAL VOC has them
  ImageSets/Main                 the lists train.txt and test.txt
  labelmap.prototxt              the classes: background 0, digit d is d + 1
  summary.json                   images and digits of each class in each part
"""


def parser() -> flags.Parser:
    given = Options()
    p = flags.Parser(
        f"data make {NAME}",
        "Make images with handwritten digits of several sizes on textured grounds, and their boxes.",
    )
    p.formatter_class = argparse.RawDescriptionHelpFormatter
    p.epilog = WRITTEN
    p.add_argument("folder", metavar="FOLDER", nargs="?", default=NAME, help=f"what to make (default {NAME})")
    p.add_argument("-o", "--output", metavar="FOLDER", help="the same")
    for part in ("train", "test"):
        count = getattr(given, part)
        p.flag(part, type=flags.at_least(0), default=count, metavar="N", help=f"images (default {count})")
    p.flag(
        "size",
        type=flags.at_least(1),
        default=given.side,
        metavar="N",
        help=f"of images (default {given.side})",
    )
    p.flag(
        "most",
        type=flags.at_least(1),
        default=given.most,
        metavar="N",
        help=f"digits in an image (default {given.most})",
    )
    p.flag(
        "digits",
        default=given.digits,
        metavar="SET",
        help="whose digits: digits, which is in the package, or mnist",
    )
    p.flag("encode", choices=("jpg", "png"), default=given.encode, help=f"files (default {given.encode})")
    p.flag("seed", type=flags.at_least(0), default=given.seed, metavar="N", help=f"(default {given.seed})")
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if args.output and args.folder != NAME:
        raise ConfigError("the folder is given twice", hint="keep one of the two")
    terminal.start_log("quiet")
    options = Options(args.train, args.test, args.size, args.most, args.digits, args.encode, args.seed)
    made = make_digits(args.output or args.folder, options)
    parts = made.summary["parts"].items()
    counts = ", ".join(
        f"{name} {p['images']:,} with {sum(p['classes'].values()):,} digits" for name, p in parts
    )
    terminal.say(f"{made.folder}: {counts}; images of {options.side}x{options.side}")
    terminal.say("Next, in an AnnotatedData layer:")
    for source in made.sources.values():
        terminal.show(f'  data_param {{ source: "{source}"  backend: VOC  batch_size: 32 }}')
    return 0
