"""The folder of a report, which appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from ..errors import DataError
from ..files import refuse_unwritable, sync_folder, temporary_name, write_together
from . import figures, numbers, page
from .evaluation import Evaluation

PAGE, NUMBERS = "report.html", "report.json"
CONFUSION, CALIBRATION, MISTAKES = "confusion.png", "calibration.png", "mistakes.png"
FILES = {PAGE, NUMBERS, CONFUSION, CALIBRATION, MISTAKES}


def write(evaluation: Evaluation, folder: str | os.PathLike) -> None:
    """Write report.html, report.json, confusion.png, calibration.png and, if there are pictures of mistakes,
    mistakes.png into a folder; a report that is there is replaced.

    Raises DataError as `refuse`, or if the folder cannot be written; then what was there is as it was.
    """
    refuse(folder)
    contents = {
        NUMBERS: numbers.spell(evaluation),
        PAGE: page.html(evaluation).encode("utf-8", "backslashreplace"),
        CONFUSION: figures.png(figures.confusion(evaluation)),
        CALIBRATION: figures.png(figures.calibration(evaluation)),
    }
    sheet = figures.mistakes(evaluation)
    if sheet is not None:
        contents[MISTAKES] = figures.png(sheet)
    target = Path(os.path.abspath(folder))
    made, old = temporary_name(target), temporary_name(target)
    try:
        made.mkdir()
        write_together({made / name: content for name, content in contents.items()})
        if target.exists():
            os.rename(target, old)
        os.rename(made, target)
        sync_folder(target.parent)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if old.exists() and not target.exists():
            os.rename(old, target)
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write {folder}: {reason}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)


def refuse(folder: str | os.PathLike) -> None:
    """DataError if a report cannot be written there: the folder holds anything else than a report, or is the
    working folder, which would be gone from below whoever stands in it."""
    try:
        path = Path(os.path.abspath(folder))
        if path.exists() and path.samefile(os.curdir):
            raise DataError(
                f"{folder}: a report takes the place of a folder, not of the one you are in",
                hint="name a folder in it",
            )
        refuse_unwritable(path.parent / ".report")
        if not os.path.lexists(path):
            return
        found = (
            {entry.name for entry in os.scandir(path)} if path.is_dir() and not path.is_symlink() else None
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write {folder}: {reason}") from None
    if found is None:
        raise DataError(f"{folder}: there is something that is no folder", hint="name another folder")
    foreign = sorted(found - FILES)
    if found and (foreign or not _is_report(path / NUMBERS)):
        what = f"it holds {foreign[0]}" if foreign else f"its {NUMBERS} is no report's"
        raise DataError(f"{folder}: the folder is no report: {what}", hint="name another folder, or empty it")


def _is_report(path: Path) -> bool:
    try:
        return json.loads(path.read_bytes())["format"] == numbers.FORMAT
    except (OSError, ValueError, LookupError, TypeError):
        return False
