"""minicaffe read: the digits of a photo, line by line."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..device.cpu import CpuDevice
from ..errors import ConfigError, DataError
from ..files import write_together
from ..reading import arithmetic, table
from ..reading.page import Page
from ..reading.read import read
from ..reading.recognizer import Recognizer
from ..reading.steps import Recorder
from . import flags, terminal

SUFFIX = ".png"


def parser() -> flags.Parser:
    p = flags.Parser(
        "read",
        "Read the handwritten digits of photos, and + - × ÷ =: each line with the certainty of every"
        " character; one below 0.9 is marked with ?.  Equations, and sums in columns, are checked.  Shadows,"
        " ruled and squared paper, light on dark, and lines up to 10 degrees off level are no obstacle; a"
        " page of nothing but ones, dashes or texture is not read.",
    )
    p.add_argument("photos", nargs="+", metavar="PHOTO", help="an image file")
    p.add_argument("-o", "--output", metavar="FOLDER", help="save the annotated photo and every step there")
    form = p.add_mutually_exclusive_group()
    p.flag("json", group=form, action="store_true", help="print everything as JSON, one object a photo")
    p.flag("table", group=form, action="store_true", help="print the words in their columns as CSV")
    p.flag(
        "arithmetic", group=form, action="store_true", help="print only the equations and whether they hold"
    )
    p.flag("net", metavar="NET", help="another deploy net for glyphs of 28x28, with --weights")
    p.flag("weights", metavar="FILE", help="its weights")
    p.flag("labels", metavar="FILE", help="its labels, one a line (default: labels.txt beside it, or 0 to 9)")
    flags.add_threads(p)
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    names = _names(args.photos) if args.output else [""] * len(args.photos)
    if args.output and os.path.exists(args.output) and not os.path.isdir(args.output):
        raise ConfigError(f"{args.output} is a file; expected a folder", hint="-o results")
    recognizer = Recognizer(args.net, args.weights, args.labels, CpuDevice(threads=args.threads))
    for photo, name in zip(args.photos, names):
        recorder = Recorder() if args.output else None
        page = read(photo, recognizer=recognizer, steps=recorder)
        if recorder is not None:
            _save(Path(args.output), name, recorder.files())
        if args.json:
            terminal.put(json.dumps({"photo": photo, **page.as_json(), **_checked(page)}) + "\n")
        elif not page.lines:
            terminal.complain(f"minicaffe read: {photo}: no digits found")
        else:
            if len(args.photos) > 1:
                terminal.say(f"{photo}:")
            _print(page, args)
    return 0


def _names(photos: list[str]) -> list[str]:
    """How the pictures of each photo are called; ConfigError if two photos would share a name."""
    names = [Path(photo).stem for photo in photos]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two photos are called {name}: the pictures of one would replace the other's")
    return names


def _print(page: Page, args) -> None:
    if args.table:
        terminal.show(table.as_csv(table.table(page)).rstrip("\n"))
        return
    if not args.arithmetic:
        width = max(len(line.marked) for line in page.lines)
        for line in page.lines:
            certainties = " ".join(f"{c.certainty:.2f}" for c in line.characters)
            terminal.show(f"{line.marked:{width}}  {certainties}")
    for check in arithmetic.checks(page):
        verdict = {True: "right", False: f"wrong, {check.value}", None: f"no equation: {check.value}"}
        doubt = "" if check.sure else " (not read for sure)"
        terminal.show(f"{check.equation}: {verdict[check.right]}{doubt}")


def _checked(page: Page) -> dict:
    found = arithmetic.checks(page)
    return {"equations": [check._asdict() for check in found]}


def _save(folder: Path, name: str, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_together({folder / f"{name}_{step}{SUFFIX}": content for step, content in files.items()})
    except OSError as error:
        raise DataError(f"cannot write into {folder}: {error.strerror or error}") from None
