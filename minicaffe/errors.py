"""The exceptions of minicaffe, and how each learns where it happened.

A layer or reader states what was expected, what came and what to do; it never formats its own address.
Callers that know the place (a file, a line, a layer) add it with `in_layer` or `locate`, the innermost first.
Whoever catches the error reads the places from `error.places`; the message that users see is one line:

    prototxt/lenet/train_test.prototxt:41: layer 'pool1' (Pooling): bottom 0 must have 4 axes; got (64, 500);
    hint: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol, TypeVar

from .printable import printable

E = TypeVar("E", bound="MiniCaffeError")


class Named(Protocol):
    """What has the name and the type of a layer: its description in a net, or the layer itself."""

    name: str
    type: str


class Place(NamedTuple):
    """Where something happened: in a file, in a layer, or where a text says.  What is not known is left out.

    what    a part of the layer, or any other place: "blob 2", "mean_file mean.npy"
    layer   the name of the layer, None if the place is in no layer
    type    the type of the layer, None if only its name is known
    file    the path of the file, "" if the place is in no file
    line, column  in the file, from 1 on; 0 if not known

    str() writes it as users see it: "net.prototxt:41", "layer 'pool1' (Pooling)", "blob 2".
    """

    what: str = ""
    layer: str | None = None
    type: str | None = None
    file: str = ""
    line: int = 0
    column: int = 0

    @classmethod
    def of(cls, layer: Named, what: str = "") -> Place:
        """The place of a layer, or of a part of it."""
        return cls(what, layer.name, layer.type)

    def __str__(self) -> str:
        parts = []
        if self.file:
            parts.append(":".join(str(part) for part in (self.file, self.line, self.column) if part))
        if self.layer is not None:
            parts.append(f"layer {self.layer!r}" + (f" ({self.type})" if self.type is not None else ""))
        return ", ".join([*parts, self.what] if self.what else parts)


class MiniCaffeError(Exception):
    """Base of every error a user can cause.

    message  what was expected and what came
    hint     the remedy
    field    of the file's message, where one is to blame: momentum, keep_best.output
    places   where it happened, the outermost first
    """

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        self.places: list[Place] = []

    def __str__(self) -> str:
        text = ": ".join([*map(str, self.places), self.message])
        return printable(f"{text}; hint: {self.hint}" if self.hint else text)

    def within(self: E, place: Place | str) -> E:
        """The same error with one more place around those that it has; a text is a place as it stands."""
        self.places.insert(0, place if isinstance(place, Place) else Place(place))
        return self


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
    """Code that the user wrote, such as a Python layer, raised an exception, which is the cause of this
    error."""


class CaptureError(DeviceError):
    """The GPU could do this work, but cannot record it as a graph."""


def extra(name: str) -> str:
    """The command that installs an extra of pyproject.toml, for hints.  The name is in quotes because
    brackets are a pattern in zsh."""
    return f"pip install 'minicaffe[{name}]'"


@contextmanager
def locate(place: Place | str | Callable[[], Place | str]) -> Iterator[None]:
    """Around code that may raise: every MiniCaffeError that comes out of it gets `place` as its outermost
    place.

    `place` may be a function that returns the place; it is called only if there is an error.
    """
    try:
        yield
    except MiniCaffeError as error:
        error.within(place() if callable(place) else place)
        raise


def in_layer(layer: Named, what: str = "") -> AbstractContextManager[None]:
    """Around code that works for one layer: `locate` with the layer's place, or that of a part of it
    ("parameter 0")."""
    return locate(Place.of(layer, what))


def suggest(name: str, known: Iterable[str]) -> str:
    """The hint for a name that is not among `known`: "did you mean ...?" with up to three of the closest
    names; if none is close, all known names, provided that they are at most 30; else ""."""
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
    """A name in lower case, without underscores and dashes: names that differ in these alone are equal
    then."""
    return name.lower().replace("_", "").replace("-", "")


def slips(length: int) -> int:
    """How many typing errors a word of `length` letters may contain and still be taken for a known word."""
    return 0 if length < 3 else 1 if length < 6 else 2 if length < 12 else 3


def distance(a: str, b: str, limit: int) -> int | None:
    """How many typing errors turn word `a` into word `b`, or None if there are more than `limit`.

    One error is a letter too many, a letter too few, a wrong letter, or two neighbours in the wrong order.
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
