"""A data set to learn detection on: digits on textured grounds, as a VOC folder."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ... import __version__
from ...errors import ConfigError
from .. import datasets, encoding
from ..detection import label_map, voc
from ..facts import SUMMARY
from .maker import Made
from .new_folder import new_folder, sync
from .scenes import NAMES, Digits, scene

PARTS = ("train", "test")
LEAST_SIDE, MOST_SIDE = 32, 1024
MOST_IMAGES = 1_000_000


class Options(NamedTuple):
    """How many images of what height and width there are, with how many digits at most; whose digits: a named
    set with parts train and test; the kind of files; and the seed."""

    train: int = 2000
    test: int = 300
    side: int = 96
    most: int = 4
    digits: str = "digits"
    encode: str = "jpg"
    seed: int = 0


def make_digits(folder: str | os.PathLike, options: Options | None = None) -> Made:
    """Make the VOC folder `folder`: images, their annotations, the lists train and test, labelmap.prototxt,
    and summary.json.

    The digits of the part test come from the test part of their set.  An image is a function of the seed, its
    part and its number, so a larger data set begins as a smaller one does.  The folder appears whole, or not
    at all.

    Raises ConfigError for options that do not fit, DataError for a folder that is there already.
    """
    options = options or Options()
    _check(options)
    home = Path(os.path.abspath(folder))
    wanted = {"train": options.train, "test": options.test}
    sets = {part: _digits(f"{options.digits}/{part}") for part in PARTS if wanted[part]}
    with new_folder(home) as scratch:
        for name in (voc.IMAGES, voc.ANNOTATIONS, f"{voc.SETS}/Main"):
            (scratch / name).mkdir(parents=True)
        parts = {part: _write(scratch, part, wanted[part], digits, options) for part, digits in sets.items()}
        (scratch / label_map.FILE).write_text(label_map.spelled(NAMES))
        summary = {
            "made by": f"minicaffe {__version__}",
            "from": options.digits,
            "kind": "voc",
            "shape": [3, options.side, options.side],
            "channels": "blue, green, red",
            "classes": ["background", *NAMES],
            "parts": parts,
            "seed": options.seed,
        }
        (scratch / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
        sync(scratch)
    return Made(Path(folder), {part: os.path.join(folder, part) for part in parts}, summary)


def _check(options: Options) -> None:
    encoding.check(options.encode)
    if f".{options.encode}" not in voc.ENDINGS:
        raise ConfigError(f"files must be jpg or png; got {options.encode}")
    if not LEAST_SIDE <= options.side <= MOST_SIDE:
        raise ConfigError(f"the size must be from {LEAST_SIDE} to {MOST_SIDE}; got {options.side}")
    if options.most < 1:
        raise ConfigError(f"an image must have at least 1 digit; got {options.most}")
    if not 1 <= options.train <= MOST_IMAGES or not 0 <= options.test <= MOST_IMAGES:
        raise ConfigError(
            f"there must be 1 to {MOST_IMAGES} images of train, and 0 to as many of test; got"
            f" {options.train} and {options.test}"
        )


def _digits(source: str) -> Digits:
    images, labels = datasets.load(source)
    if labels is None or images.shape[1] != 1 or labels.max() >= len(NAMES):
        raise ConfigError(f"{source} has no handwritten digits", hint="digits or mnist")
    return Digits(images[:, 0], labels, int(images.max()))


def _write(folder: Path, part: str, count: int, digits: Digits, options: Options) -> dict[str, Any]:
    """Write a part; what the summary says of it."""
    names = []
    classes: Counter[int] = Counter()
    for number in range(count):
        random = np.random.Generator(np.random.PCG64([options.seed, PARTS.index(part), number]))
        made = scene(digits, options.side, options.most, random)
        name = f"{part}_{number:06d}"
        file = f"{name}.{options.encode}"
        (folder / voc.IMAGES / file).write_bytes(encoding.encode(made.image, options.encode))
        annotation = voc.spelled(file, made.image.shape[1:], made.boxes, ["", *NAMES])  # type: ignore[arg-type]
        (folder / voc.ANNOTATIONS / f"{name}.xml").write_bytes(annotation)
        classes.update(made.boxes.labels.tolist())
        names.append(name)
    (folder / voc.SETS / "Main" / f"{part}.txt").write_text("".join(f"{name}\n" for name in names))
    return {"images": count, "classes": {str(label): classes[label] for label in sorted(classes)}}
