"""Ranges that select some samples of a source: `mnist/train[:45002]`, `mnist/train[75%:]`."""

from __future__ import annotations

import re

from ..errors import DataError

_RANGE = re.compile(r"(?P<source>.+)\[(?P<first>[^:\[\]]*):(?P<end>[^:\[\]]*)\]", re.DOTALL)
_BOUND = re.compile(r"[0-9]{1,18}%?")


def without(source: str) -> str:
    """The source without its range."""
    return parts(source)[0]


def parts(source: str) -> tuple[str, str, str]:
    """A source without its range, and the first and last bound of the range as texts, "" if left out."""
    match = _RANGE.fullmatch(source)
    return (match["source"], match["first"].strip(), match["end"].strip()) if match else (source, "", "")


def rows(source: str, count: int) -> range:
    """The numbers of the samples that the range of a source selects out of `count`; all if it has no range.

    A bound is a number of samples or a percentage, which is rounded down; as in Python the range ends before
    the second bound.  Raises DataError for a bound that is neither or lies beyond the samples, and for an
    empty range.
    """
    name, first, end = parts(source)
    if name == source:
        return range(count)
    chosen = range(_bound(source, first or "0", count), _bound(source, end or "100%", count))
    if not chosen:
        raise DataError(
            f"{source}: the range takes none of the {count} samples: it begins at {chosen.start} and ends"
            f" before {chosen.stop}",
            hint="a range is [FIRST:END], counted from 0",
        )
    return chosen


def _bound(source: str, bound: str, count: int) -> int:
    if not _BOUND.fullmatch(bound):
        raise DataError(
            f"{source}: a range is [FIRST:END], each a whole number or a percentage; got {bound!r}",
            hint=f"for example {without(source)}[:75%]",
        )
    number = int(bound.rstrip("%"))
    most = 100 if bound.endswith("%") else count
    if number > most:
        raise DataError(
            f"{source}: the range reaches beyond the {count} samples; got {bound}",
            hint=f"at most {most}{'%' if bound.endswith('%') else ''}",
        )
    return count * number // 100 if bound.endswith("%") else number
