"""Measurements in processes of their own: what crashes, hangs or spoils a GPU's context costs no other."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from .setting import Setting
from .tables import Result, in_a_line

ROOT = Path(__file__).resolve().parent.parent.parent
SPOILED = 75  # status of a process that ends so that another one goes on
Unit = tuple[str, str]  # section, and what of it


def measure_all(
    units: Sequence[Unit],
    command: Sequence[str],
    record: Callable[[Unit, Result], object],
    limit_s: float,
) -> None:
    """Let a process that runs `command` and is told of the units on its standard input measure them.  When it
    crashes, or is silent for limit_s, that is the result of the unit it was at, and another process goes on
    behind it."""
    left = list(units)
    while left:
        done, failure = _listen(command, left, record, limit_s)
        left = left[done:]
        if left and (failure or not done):
            record(left.pop(0), {"error": failure or "the process ended without a result"})


def _listen(
    command: Sequence[str], units: Sequence[Unit], record: Callable, limit_s: float
) -> tuple[int, str]:
    """How many units a process got through, and what made it end before its time, if it did not say so."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    late = threading.Event()

    def give_up() -> None:
        late.set()
        process.kill()

    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(units))
            process.stdin.close()
        for done in range(len(units) + 1):
            timer = threading.Timer(limit_s, give_up)
            timer.start()
            line = process.stdout.readline()
            timer.cancel()
            if not line.endswith("\n"):
                break
            record(units[done], json.loads(line))
        status = process.wait()
    finally:
        process.kill()
        process.stdout.close()
    if late.is_set():
        return done, f"no result after {limit_s:g} s"
    return done, "" if status in (0, SPOILED) else f"the process ended with status {status}"


def work(units: Sequence[Unit], setting: Setting, sections: dict[str, Any], out: TextIO) -> int:
    """The other end: a line of JSON for every unit.  Returns the status to end with: SPOILED if the GPU did
    not recover from an error."""
    for section, unit in units:
        print(f"{section}: {unit}", file=sys.stderr, flush=True)
        try:
            result = sections[section].run(unit, setting)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            result = {"error": in_a_line(error)}
        print(json.dumps(result), file=out, flush=True)
        gc.collect()
        _free_memory()
        if "error" in str(result) and not _healthy(setting):
            return SPOILED
    return 0


def _healthy(setting: Setting) -> bool:
    """Whether the GPU still does what it is asked in this process."""
    try:
        device = setting.new_device()
        return not device.get(device.zeros((4,))).any()
    except Exception:
        return False


def _free_memory() -> None:
    """Give back what CuPy and PyTorch keep of the GPU's memory: neither sees what the other could use."""
    if hasattr(sys.modules.get("cupy"), "get_default_memory_pool"):
        sys.modules["cupy"].get_default_memory_pool().free_all_blocks()
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        with contextlib.suppress(RuntimeError):
            sys.modules["torch"].cuda.empty_cache()


def own_stdout() -> TextIO:
    """Standard output for results alone: what libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out
