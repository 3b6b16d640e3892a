"""Flags of the commands that look at images, and what is said of images that could not be read."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..errors import ConfigError, DataError
from ..files import write_together
from ..inference.files import STDIN, ImageFiles, find
from ..inference.viewer import MOST_PIXELS
from ..printable import printable
from . import flags, terminal


class Looked(Protocol):
    """What a command found out about an image, or why it did not."""

    name: str
    error: str
    size: tuple[int, int]  # height and width, where there is no error
    decode_ms: float
    forward_ms: float


One = TypeVar("One", bound=Looked)


def add_images(p: flags.Parser) -> None:
    """NET, WEIGHTS and IMAGE..."""
    p.add_argument("net", metavar="NET", help="a net prototxt, a net of the package, or a run")
    p.add_argument("weights", metavar="WEIGHTS", help="a file of weights of any format, or a run: its newest")
    p.add_argument(
        "images", nargs="*", metavar="IMAGE", help="image files, folders of them, - for one on stdin"
    )


def add_values(p: flags.Parser) -> argparse._ArgumentGroup:
    """What is done to pixels, which `values` reads; returns the group of the flags."""
    how = p.add_argument_group("how images become what the net takes")
    p.flag(
        "mean",
        type=_mean,
        metavar="FILE|V,V,V",
        group=how,
        help="a binaryproto, or one value, or one for each channel",
    )
    p.flag("scale", type=flags.positive, metavar="X", group=how, help="factor of the pixels, less their mean")
    p.flag("std", type=_numbers, metavar="V,V,V", group=how, help="what they are divided by then")
    p.flag(
        "raw_scale",
        type=flags.positive,
        metavar="X",
        group=how,
        help="what white is before the mean is taken off (default: as in the training data, or else 255)",
    )
    return how


def values(args: argparse.Namespace) -> dict[str, Any]:
    """The options of a Viewer that `add_values`, --shape and the flags of devices say."""
    said = {name: getattr(args, name) for name in ("mean", "scale", "std", "raw_scale")}
    return said | {"shapes": flags.shapes(args), "device": flags.device(args)}


def epilog(done: str) -> str:
    """What a command says of images that cannot be read, below its flags."""
    return (
        f"Images that cannot be read, or have more than {MOST_PIXELS // 1_000_000} million pixels, are listed"
        f" on stderr, and the exit status is 1 once the others are {done}.  Files in folders that are no"
        " images by name are listed too."
    )


def images(args: argparse.Namespace, command: str) -> ImageFiles:
    """The images that the command line names; ConfigError if it names none."""
    if not args.images:
        raise ConfigError("no image is named", hint=f"minicaffe {command} NET WEIGHTS cat.jpg; - reads stdin")
    return find(args.images)


def shown(one: Looked) -> str:
    """The name of an image for people."""
    return "(stdin)" if one.name == STDIN else printable(one.name)


def refuse_alone(args: argparse.Namespace, results: Sequence[Looked], left_out: Sequence[str]) -> None:
    """DataError if the one image that was asked for could not be read, and nothing else is to be said."""
    if len(results) == 1 and results[0].error and not (args.json or left_out):
        raise DataError(results[0].error)


def report(
    args: argparse.Namespace,
    results: Sequence[One],
    left_out: Sequence[str],
    *,
    table: Callable[[Sequence[One]], str],
    about: Mapping[str, Any],
    entry: Callable[[One], Mapping[str, Any]],
) -> int:
    """Print what was found, the table or the JSON object, and complain of the rest; the exit status.

    about  what the object says beside the net and its weights
    entry  what it says of an image beside its name, its size and the times
    """
    refuse_alone(args, results, left_out)
    good = [one for one in results if not one.error]
    if args.json:
        terminal.put(as_json(args, results, left_out, about, entry))
    elif good:
        terminal.show(table(good))
    complain(results, left_out, "looked at")
    return 0 if len(good) == len(results) else 1


def as_json(
    args: argparse.Namespace,
    results: Sequence[One],
    left_out: Sequence[str],
    about: Mapping[str, Any],
    entry: Callable[[One], Mapping[str, Any]],
) -> str:
    """The object that --json prints."""
    found = {
        "net": args.net,
        "weights": args.weights,
        **about,
        "images": [
            {
                "image": one.name,
                "height": one.size[0],
                "width": one.size[1],
                **entry(one),
                "decode_ms": round(one.decode_ms, 3),
                "forward_ms": round(one.forward_ms, 3),
            }
            for one in results
            if not one.error
        ],
        "unreadable": [{"image": one.name, "error": one.error} for one in results if one.error],
        "left_out": list(left_out),
    }
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def complain(all_of_them: Sequence[Looked], left_out: Iterable[str], done: str) -> None:
    """Say on stderr which files were left out, and which images could not be read."""
    for path in left_out:
        terminal.complain(f"left out, no image by its name: {path}")
    bad = [one for one in all_of_them if one.error]
    for one in bad:
        terminal.complain(f"not {done}: {one.error}")
    if bad:
        terminal.complain(f"{len(bad)} of {len(all_of_them)} images could not be read")


class Pictures:
    """A folder that pictures of images are written to, each by the name of its image: cat.png of cat.jpg.

    Raises ConfigError for a folder that is a file, for two images of one name, and where the picture of an
    image would take the place of an image.
    """

    def __init__(self, folder: str, names: Sequence[str]) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"{folder} is a file; expected a folder", hint="--output pictures")
        stems = [self._stem(name) for name in names]
        twice = next((stem for stem in stems if stems.count(stem) > 1), None)
        if twice is not None:
            raise ConfigError(
                f"two images are called {twice}: the picture of one would replace the other's",
                hint="run the command once for each of their folders",
            )
        inputs = {os.path.realpath(name) for name in names if name != STDIN}
        for stem in stems:
            if os.path.realpath(self.folder / f"{stem}.png") in inputs:
                raise ConfigError(
                    f"{self.folder / stem}.png would be replaced by its own picture",
                    hint="name another folder",
                )

    def write(self, name: str, pictures: Mapping[str, bytes]) -> None:
        """Write the pictures of an image, given by what follows its name: "", or "_overlay"."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_together(
                {self.folder / f"{self._stem(name)}{end}.png": content for end, content in pictures.items()}
            )
        except OSError as error:
            raise DataError(f"cannot write into {self.folder}: {error.strerror or error}") from None

    @staticmethod
    def _stem(name: str) -> str:
        return "stdin" if name == STDIN else Path(name).stem


def _mean(text: str) -> str | list[float]:
    """The mean that --mean gives: values, or the name of a file."""
    if not re.fullmatch(r"[-+0-9.eE, ]+", text):
        return text
    return _numbers(text)


def _numbers(text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(map(math.isfinite, found)):
        raise argparse.ArgumentTypeError(f"numbers separated by commas; got {text!r}")
    return found


def size(text: str) -> tuple[int, int]:
    """The type of a flag that is a height and a width."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})[,x]([1-9][0-9]{0,5})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"a height and a width, 256,256; got {text!r}")
    return int(found[1]), int(found[2])
