"""Running the command line, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from minicaffe.cli.main import main

ROOT = Path(__file__).parent.parent.parent
PROTOTXT = ROOT / "prototxt"


class Result(NamedTuple):
    status: int
    out: str
    err: str


def run(capsys, *arguments: object) -> Result:
    """minicaffe ARGUMENTS in this process."""
    status = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return Result(status, captured.out, without_compiling(captured.err))


def without_compiling(log: str) -> str:
    """A log without the lines that say what is compiled: they depend on what ran on the machine before."""
    return "".join(line for line in log.splitlines(keepends=True) if " compiler.py:" not in line)


def start(*arguments: object, cwd: Path, **options) -> subprocess.Popen:
    """minicaffe ARGUMENTS in a process of its own, from this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "minicaffe", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process: subprocess.Popen, timeout_s: float = 120) -> Result:
    out, err = process.communicate(timeout=timeout_s)
    return Result(process.returncode, out, without_compiling(err))
