"""Which known name was meant by a name that the schema does not have, if any.

Only misspellings count.  Forks of Caffe have layers and fields of their own whose names resemble Caffe's
(ReLU6, pad_l, norm_param); suggesting Caffe's instead would change what the net computes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import distance, fold, slips
from . import v0, v1
from .layer_types import FORK_TYPES, LAYERS

LONGEST = 100  # letters of a name that can be a slip of the pen

# How earlier schemas spelled them: SOFTMAX_LOSS, conv.
_EARLIER = {
    fold(name): v1.TYPES[value.number]
    for name, value in v1.LAYER_TYPES.items()
    if v1.TYPES[value.number] in LAYERS
}
_EARLIER |= {fold(name): v1.TYPES[v1.LAYER_TYPES[new].number] for name, new in v0.TYPES.items()}


def layer_type(name: str) -> str:
    """The hint for a layer type that does not exist."""
    if forks := FORK_TYPES.get(name):
        return f"it is a layer of forks of Caffe ({', '.join(forks.split()[:4])}) that is not built in"
    if len(name) > LONGEST:
        return OF_A_FORK
    guess = _EARLIER.get(fold(name)) or _one(types(name, LAYERS))
    if guess:
        return f"did you mean {guess!r}?"
    return OF_A_FORK if name else 'every layer has a type, such as type: "Convolution"'


OF_A_FORK = (
    "neither Caffe 1.0 nor a fork known here has such a layer: it is of another fork,"
    ' or a layer of your own (type: "Python")'
)


def types(name: str, known: Iterable[str]) -> list[str]:
    """The known types that `name` may be a misspelling of.  Names with a prefix or suffix, such as ReLU6 and
    NdPooling, are no misspellings."""

    def says_more(other: str) -> bool:
        a, b = sorted((name.lower(), other.lower()), key=len)
        return a != b and a + "s" != b and (b.startswith(a) or b.endswith(a))

    return [other for other in known if _is_slip(name, other) and not says_more(other)]


def fields(name: str, known: Iterable[str]) -> list[str]:
    """The known fields that `name` may be a misspelling of.  Names are compared word by word; each word must
    match."""
    if len(name) > LONGEST:
        return []
    words = name.lower().split("_")

    def is_near(other: str) -> bool:
        theirs = other.split("_")
        return fold(other) == fold(name) or (
            len(words) == len(theirs) and all(_is_word(a, b) for a, b in zip(words, theirs))
        )

    return [other for other in known if is_near(other)]


def _is_word(a: str, b: str) -> bool:
    """Whether two words in names of fields mean the same: one is a misspelling or a short form of the other
    (iter, iterations)."""
    short = min(len(a), len(b))
    return _is_slip(a, b) or (short >= 3 and not a[short:].isdigit() and (a.startswith(b) or b.startswith(a)))


def _is_slip(a: str, b: str) -> bool:
    if fold(a) == fold(b):
        return True
    same_digits = re.findall(r"\d+", a) == re.findall(r"\d+", b)
    a, b = a.lower(), b.lower()
    return a[:1] == b[:1] and same_digits and distance(a, b, slips(min(len(a), len(b)))) is not None


def _one(names: list[str]) -> str:
    return sorted(names)[0] if names else ""
