"""Building with g++; each result is kept under a digest of all that went into it."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent

COMMON = ["-std=c++17", "-fPIC", "-fvisibility=hidden", f"-I{HERE}"]
RUNTIME = [*COMMON, "-O2", "-Wall", "-Wextra", "-c"]
# Kernels trap where a GPU would be wrong without a word, and an uninitialised variable is never 0 by luck.
# Products and sums are not contracted, so that results are the same on every processor.
KERNELS = [
    *COMMON,
    *("-O1", "-gdwarf-4", "-g1", "-shared"),
    *("-Werror=uninitialized", "-Werror=maybe-uninitialized", "-Werror=return-type"),
    *("-ffp-contract=off", "-fno-strict-aliasing", "-ftrivial-auto-var-init=pattern"),
    *("-fsanitize=bounds,alignment", "-fsanitize-undefined-trap-on-error"),
]
# The compiler's calls for a race detector, which runtime/races.cpp answers in place of its library: so that
# library is not linked, and the others must be named.
WATCHED = [
    *("-fsanitize=thread", "-O1", "-fno-sanitize=bounds,alignment"),
    *("-nodefaultlibs", "-Wl,--no-as-needed", "-lstdc++", "-lm", "-lc", "-lgcc_s", "-lgcc"),
]


# What every translation unit of kernels begins with, which takes as long to read as kernels to compile.
HEADERS = '#include "cuda/emulator.h"\n#include "runtime/launch.h"\n'


class BuildError(Exception):
    """g++ refused the source; the message is what it said."""


def library(code: str, races: bool = False) -> Path:
    """The shared library of a translation unit of kernels, with the runtime in it; `races`: every access is
    noted, and looked at in launches that ask for it."""
    flags = [*KERNELS, *(WATCHED if races else ())]
    return build(code, [*flags, "-include", str(headers(tuple(flags)))], runtime(), ".so")


@functools.cache
def headers(flags: tuple[str, ...]) -> Path:
    """HEADERS as a file, beside which they lie compiled for these flags; g++ takes whichever it can."""
    path = build(HEADERS, [*flags, "-x", "c++-header"], (), ".h.gch").with_suffix("")
    if not path.exists():
        path.write_text(HEADERS)
    return path


@functools.cache
def runtime() -> tuple[Path, ...]:
    """The runtime's object files, the same for all kernels."""
    sources = sorted((HERE / "runtime").glob("*.cpp"))
    return tuple(build(f'#include "runtime/{path.name}"\n', RUNTIME, (), ".o") for path in sources)


def build(code: str, flags: list[str], objects: tuple[Path, ...], suffix: str) -> Path:
    """Run g++ unless this was built before.  Of processes that want the same thing at the same time one
    builds it, and the others wait."""
    total = hashlib.sha256("\0".join([fixed(), code, *flags, *map(str, objects)]).encode()).hexdigest()[:24]
    out = folder() / f"{total}{suffix}"
    if out.exists():
        return out
    with open(folder() / f"lock-{total[0]}", "w") as lock:  # a few files, that stay
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            _run(["g++", *flags], code, objects, out)
    return out


def _run(compiler: list[str], code: str, objects: tuple[Path, ...], out: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder()) as place:
        source, result = Path(place) / "kernels.cpp", Path(place) / out.name
        source.write_text(code)
        command = [*compiler, str(source), *map(str, objects), "-o", str(result)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BuildError(done.stderr)
        os.replace(result, out)


@functools.cache
def fixed() -> str:
    """What every digest covers: the compiler, and the emulator's own sources."""
    version = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True).stdout
    sources = sorted([*HERE.glob("*/*.h"), *HERE.glob("*/*.cpp")])
    return "\0".join([version, *(path.read_text() for path in sources)])


@functools.cache
def folder() -> Path:
    path = Path(tempfile.gettempdir()) / f"minicaffe-emulator-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path
