"""A workspace: the folder that a studio works in.  Runs and data sets are the folders directly inside it, and
their names are their ids; requests name ids, never paths.

.studio/   what the studio itself keeps: its token, drafts, uploads
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import ConfigError, DataError
from ..runs.home import Home
from .answers import Busy, Missing

SCRATCH = ".studio"
ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
MOST_COPIES = 10_000


class Workspace:
    """The folder of a studio, and what of the file system the page may reach.

    folder   runs and data sets are made here
    scratch  what the studio keeps, for nobody else's eyes
    roots    the folders that files may be read from, `folder` among them
    allow_python_layers  whether nets may run code of their own
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        roots: Iterable[str | os.PathLike] = (),
        *,
        allow_python_layers: bool = False,
    ) -> None:
        self.folder = _folder(folder, make=True)
        self.roots = list(dict.fromkeys([self.folder, *map(_folder, roots)]))
        self.allow_python_layers = allow_python_layers
        self.scratch = self.folder / SCRATCH
        try:
            self.scratch.mkdir(mode=0o700, exist_ok=True)
            if self.scratch.is_symlink() or not self.scratch.is_dir():
                raise DataError(f"{self.scratch} is no folder of its own", hint="remove it")
            self.scratch.chmod(0o700)
        except OSError as error:
            raise DataError(f"cannot use {self.scratch}: {error.strerror or error}") from None

    # -- runs

    def runs(self) -> list[str]:
        """The ids of the runs, by name."""
        return [path.name for path in self._folders() if Home(path).exists]

    def run(self, id: str) -> Home:
        """A run; Missing if there is none of that id."""
        home = Home(self.place(id))
        if not home.exists:
            raise Missing(f"there is no run {id[:100]!r}", hint="GET /index.json lists them")
        return home

    def run_folder(self, id: str) -> Path:
        """The folder that a run has, or would have; Missing unless `id` can be one."""
        return self.place(id)

    def new_run_folder(self, name: str) -> Path:
        """A folder for a new run, which is not made yet: `name`, with a number behind it if that is taken."""
        return self._new(name)

    # -- data sets

    def datasets(self) -> list[str]:
        """The ids of the data sets that were made here, by name."""
        from ..data import facts  # the server starts before it is loaded

        return [path.name for path in self._folders() if facts.summary(str(path)) is not None]

    def dataset(self, id: str) -> Path:
        """The folder of a data set; Missing if there is none of that id."""
        path = self.place(id)
        if not path.is_dir() or Home(path).exists:
            raise Missing(f"there is no data set {id[:100]!r}", hint="GET /index.json lists them")
        return path

    def new_dataset_folder(self, name: str) -> Path:
        """A folder for a new data set, which is not made yet; named as for a run."""
        return self._new(name)

    # -- names and paths

    def place(self, id: str) -> Path:
        """The folder inside the workspace that an id names, whether or not it is there; Missing for what is
        no id, and for a link that leads out of the roots."""
        if not ID.fullmatch(id):
            raise Missing(f"{id[:100]!r} is no id", hint="an id has letters, digits, - _ and .")
        path = self.folder / id
        if path.is_symlink():
            self.inside(path)
        return path

    def inside(self, path: str | os.PathLike) -> Path:
        """A path with its links followed; Missing if it lies outside the roots, or in the studio's own
        folder, whether or not it is there."""
        try:
            whole = (self.folder / path).resolve()
        except (OSError, RuntimeError, ValueError):  # too long, a NUL, links in a circle
            raise Missing(f"{str(path)[:200]!r} is no path") from None
        if not any(whole.is_relative_to(root) for root in self.roots) or whole.is_relative_to(self.scratch):
            hint = f"inside are {', '.join(map(str, self.roots))}; --root DIR adds one"
            raise Missing(f"{str(path)[:200]!r} lies outside the folders that may be read", hint=hint)
        return whole

    def _folders(self) -> Iterator[Path]:
        for path in sorted(self.folder.iterdir()):
            if ID.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                yield path

    def _new(self, name: str) -> Path:
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip(".-")[:80] or "new"
        for number in range(1, MOST_COPIES):
            path = self.folder / (stem if number == 1 else f"{stem}-{number}")
            if not path.exists() and not path.is_symlink():
                return path
        raise Busy(f"all names like {stem!r} are taken", hint="choose another name")


def _folder(path: str | os.PathLike, *, make: bool = False) -> Path:
    """A folder with its links followed."""
    whole = Path(path)
    try:
        if make:
            whole.mkdir(parents=True, exist_ok=True)
        whole = whole.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"cannot use {path}: {getattr(error, 'strerror', None) or error}") from None
    if not whole.is_dir():
        raise ConfigError(f"{path} is no folder")
    return whole
