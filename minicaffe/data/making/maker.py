"""`make`: a data set of images in whatever form they come."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ... import __version__
from ...errors import ConfigError, DataError, ShapeError, locate
from ...files import write_atomic
from .. import encoding, mean
from ..facts import SUMMARY
from ..images import Channels
from ..order import permutation
from . import fit, parts, split
from .chunks import in_chunks
from .new_folder import new_folder, sync
from .opening import open_source
from .prepare import Preparation, Prepared
from .sources import Source
from .statistics import Statistics

MOST_PIXELS = 1 << 26  # of an image that is made
CHANNELS = {"auto": Channels.FOUND, "gray": Channels.GRAY, "color": Channels.COLOR}


class Options(NamedTuple):
    """How a data set is made.

    kind        idx, lmdb or hdf5
    size        height and width of all images; None: as they are, and but for an LMDB all of one size
    resize      how they get there: squash, crop, fill, half-crop (fit.py)
    fill        the value of borders
    channels    gray, color, or auto: colour if any image has a pixel that is not grey
    encode      png or jpg: what the records of an LMDB hold; "": pixels
    val, test   percent of every class
    seed        of the split and of the order of the images
    keep_order  images stay in the order of the source, else they are shuffled
    strict      an image that cannot be read is an error
    labels      the file of labels, for .npy and .npz
    root        what goes before the paths of a list
    threads     that prepare images; None: as many as are of use
    """

    kind: str = "idx"
    size: tuple[int, int] | None = None
    resize: str = "squash"
    fill: int = 0
    channels: str = "auto"
    encode: str = ""
    val: float = 0
    test: float = 0
    seed: int = 0
    keep_order: bool = False
    strict: bool = False
    labels: str | None = None
    root: str | None = None
    threads: int | None = None


class Made(NamedTuple):
    """folder: the data set; sources: what a net calls its parts; summary: what its file summary.json says."""

    folder: Path
    sources: dict[str, str]
    summary: dict[str, Any]


class _Coloured(Exception):
    """An image is coloured, and the others have been made grey."""


def make(
    source: str | os.PathLike,
    folder: str | os.PathLike,
    options: Options | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Made:
    """Make the data set `folder` of the images of `source` (opening.open_source says what can be one).

    It holds the parts train, val and test as far as they are asked for, labels.txt, the name of a class per
    line, mean.binaryproto, the mean image of the training part, and summary.json: classes, images of each in
    each part, mean and standard deviation of the channels, and every file that was left out, with the reason.

    The folder appears whole, or not at all: it is written under another name beside it, which an interrupted
    run may leave; the next run removes that.  `tell` is told how many images are done, and of how many; it
    begins anew where a coloured image shows that those before it should not have been made grey.

    Raises ConfigError for options that do not fit; DataError for a folder that is there already, a source
    that cannot be read, a class that no image is left of, or if more than half of the images cannot be read;
    ShapeError for images of different sizes, if `size` does not bring them to one.
    """
    options = options or Options()
    _check(options)
    home = Path(os.path.abspath(folder))
    if os.path.isdir(source) and Path(os.path.realpath(home)).is_relative_to(os.path.realpath(source)):
        raise ConfigError(f"{home} would lie in {os.fspath(source)}", hint="-o FOLDER names another place")
    with new_folder(home) as scratch, ExitStack() as open_files, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about images as large as a bomb may be; not for threads
        given = open_files.enter_context(
            closing(
                open_source(
                    source, labels=options.labels, root=options.root, size=options.size, scratch=scratch
                )
            )
        )
        making = _Making(os.fspath(source), given, options, scratch, home, tell)
        channels = CHANNELS[options.channels]
        try:
            summary = making.run(channels)
        except _Coloured:
            making.clear()
            summary = making.run(Channels.COLOR)
        open_files.close()
        sync(scratch)
    ending = ".txt" if options.kind == "hdf5" else ""
    sources = {part: os.path.join(folder, part) + ending for part in summary["parts"]}
    return Made(Path(folder), sources, summary)


def _check(options: Options) -> None:
    parts.kind(options.kind)
    fit.check(options.resize)
    split.check(options.val, options.test)
    if options.channels not in CHANNELS:
        raise ConfigError(f"channels must be one of {', '.join(CHANNELS)}; got {options.channels!r}")
    if options.size is not None and min(options.size) < 1:
        raise ConfigError(f"a size must be 1x1 at least; got {options.size[0]}x{options.size[1]}")
    if options.size is not None and math.prod(options.size) > MOST_PIXELS:
        raise ConfigError(f"a size may have {MOST_PIXELS} pixels; got {options.size[0]}x{options.size[1]}")
    if not 0 <= options.fill <= 255:
        raise ConfigError(f"borders are filled with 0 to 255; got {options.fill}")
    if options.encode:
        if options.kind != "lmdb":
            raise ConfigError(f"{options.kind} holds pixels, not {options.encode} files", hint="--kind lmdb")
        encoding.check(options.encode)


class _Making:
    def __init__(
        self,
        place: str,
        source: Source,
        options: Options,
        scratch: Path,
        home: Path,
        tell: Callable[[int, int], None],
    ) -> None:
        self.place, self.source, self.options, self.scratch, self.home = place, source, options, scratch, home
        self.tell = tell
        labels = source.labels
        self.parts = split.split(labels, options.val, options.test, options.seed, source.parts)
        count = len(labels)
        self.order = np.arange(count) if options.keep_order else permutation(count, options.seed)

    def clear(self) -> None:
        """Remove what was written."""
        for path in self.scratch.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def run(self, channels: Channels) -> dict[str, Any]:
        """Write the parts and what is said of them; the summary."""
        options, source = self.options, self.source
        self.shape: tuple[int, ...] | None = None
        self.first = ""
        self.failed: list[tuple[str, str]] = []
        self.failed_of: dict[int, tuple[str, str]] = {}  # the first of each class
        self.remarks: dict[str, list[str]] = {}
        statistics = Statistics()
        counts = np.zeros((len(split.PARTS), len(source.classes)), np.int64)
        prepare = Preparation(source, channels, options.size, options.resize, options.fill, options.encode)
        write = parts.kind(options.kind)
        most = np.bincount(self.parts, minlength=len(split.PARTS)).tolist()
        with ExitStack() as open_parts:
            targets = [
                open_parts.enter_context(write(self.scratch, self.home, name, count))
                for name, count in zip(split.PARTS, most)
            ]
            for numbers, images in self._prepared(prepare):
                for part, target in enumerate(targets):
                    kept = [
                        (n, image)
                        for n, image in zip(numbers, images)
                        if self.parts[n] == part and image.pixels is not None
                    ]
                    if not kept:
                        continue
                    labels = [int(source.labels[n]) for n, _ in kept]
                    target.add([image for _, image in kept], labels, [source.names[n] for n, _ in kept])
                    np.add.at(counts[part], labels, 1)
                    if part == 0:
                        statistics.add([image.pixels for _, image in kept if image.pixels is not None])
        self._check_counts(counts)
        return self._describe(counts, statistics)

    # -- images

    def _prepared(self, prepare: Preparation) -> Iterator[tuple[list[int], list[Prepared]]]:
        """All images in their order, some at a time; what could not be prepared is noted."""
        from tqdm import tqdm

        done = 0
        with tqdm(
            desc=os.path.basename(self.home),
            total=len(self.order),
            unit="image",
            file=sys.stderr,
            dynamic_ncols=True,
            disable=sys.stderr is None or not sys.stderr.isatty(),
        ) as bar:
            for numbers, images in in_chunks(prepare, self.order.tolist(), self.options.threads):
                for number, image in zip(numbers, images):
                    self._note(number, image)
                yield numbers, images
                bar.update(len(numbers))
                done += len(numbers)
                self.tell(done, len(self.order))

    def _note(self, number: int, image: Prepared) -> None:
        name = self.source.names[number]
        if image.coloured:
            raise _Coloured
        for remark in image.remarks:
            self.remarks.setdefault(remark, []).append(name)
        if image.pixels is None:
            if self.options.strict:
                with locate(name):
                    raise DataError(image.failure, hint="without --strict it would be left out")
            self.failed.append((name, image.failure))
            self.failed_of.setdefault(int(self.source.labels[number]), (name, image.failure))
            if 2 * len(self.failed) > len(self.order):
                raise DataError(
                    f"{self.place}: more than half of the {len(self.order)} images cannot be read;"
                    f" {name}: {image.failure}"
                )
            return
        if self.shape is None:
            self.shape, self.first = image.pixels.shape, name
        if image.pixels.shape != self.shape and self.options.kind != "lmdb":
            raise ShapeError(
                f"images of different sizes: {self.first} has {_spell(self.shape)}, {name}"
                f" {_spell(image.pixels.shape)}",
                hint="--size HxW brings them to one, such as --size 224x224",
            )

    # -- what is said of them

    def _check_counts(self, counts: np.ndarray) -> None:
        """DataError for a class of which no image could be read."""
        had = np.bincount(self.source.labels, minlength=len(self.source.classes)) > 0
        for label in np.flatnonzero(had & (counts.sum(axis=0) == 0)).tolist():
            raise DataError(
                f"{self.place}: no image of class {self.source.classes[label]!r} can be read;"
                f" {': '.join(self.failed_of[label])}"
            )

    def _describe(self, counts: np.ndarray, statistics: Statistics) -> dict[str, Any]:
        """Write labels.txt, mean.binaryproto and summary.json."""
        options, source = self.options, self.source
        image = statistics.mean()
        means, deviations = statistics.channels()
        skipped = [*source.left_out, *self.failed]
        summary = {
            "made by": f"minicaffe {__version__}",
            "from": self.place,
            "kind": options.kind,
            "shape": list(self.shape or ()) if statistics.alike else None,
            "channels": _spell_channels((self.shape or (1,))[0]),
            "classes": source.classes,
            "parts": {
                name: {
                    "images": int(row.sum()),
                    "classes": {str(label): int(count) for label, count in enumerate(row) if count},
                }
                for name, row in zip(split.PARTS, counts)
                if row.sum()
            },
            "mean_values": means,
            "std_values": deviations,
            "seed": options.seed,
            "size": list(options.size) if options.size else None,
            "resize": options.resize if options.size else None,
            "left out": [{"file": _text(name), "reason": reason} for name, reason in skipped],
            "unreadable": len(self.failed),
            "remarks": {remark: [_text(name) for name in found] for remark, found in self.remarks.items()},
        }
        contents: dict[str, bytes] = {
            "labels.txt": "".join(f"{name}\n" for name in source.classes).encode("utf-8", "surrogateescape"),
            SUMMARY: json.dumps(summary, indent=2).encode() + b"\n",
        }
        if image is not None:
            contents["mean.binaryproto"] = mean.to_blob(image.astype(np.float32)).SerializeToString()
        for name, content in contents.items():
            write_atomic(self.scratch / name, content)
        return summary


def _spell(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape[1:]))


def _spell_channels(count: int) -> str:
    return "gray" if count == 1 else "blue, green, red"


def _text(name: str) -> str:
    """The name of a file as text that JSON can hold."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
