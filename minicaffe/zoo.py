"""The nets that come with the package: which there are, where their files lie, and copies of them.

They lie in prototxt/, a folder each: in a checkout beside the package, in an installed package inside it.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from .errors import ConfigError, DataError, UnknownTypeError, suggest
from .files import read_text, write_folder

PACKAGE = Path(__file__).parent
FOLDER = "prototxt"
# What a folder's name alone stands for, where a solver is wanted and where a net is: the first that is there.
DEFAULTS = {
    "solver": ("solver.prototxt", "all_in_one.prototxt"),
    "net": ("net.prototxt", "train_test.prototxt", "train_val.prototxt", "all_in_one.prototxt"),
}
ROW = re.compile(r"\| \[(\w+)\]\(\w+/README\.md\) \| (.*?) \| (.*?) \|")
ELSEWHERE = re.compile(r"(!?)\[([^\]]*)\]\(\.\./[^)]*\)")  # a link out of the folder


class Entry(NamedTuple):
    """A folder of nets: its name, what the net is, the data that it learns from."""

    name: str
    title: str
    data: str

    @property
    def files(self) -> list[Path]:
        """Its files, by name."""
        return sorted(path for path in (root() / self.name).iterdir() if path.suffix in (".prototxt", ".md"))


def root() -> Path:
    """The folder that holds the nets' folders; DataError if an installation lacks it."""
    for folder in (PACKAGE / FOLDER, PACKAGE.parent / FOLDER):
        if (folder / "README.md").is_file():
            return folder
    raise DataError(f"{PACKAGE} was installed without its nets", hint="install minicaffe again")


def holds(path: str | os.PathLike) -> bool:
    """Whether a file is one of the package's."""
    folders = [(folder / FOLDER).resolve() for folder in (PACKAGE, PACKAGE.parent)]
    return Path(path).resolve().parent.parent in folders


def entries() -> dict[str, Entry]:
    """Every folder, by name, as the table in the README of all of them has it."""
    rows = ROW.findall(read_text(root() / "README.md"))
    return {name: Entry(name, title, data) for name, title, data in rows}


def entry(name: str) -> Entry:
    """The folder called `name`; UnknownTypeError, with the closest names, if there is none."""
    known = entries()
    if name not in known:
        raise UnknownTypeError(f"no net {name!r} in the package", hint=suggest(name, known))
    return known[name]


def find(name: str, kind: str) -> str:
    """The path of the file that `name` stands for: itself, if there is such a file, or else one of the
    package's.

    name    a path; or, with or without .prototxt and `prototxt/` in front, a folder (lenet) or a file in it
            (lenet/solver_adam).  What is in the working folder wins over what is in the package.
    kind    of what a folder stands for: "solver" or "net"

    Raises DataError, with the closest names, for a word that stands for no file; another path is returned as
    it is, for its reader to complain.
    """
    if os.path.exists(name) and not os.path.isdir(name):
        return name
    if found := _in(Path(), name, kind):
        return found
    word = Path(name.removeprefix(f"{FOLDER}/"))
    if word.is_absolute() or not word.parts or {"..", "\0"} & {*word.parts, *name}:
        return name
    if found := _in(root(), str(word), kind):
        return found
    if word.suffix or os.path.isdir(name):
        return name
    known = entries()
    near = suggest(str(word), [*known, *_files(known)])
    hint = near if near.startswith("did you mean") else "minicaffe new lists the nets of the package"
    raise DataError(f"cannot read {name}: No such file or directory", hint=hint)


def _in(folder: Path, word: str, kind: str) -> str | None:
    """The file in `folder` that a word stands for."""
    for path in (Path(word), Path(f"{word}.prototxt"), *(Path(word, name) for name in DEFAULTS[kind])):
        if os.path.isfile(folder / path):
            return str(folder / path)
    return None


def _files(known: dict[str, Entry]) -> list[str]:
    """The prototxt files as words: lenet/solver_adam."""
    return [
        f"{entry.name}/{path.stem}"
        for entry in known.values()
        for path in entry.files
        if path.suffix == ".prototxt"
    ]


def write(name: str, folder: str | os.PathLike) -> list[str]:
    """Copy a folder of nets, all of it or nothing; returns the names of the files.

    Its README speaks of the files where they are now.  Raises UnknownTypeError as `entry`, ConfigError if
    `folder` is there already, DataError if it cannot be written.
    """
    chosen, target = entry(name), Path(folder)
    if os.path.lexists(target):
        raise ConfigError(f"{target} is there already", hint=f"minicaffe new {name} FOLDER names another")
    contents = {path.name: read_text(path) for path in chosen.files}
    for file, text in contents.items():
        if file.endswith(".md"):
            contents[file] = _moved(text, name, target)
    try:
        write_folder(target, {file: text.encode() for file, text in contents.items()})
    except OSError as error:
        hint = "" if target.absolute().parent.is_dir() else f"make {target.parent} first"
        raise DataError(f"cannot write {target}: {error.strerror or error}", hint=hint) from None
    return list(contents)


def _moved(readme: str, name: str, target: Path) -> str:
    """A README with the folder's files named from where they are copied to, and without links and pictures
    that lie outside of it."""
    readme = ELSEWHERE.sub(lambda found: "" if found[1] else found[2], readme)
    here = re.compile(rf"{FOLDER}/{name}/([\w./*-]*)")
    place = os.fsencode(target.as_posix()).decode("utf-8", "replace")  # what text can say of any name
    return here.sub(lambda found: shlex.quote(f"{place}/{found[1]}"), readme)
