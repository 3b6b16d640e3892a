"""The exceptions of minicaffe, and how each learns where it happened.

A layer or reader states what was expected, what came and what to do; it never formats its own address.
Callers that know the place (a file, a line, a layer) add it with `locate`, outermost last, and the message
becomes one line:

    prototxt/lenet/train_test.prototxt:41: layer 'pool1' (Pooling): bottom 0 must have 4 axes; got (64, 500);
    hint: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from .printable import printable


class MiniCaffeError(Exception):
    """Base of every error a user can cause: `message` (expected and got), `hint` (the remedy), `field` (of
    the file's message, where one is to blame: momentum, keep_best.output), `places` (outer first)."""

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        self.places: list[str] = []

    def __str__(self) -> str:
        text = ": ".join([*self.places, self.message])
        return printable(f"{text}; hint: {self.hint}" if self.hint else text)


class SchemaError(MiniCaffeError, ValueError):
    """A prototxt or binary file does not follow the schema."""


class ConfigError(MiniCaffeError, ValueError):
    """Fields that are well formed but cannot be combined or are out of range."""


class ShapeError(MiniCaffeError, ValueError):
    """Blobs whose shapes do not fit."""


class UnknownTypeError(MiniCaffeError, KeyError):
    """A name that no table knows: a layer type, a solver type, a data set."""


class DataError(MiniCaffeError, ValueError):
    """Input data that is missing, damaged or out of range."""


class WeightsError(MiniCaffeError, ValueError):
    """A weight file or solver state that does not fit the net, or cannot be read or written."""


class NonFiniteError(MiniCaffeError, ArithmeticError):
    """A loss or gradient that is NaN or infinite."""


class DeviceError(MiniCaffeError, RuntimeError):
    """A device that is missing or cannot do what was asked."""


class UserCodeError(MiniCaffeError, RuntimeError):
    """What the code of a user raised, say that of a Python layer; the exception itself is the cause."""


class CaptureError(DeviceError):
    """Work that a GPU does, but that cannot be recorded as a graph."""


def extra(name: str) -> str:
    """The command that brings the packages of an extra of pyproject.toml; quoted, since brackets are a
    pattern in zsh."""
    return f"pip install 'minicaffe[{name}]'"


@contextmanager
def locate(place: str | Callable[[], str]) -> Iterator[None]:
    """Add `place` to every MiniCaffeError that passes through; a callable is asked only then."""
    try:
        yield
    except MiniCaffeError as error:
        error.places.insert(0, place if isinstance(place, str) else place())
        raise


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known names closest to `name`, or lists them all if none is close and they are
    few."""
    known = sorted(known)
    close = [k for k in known if fold(k) == fold(name)]
    if not close:
        limit = slips(len(name))
        apart = {k: d for k in known if (d := distance(name, k, limit)) is not None}
        close = [k for k, d in apart.items() if d == min(apart.values())]
    if not close and len(name) >= 3:  # an unfinished word
        close = [k for k in known if k.startswith(name)]
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close[:3]) + "?"
    return f"known: {', '.join(known)}" if 0 < len(known) <= 30 else ""


def fold(name: str) -> str:
    """A name without what people mistake first: capitals, underscores and dashes."""
    return name.lower().replace("_", "").replace("-", "")


def slips(length: int) -> int:
    """How many slips a word of so many letters may hold and still be meant."""
    return 0 if length < 3 else 1 if length < 6 else 2 if length < 12 else 3


def distance(a: str, b: str, limit: int) -> int | None:
    """The slips between two words (letters left out, put in, exchanged, or two swapped), None above `limit`.

    Source: the optimal string alignment distance.
    """
    if abs(len(a) - len(b)) > limit or max(len(a), len(b)) > 200:
        return None
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        last, before, row = before, row, [i + 1]
        for j, y in enumerate(b):
            row.append(min(before[j + 1] + 1, row[j] + 1, before[j] + (x != y)))
            if i and j and x == b[j - 1] and y == a[i - 1]:
                row[-1] = min(row[-1], last[j - 1] + 1)
    return row[-1] if row[-1] <= limit else None
