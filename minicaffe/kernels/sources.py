"""What compiled code is made of: the source of its module, and of all that this imports from the package.

A digest of them tells whether code that was stored is still what would be compiled.  So an edit, or another
version of the package, has only those kernels compiled again that it may have changed.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = __package__.rpartition(".")[0]
COMPILED = ("kernels/", "philox.py")  # nothing else of the package is compiled
IMPORT = re.compile(r"^[ \t]*from (\.+)([\w.]*) import (\([^)]*\)|[^\n#]*)", re.MULTILINE)


def place(folder: Path, module: str) -> Path:
    """The folder, in this one, of what is compiled of a module's functions."""
    return folder / f"{module}-{digest(module)}"


@functools.cache
def digest(module: str) -> str:
    """Of the sources that the code of a module's functions comes from; of all kernels' for one that is none
    of the package's, since what that imports is not followed."""
    sources = Sources.ours()
    if not module.startswith(f"{PACKAGE}."):
        return sources.digest(sources.all())
    return sources.digest(sources.files_of(module.removeprefix(f"{PACKAGE}.").replace(".", "/")))


class Sources:
    """The sources below a folder, each by its path from there, and what they import of each other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digests: dict[str, str] = {}
        self._imports: dict[str, list[str]] = {}

    @classmethod
    @functools.cache
    def ours(cls) -> Sources:
        return cls(ROOT)

    def all(self) -> list[str]:
        found = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*.py"))
        return [file for file in found if file.startswith(COMPILED)]

    def digest(self, files: Iterable[str]) -> str:
        """Of these files and of all that they import."""
        total = hashlib.sha256()
        for file in sorted(self.closure(files)):
            total.update(f"{file} {self._digests[file]} ".encode())
        return total.hexdigest()[:16]

    def closure(self, files: Iterable[str]) -> set[str]:
        """These files, what they import, what that imports, and so on."""
        found: set[str] = set()
        waiting = list(files)
        while waiting:
            file = waiting.pop()
            if file not in found:
                found.add(file)
                waiting += self.imports(file)
        return found

    def imports(self, file: str) -> list[str]:
        """The files that a file imports, wherever in it, and that compiled code can come from."""
        if file not in self._imports:
            content = (self.root / file).read_bytes()
            self._digests[file] = hashlib.sha256(content).hexdigest()
            package = file.split("/")[:-1]
            self._imports[file] = [
                found
                for dots, name, names in IMPORT.findall(content.decode())
                for found in self._named([*package[: len(package) - len(dots) + 1], *name.split(".")], names)
            ]
        return self._imports[file]

    def _named(self, place: list[str], names: str) -> list[str]:
        """The files of what is imported of a module or a package, whose names may be modules."""
        place = [part for part in place if part]
        found = self.files_of("/".join(place))
        if not found or found[0].endswith("__init__.py"):
            for name in re.findall(r"\w+", names):
                found = [*found, *self.files_of("/".join([*place, name]))]
        return [file for file in found if file.startswith(COMPILED)]

    def files_of(self, module: str) -> list[str]:
        """The file of a module, kernels/softmax; none if there is no such module."""
        for file in (f"{module}.py", f"{module}/__init__.py"):
            if (self.root / file).is_file():
                return [file]
        return []
