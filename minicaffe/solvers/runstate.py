"""The run state of a snapshot, P_iter_N.runstate: JSON that is written here and read with suspicion.

A snapshot may come from anywhere, so nothing in its run state is believed for what it claims to be.  Names of
files are names: one that is a path, or not that of a snapshot's file, makes the whole state a damaged one,
and what is removed must bear the snapshot's own name too (`own_files`).  Numbers and containers are taken by
the functions at the end, which raise ValueError for what they are not.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..files import LARGEST_TEXT_BYTES, read_bytes

FORMAT = 1
LARGEST = 2**53  # integers that every reader of JSON holds
NAME = re.compile(r"[^/\\\0]*\.(caffemodel|solverstate)(\.h5)?")
DIGEST = re.compile(r"[0-9a-f]{64}")
REMEDY = "delete it to resume without it"


def spell(run: dict[str, Any], sums: dict[str, str]) -> bytes:
    """The file: what the solver has to remember, the SHA-256 of the snapshot's other files by their names,
    and a checksum of it all."""
    whole = {"format": FORMAT, **run, "sha256": sums}
    return json.dumps({**whole, "checksum": checksum(whole)}, indent=1).encode()


def read(path: Path) -> dict[str, Any]:
    """What `spell` wrote.  WeightsError for what it did not; the values themselves are judged by whoever
    takes them up."""
    content = read_bytes(path, LARGEST_TEXT_BYTES)
    try:
        run = json.loads(content)
        form, own = run["format"], run.pop("checksum", None)
        whole = own == checksum(run)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WeightsError(f"{path}: not a run state", hint=REMEDY) from None
    if form != FORMAT:
        raise WeightsError(f"{path}: format {str(form)[:40]}; this version reads {FORMAT}")
    if not whole or not _names_files(run.get("sha256")):
        raise WeightsError(f"{path}: damaged", hint=REMEDY)
    return run


def own_files(stem: str, names: list[str]) -> list[str]:
    """Those names that begin as the snapshot `stem` does: P_iter_N.caffemodel, P_iter_N_ema.caffemodel."""
    base = re.escape(Path(stem).name)
    return [name for name in names if re.fullmatch(rf"{base}(_\w+)?\.(caffemodel|solverstate)(\.h5)?", name)]


def checksum(run: dict[str, Any]) -> str:
    """The checksum of a run state, over all its other fields."""
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()


def _names_files(sums: Any) -> bool:
    return isinstance(sums, dict) and all(
        NAME.fullmatch(name) and isinstance(digest, str) and DIGEST.fullmatch(digest)
        for name, digest in sums.items()
    )


# -- taking values up


def integer(value: Any) -> int:
    """A count: an integer from 0 on."""
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise ValueError(f"{value!r:.40} is no count")
    return value


def number(value: Any) -> float:
    """A number; NaN and infinities are some."""
    if type(value) not in (int, float):
        raise ValueError(f"{value!r:.40} is no number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("an integer that no float holds") from None


def finite(value: Any) -> float:
    """A number that is finite."""
    if not math.isfinite(number(value)):
        raise ValueError(f"{value!r:.40} is not finite")
    return float(value)


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.40} is no object")
    return value


def sequence(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r:.40} is no list")
    return value
