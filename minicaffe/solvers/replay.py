"""Replaying a dump: the iteration that went wrong once more, exactly."""

from __future__ import annotations

import json
import os.path
from pathlib import Path
from typing import Any, NamedTuple

from ..device.cpu import CpuDevice
from ..errors import WeightsError
from ..files import LARGEST_TEXT_BYTES, read_bytes
from . import nonfinite
from .nonfinite import NonFiniteBlob
from .solver import Solver

DTYPES = ("float32", "float64")  # that a net runs in


class Replay(NamedTuple):
    """What was found again.  exact: the same place and the same bits as when the dump was written."""

    finding: NonFiniteBlob | None
    loss: float
    recorded: dict[str, Any]
    exact: bool


def recorded(folder: str | Path) -> dict[str, Any]:
    """The report of a dump.  WeightsError if the folder is none."""
    path = Path(folder) / "report.json"
    if not os.path.isfile(path):
        raise WeightsError(f"{folder} is no dump: it has no report.json")
    content = read_bytes(path, LARGEST_TEXT_BYTES)
    try:
        report = json.loads(content)
        finding, net_folder = report["finding"], report.get("net_folder")
        texts = [report["loss"], report["folder"], "" if net_folder is None else net_folder]
        fits = all(isinstance(text, str) and "\0" not in text for text in texts) and bool(report["folder"])
        fits = fits and report.get("dtype", "float32") in DTYPES
        if finding is not None:
            fits = fits and isinstance(finding, dict) and {*NonFiniteBlob.PLACE, "sha256"} <= set(finding)
    except (ValueError, KeyError, TypeError, RecursionError):
        fits = False
    if not fits:
        raise WeightsError(f"{path} is damaged")
    return report


def replay(folder: str | Path, **options) -> Replay:
    """Run the iteration of a dump, in the working folder in which its data is found; options as for
    Solver.create, the device by default the CPU in the run's precision.  Raises WeightsError for a folder
    that is no dump."""
    report = recorded(folder)
    options.setdefault("device", CpuDevice(report.get("dtype", "float32")))
    options.setdefault("folder", report.get("net_folder"))
    solver = Solver.create(Path(folder) / "solver.prototxt", **options)
    states = list(Path(folder).glob(f"{nonfinite.STATE}_iter_*.solverstate"))
    if len(states) != 1:
        raise WeightsError(f"{folder} holds {len(states)} solver states; a dump has one")
    solver.restore(states[0])
    finding, loss = nonfinite.search(solver, solver.net.position)
    was = report["finding"]
    same_place = was is None if finding is None else was is not None and finding.place == _place(was)
    same_bits = finding is None or was is None or finding.sha256 == was["sha256"]
    return Replay(finding, loss, report, same_place and same_bits and repr(loss) == report["loss"])


def _place(finding: dict[str, Any]) -> tuple:
    return tuple(finding[name] for name in NonFiniteBlob.PLACE)
