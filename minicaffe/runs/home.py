"""A run has a home: a folder with everything that belongs to it.

job.json         what was asked, versions, machine, seed
solver.prototxt  the solver as it runs, with the command line's say in it
net.prototxt     its net (test_net_K.prototxt for nets of their own for tests)
log.txt          the log; a resumed run goes on behind
metrics.jsonl    what was displayed and tested (metrics.py)
events.jsonl     starts, snapshots, commands and their acknowledgements, the end
control.jsonl    commands to the solver (control.py)
snapshots/
lock             held by the process that trains, as long as it lives
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ConfigError, DataError
from ..files import write_atomic
from ..proto import text, upgrade
from ..proto.schema import NetParameter, SolverParameter
from ..solvers import nets, snapshot

JOB_FORMAT = 1
LOCK_TRIES = 10
PACKAGES = ("numpy", "numba", "protobuf", "scipy")


class Home:
    """The folder of a run, by its path; nothing is read or made before it is asked for."""

    def __init__(self, folder: str | os.PathLike) -> None:
        self._locate(Path(folder))
        self._lock: Any = None

    def make_absolute(self) -> None:
        """Let the paths hold from any working folder."""
        self._locate(self.folder.absolute())

    def _locate(self, folder: Path) -> None:
        self.folder = folder
        self.job = self.folder / "job.json"
        self.solver = self.folder / "solver.prototxt"
        self.log = self.folder / "log.txt"
        self.metrics = self.folder / "metrics.jsonl"
        self.events = self.folder / "events.jsonl"
        self.control = self.folder / "control.jsonl"
        self.snapshots = self.folder / "snapshots"

    @property
    def exists(self) -> bool:
        return self.job.is_file()

    def found(self, param: SolverParameter, source: str) -> SolverParameter:
        """Make the folder for a new run: its nets and its solver; returns the solver to run.

        Raises ConfigError if there is a run already, DataError if the folder cannot be written.
        """
        if self.exists:
            raise ConfigError(
                f"{self.folder} holds a run", hint="--resume auto goes on with it; or name another folder"
            )
        moved = SolverParameter()
        moved.CopyFrom(param)
        files = self._move_nets(moved, source)
        for i, weights in enumerate(param.weights):
            moved.weights[i] = ",".join(nets.find(path.strip(), source) for path in weights.split(","))
        stem = Path(param.snapshot_prefix).name or Path(source).stem or "run"
        moved.snapshot_prefix = f"{self.snapshots.name}/{stem}"
        try:
            self.snapshots.mkdir(parents=True, exist_ok=True)
            for name, net in files.items():
                write_atomic(self.folder / name, text.spell(net).encode())
            write_atomic(self.solver, text.spell(moved).encode())
        except OSError as error:
            raise DataError(f"cannot write {error.filename}: {error.strerror}") from None
        return self.read_solver()

    def _move_nets(self, param: SolverParameter, source: str) -> dict[str, NetParameter]:
        """Let the solver name its nets by files of the folder; returns them by name."""
        files: dict[str, NetParameter] = {}

        def read(value: str | NetParameter) -> NetParameter:
            return value if isinstance(value, NetParameter) else upgrade.read_net(nets.find(value, source))

        for field, inline in (("net", "net_param"), ("train_net", "train_net_param")):
            for given in (field, inline):
                if param.HasField(given):
                    files["net.prototxt"] = read(getattr(param, given))
                    param.ClearField(given)
                    setattr(param, field, "net.prototxt")
        tests = [read(value) for value in (*param.test_net_param, *param.test_net)]
        for cleared in ("test_net_param", "test_net"):
            param.ClearField(cleared)
        for i, net in enumerate(tests):
            files[f"test_net_{i}.prototxt"] = net
            param.test_net.append(f"test_net_{i}.prototxt")
        return files

    def read_solver(self) -> SolverParameter:
        """The solver, with paths that hold from the working folder.  DataError if there is no run."""
        if not self.solver.is_file():
            raise DataError(
                f"{self.folder} holds no run", hint="minicaffe train SOLVER --run FOLDER begins one"
            )
        param = upgrade.read_solver(self.solver)
        for field in ("net", "train_net", "snapshot_prefix"):
            if param.HasField(field):
                setattr(param, field, str(self.folder / getattr(param, field)))
        for i, name in enumerate(param.test_net):
            param.test_net[i] = str(self.folder / name)
        return param

    def write_job(self, command: Sequence[str], source: str, solver: Any) -> None:
        """Record what was asked of whom; from then on the folder holds a run."""
        machine = {"name": platform.node(), "system": platform.platform(), **solver.device.describe()}
        versions = {"minicaffe": __version__, "python": platform.python_version()}
        job = {
            "format": JOB_FORMAT,
            "command": list(command),
            "folder": str(Path.cwd()),
            "solver": source,
            "net": solver.net.name,
            "type": solver.type,
            "max_iter": solver.param.max_iter,
            "seed": solver.seed,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "versions": versions | {name: metadata.version(name) for name in PACKAGES},
            "machine": machine,
        }
        write_atomic(self.job, (json.dumps(job, indent=1) + "\n").encode())

    def read_job(self) -> dict[str, Any]:
        """What `write_job` recorded; DataError if it is damaged."""
        try:
            job = json.loads(text.read_file(self.job))
            if job["format"] == JOB_FORMAT:
                return job
        except (ValueError, KeyError, TypeError):
            pass
        raise DataError(f"{self.job}: not the record of a run that this version reads")

    def newest_snapshot(self) -> Path | None:
        return snapshot.newest(self.read_solver().snapshot_prefix)

    # -- the lock

    def hold(self) -> None:
        """Take the lock for the life of this process; ConfigError if a process holds it.

        Only the lock itself counts: a file left behind by a process that died locks nothing.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = open(self.folder / "lock", "a+")
        for _ in range(LOCK_TRIES):
            if locked := _lock(handle):
                break
            time.sleep(0.02)  # somebody may only be looking whether it is held
        if not locked:
            handle.seek(0)
            holder = handle.read().strip()
            handle.close()
            raise ConfigError(
                f"{self.folder}: process {holder or 'unknown'} runs here",
                hint=f"minicaffe run {self.folder} stop",
            )
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        self._lock = handle

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def running(self) -> bool:
        """Whether a process holds the lock."""
        try:
            with open(self.folder / "lock", "r+") as handle:
                return not _lock(handle)
        except OSError:
            return False


def _lock(handle) -> bool:
    """Lock an open file against other processes, until it is closed; whether that worked."""
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(1 << 30)  # where nobody reads
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
