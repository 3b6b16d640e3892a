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
import secrets
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ConfigError, DataError
from ..files import LARGEST_TEXT_BYTES, open_file, read_bytes, write_atomic
from ..log import logger, to_file
from ..proto import text, upgrade
from ..proto.schema import NetParameter, SolverParameter
from ..solvers import snapshot

JOB_FORMAT = 1
# What others read of job.json, and the types it must have.
JOB: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("folder", "solver", "net", "type", "started"), (str,)),
    **dict.fromkeys(("max_iter", "seed"), (int,)),
    **dict.fromkeys(("net_folder", "snapshot"), (str, type(None))),
    "command": (list,),
}
LOCK_TRIES = 10
PACKAGES = ("numpy", "numba", "protobuf", "scipy")


class Home:
    """The folder of a run, by its path; nothing is read or made before it is asked for."""

    def __init__(self, folder: str | os.PathLike) -> None:
        self._locate(Path(folder))
        self._lock: Any = None
        self._interrupted = False
        self._net_folder = ""  # of the file that a new run's net came from
        self._made: list[Path] = []  # for a run that has not come to be yet

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
        """Whether there is a run: its job.json is what makes a folder one."""
        try:
            return self.job.is_file()
        except OSError:
            return False

    def found(self, param: SolverParameter, source: str) -> SolverParameter:
        """Make the folder for a new run: its nets and its solver, with a seed if it has none; returns the
        solver to run.  Until `write_job`, `abandon` takes all of it back.

        Raises ConfigError if there is a run already, or files of somebody else; DataError if the folder
        cannot be written; and what is wrong with the solver's nets.
        """
        from ..solvers import nets  # and with them the engine, which whoever only looks does without

        if self.exists:
            raise ConfigError(
                f"{self.folder} holds a run", hint="--resume auto goes on with it; or name another folder"
            )
        with text.in_file(source):
            _, net_file = nets.training(param, source)
            nets.testing(param, source)
        self._net_folder = str(Path(net_file).parent)
        moved = SolverParameter()
        moved.CopyFrom(param)
        if moved.random_seed < 0:
            moved.random_seed = secrets.randbits(32)
        files = self._move_nets(moved, source)
        for i, weights in enumerate(param.weights):
            moved.weights[i] = ",".join(nets.find(path.strip(), source) for path in weights.split(","))
        stem = Path(param.snapshot_prefix).name or Path(source).stem or "run"
        moved.snapshot_prefix = f"{self.snapshots.name}/{stem}"
        contents = {name: text.spell(net) for name, net in files.items()}
        contents[self.solver.name] = text.spell(moved)
        there = [name for name in contents if (self.folder / name).exists()]
        if there and not self._interrupted:
            raise ConfigError(
                f"{self.folder} holds {there[0]}, which is not of a run", hint="name a folder of its own"
            )
        with self._written():
            if not self.snapshots.exists():
                self.snapshots.mkdir(parents=True)
                self._made.append(self.snapshots)
            for name, content in contents.items():
                write_atomic(self.folder / name, content.encode())
                self._made.append(self.folder / name)
        return self.read_solver()

    @property
    def net_folder(self) -> str | None:
        """The folder of the file that the run's net is a copy of, from the working folder in which the run
        began: modules of Python layers lie there."""
        return self._net_folder or self.read_job().get("net_folder")  # earlier versions record none

    def abandon(self) -> None:
        """Take back what was made for a run that did not come to be."""
        for path in reversed(self._made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        self._made.clear()

    @contextmanager
    def _written(self) -> Iterator[None]:
        """DataErrors in the place of the system's."""
        try:
            yield
        except OSError as error:
            what = error.filename or self.folder
            raise DataError(f"--run {self.folder}: cannot write {what}: {error.strerror or error}") from None

    def _move_nets(self, param: SolverParameter, source: str) -> dict[str, NetParameter]:
        """Let the solver name its nets by files of the folder; returns them by name."""
        from ..solvers import nets

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

    def write_job(self, command: Sequence[str], source: str, solver: Any, state: str | None = None) -> None:
        """Record what was asked of whom, and the solver state it began from; from then on the folder holds a
        run."""
        machine = {"name": platform.node(), "system": platform.platform(), **solver.device.describe()}
        versions = {"minicaffe": __version__, "python": platform.python_version()}
        job = {
            "format": JOB_FORMAT,
            "command": list(command),
            "folder": str(Path.cwd()),
            "solver": source,
            "net_folder": self._net_folder,
            "snapshot": state and os.path.abspath(state),
            "net": solver.net.name,
            "type": solver.rule.type,
            "max_iter": solver.param.max_iter,
            "seed": solver.seed,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "versions": versions | {name: metadata.version(name) for name in PACKAGES},
            "machine": machine,
        }
        self._write_job(job)
        self._made.clear()

    def _write_job(self, job: dict[str, Any]) -> None:
        with self._written():
            write_atomic(self.job, (json.dumps(job, indent=1) + "\n").encode())

    def extend(self, iterations: int) -> None:
        """Let the run go to another iteration, from now on."""
        param = text.read(self.solver, SolverParameter)
        param.max_iter = iterations
        with self._written():
            write_atomic(self.solver, text.spell(param).encode())
        self._write_job({**self.read_job(), "max_iter": iterations})

    def read_job(self) -> dict[str, Any]:
        """What `write_job` recorded; DataError if it is damaged."""
        content = read_bytes(self.job, LARGEST_TEXT_BYTES)
        try:
            job = json.loads(content)
            fits = job["format"] == JOB_FORMAT and all(
                type(job.get(name)) in kinds and "\0" not in str(job.get(name)) for name, kinds in JOB.items()
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            fits = False
        if not fits:
            raise DataError(f"{self.job}: not the record of a run that this version reads")
        return job

    def newest_snapshot(self) -> Path | None:
        return snapshot.newest(self.read_solver().snapshot_prefix)

    def newest_weights(self, *, averaged: bool = True) -> Path | None:
        """The weights of the newest snapshot, or their average, where the solver keeps one, which is what its
        tests judge; None if there is no snapshot."""
        state = self.newest_snapshot()
        if state is None:
            return None
        stem, _, ending = state.name.partition(".solverstate")
        paths = [state.with_name(f"{stem}{kind}.caffemodel{ending}") for kind in ("_ema" * averaged, "")]
        return next((path for path in paths if path.exists()), None)

    # -- the lock

    @contextmanager
    def logged(self) -> Iterator[None]:
        """Inside, the log goes to log.txt too."""
        with self._written():
            handler = to_file(self.log)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            handler.close()

    def hold(self) -> None:
        """Take the lock for the life of this process, in a folder that is made if need be.

        Only the lock itself counts: a file left behind by a process that died locks nothing.  Raises
        ConfigError if a process holds it, DataError if the folder cannot be written, and as `refuse_links`.
        """
        try:
            str(self.folder).encode()
        except UnicodeEncodeError:
            raise ConfigError(f"--run {str(self.folder)!a}: the name is not UTF-8") from None
        if "\0" in str(self.folder):
            raise ConfigError(f"--run {str(self.folder)!a}: a name cannot hold a NUL")
        with self._written():
            if not self.folder.exists():
                self.folder.mkdir(parents=True)
                self._made.append(self.folder)
            lock = self.folder / "lock"
            self.refuse_links()
            self._interrupted = lock.exists()  # a run that began here and did not get far
            handle = open(lock, "a+")
            if not self._interrupted:
                self._made.append(lock)
            if not self.log.exists():
                self._made.append(self.log)
        for _ in range(LOCK_TRIES):
            if locked := lock_file(handle):
                break
            time.sleep(0.02)  # somebody may only be looking whether it is held
        if not locked:
            handle.seek(0)
            holder = handle.read().strip()
            handle.close()
            raise ConfigError(
                f"{self.folder}: process {holder or 'unknown'} runs here",
                hint=f"minicaffe run {shlex.quote(str(self.folder))} stop",
            )
        with self._written():
            handle.truncate(0)
            handle.write(f"{os.getpid()}\n")
            handle.flush()
        self._lock = handle

    def refuse_links(self) -> None:
        """DataError if what a run appends to is no file of its folder, but a link, which would lead out of
        it, or a pipe."""
        for path in (self.folder / "lock", self.log, self.metrics, self.events, self.control):
            if (path.is_symlink() and not path.is_char_device()) or path.is_fifo():
                raise DataError(f"{path} is no file of the run, but a link or a pipe", hint="remove it")

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def running(self) -> bool:
        """Whether a process holds the lock."""
        try:
            with open_file(self.folder / "lock") as handle:
                return not lock_file(handle, shared=True)
        except DataError:
            return False


def lock_file(handle: Any, *, shared: bool = False) -> bool:
    """Lock an open file against other processes, until it is closed; whether that worked.  Those who only
    look share it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(1 << 30)  # where nobody reads
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
