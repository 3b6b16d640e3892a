"""The nets that come with the package: their names, the paths of their files, and copies of them.

They lie in the folder prototxt/, which has one folder per net.  In a checkout it is beside the package, in an
installation inside it.
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
    "net": (
        "net.prototxt",
        "train_test.prototxt",
        "train_val.prototxt",
        "all_in_one.prototxt",
        "deploy.prototxt",
    ),
}
ROW = re.compile(r"\| \[(\w+)\]\(\w+/README\.md\) \| (.*?) \| (.*?) \|")
ELSEWHERE = re.compile(r"(!?)\[([^\]]*)\]\(\.\./[^)]*\)")  # a link out of the folder


class Entry(NamedTuple):
    """One folder of prototxt/: its name, what the net is, and the data set that it is trained on."""

    name: str
    title: str
    data: str

    @property
    def files(self) -> list[Path]:
        """Its files, by name."""
        return sorted(path for path in (root() / self.name).iterdir() if path.suffix in (".prototxt", ".md"))


def root() -> Path:
    """The path of prototxt/; DataError if the installation does not have it."""
    for folder in (PACKAGE / FOLDER, PACKAGE.parent / FOLDER):
        if (folder / "README.md").is_file():
            return folder
    raise DataError(f"{PACKAGE} was installed without its nets", hint="install minicaffe again")


def holds(path: str | os.PathLike) -> bool:
    """Whether a path lies in the package's prototxt/."""
    folders = [(folder / FOLDER).resolve() for folder in (PACKAGE, PACKAGE.parent)]
    return Path(path).resolve().parent.parent in folders


def entries() -> dict[str, Entry]:
    """All entries by name, read from the table in prototxt/README.md."""
    rows = ROW.findall(read_text(root() / "README.md"))
    return {name: Entry(name, title, data) for name, title, data in rows}


def entry(name: str) -> Entry:
    """The entry called `name`; UnknownTypeError, with the closest names as a hint, if there is none."""
    known = entries()
    if name not in known:
        raise UnknownTypeError(f"no net {name!r} in the package", hint=suggest(name, known))
    return known[name]


def find(name: str, kind: str) -> str:
    """The path of the prototxt file that a user means by `name`.

    name    a path; or the name of a folder (lenet) or of a file in it (lenet/solver_adam), with or without
            `prototxt/` in front and .prototxt behind.  It is looked for in the working folder first, then
            in the package
    kind    "solver" or "net": which file is meant if `name` is a folder

    Raises DataError, with the closest names, if a name stands for no file.  A path that does not exist is
    returned unchanged: whoever reads it reports that.
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
    """The file that a name means inside `folder`."""
    for path in (Path(word), Path(f"{word}.prototxt"), *(Path(word, name) for name in DEFAULTS[kind])):
        if os.path.isfile(folder / path):
            return str(folder / path)
    return None


def _files(known: dict[str, Entry]) -> list[str]:
    """The names of all prototxt files, as `find` takes them: lenet/solver_adam."""
    return [
        f"{entry.name}/{path.stem}"
        for entry in known.values()
        for path in entry.files
        if path.suffix == ".prototxt"
    ]


def write(name: str, folder: str | os.PathLike) -> list[str]:
    """Copy the folder of a net to the new folder `folder`, completely or not at all; returns the names of the
    files.

    The commands in its README name the files at their new place.  Raises UnknownTypeError as `entry`,
    ConfigError if `folder` exists, DataError if it cannot be written.
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
    """The text of a README with the paths of the folder's files changed to those of the copy in `target`, and
    without links and pictures that lead out of the folder."""
    readme = ELSEWHERE.sub(lambda found: "" if found[1] else found[2], readme)
    here = re.compile(rf"{FOLDER}/{name}/([\w./*-]*)")
    place = os.fsencode(target.as_posix()).decode("utf-8", "replace")  # what text can say of any name
    return here.sub(lambda found: shlex.quote(f"{place}/{found[1]}"), readme)
