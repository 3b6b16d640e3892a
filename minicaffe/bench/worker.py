"""A contender in a process of its own: the side that asks.  The other is rivals/serve.py."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MiniCaffeError
from .turns import Ran

RIVALS = Path(__file__).parent / "rivals"
PROBE = (
    "import importlib.util as u, json, sys; print(json.dumps([bool(u.find_spec(n)) for n in sys.argv[1:]]))"
)
PROBE_S = 60


class RivalError(MiniCaffeError, RuntimeError):
    """A contender that cannot take part, or no longer."""


class Worker:
    """A rival's process, ready to make steps.

    name     of the contender
    rival    the file that it runs, see rivals/
    python   the interpreter
    job      what it is told
    folder   for the files of its process; exists as long as the worker

    version  what the rival says of itself
    outputs  its first outputs, by name; empty where it tells none
    times_layers  whether `layers` can be asked

    Raises RivalError, with the last thing the process said, if it does not start.
    """

    def __init__(self, name: str, rival: Path, python: str, job: Mapping[str, Any], folder: Path) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile(dir=folder)
        paths = [folder / f"{id(self)}{kind}" for kind in (".json", ".npz")]
        paths[0].write_text(json.dumps({**job, "answer": str(paths[1])}))
        command = [python, str(RIVALS / "serve.py"), str(rival), str(paths[0])]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
            )
        except OSError as error:
            raise RivalError(f"cannot run {python}: {error.strerror}") from None
        told = self._answer()
        self.version: str = told["version"]
        self.times_layers: bool = told["layers"]
        self.outputs: dict[str, np.ndarray] = {}
        if "outputs" in told:
            with np.load(paths[1]) as stored:
                self.outputs = {name: stored[key] for name, key in told["outputs"].items()}

    def run(self, wake: int, count: int) -> Ran:
        told = self._ask({"do": "steps", "wake": wake, "count": count})
        return Ran(told["seconds"], told["processor_s"])

    def layers(self, count: int) -> dict[str, dict[str, list[float]]]:
        """Seconds of every layer, forward and backward, by its name."""
        return self._ask({"do": "layers", "count": count})["layers"]

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                pass
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended: the answer says how
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            told = json.loads(line)
        except ValueError:
            self._process.wait()
            raise RivalError(
                f"its process ended with status {self._process.returncode}{self._last()}"
            ) from None
        if "error" in told:
            raise RivalError(told["error"])
        return told

    def _last(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def installed(python: str, modules: list[str]) -> dict[str, bool]:
    """Which modules an interpreter would find; RivalError if it is none."""
    try:
        found = subprocess.run(
            [python, "-c", PROBE, *modules], capture_output=True, text=True, timeout=PROBE_S, check=True
        )
        return dict(zip(modules, json.loads(found.stdout)))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise RivalError(
            f"--python {python}: it is no Python interpreter that runs: {reason}",
            hint=f"such as {sys.executable}",
        ) from None
