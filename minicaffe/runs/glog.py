"""The lines of a log in glog's form, as Caffe and `minicaffe.log` write them.

I1121 00:11:11.758443 30195 solver.cpp:239] message      glog before 0.6
I20261121 00:11:11.758443 30195 solver.cpp:239] message  glog since 0.6
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

PREFIX = re.compile(
    r"[IWEF](?P<year>\d{4})?(?P<month>\d\d)(?P<day>\d\d) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?:\.(?P<fraction>\d{1,6}))?\s+\d+ \S+:\d+\] "
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HALF_A_YEAR = timedelta(days=183)


class LogLine(NamedTuple):
    """A message, and the seconds since the first stamped line of the log; None before that and in lines that
    have no stamp."""

    message: str
    seconds: float | None


def lines(data: bytes) -> Iterator[LogLine]:
    """The lines of a log.  A last line without its end is being written and is left out; of a line that
    another thread broke into, the last message counts."""
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # what PowerShell's > writes
    text = COLOUR.sub("", data.decode("utf-16" if utf16 else "utf-8", "replace"))
    clock = Clock()
    for line in re.split(r"\r\n|\n|\r", text)[:-1]:
        stamps = list(PREFIX.finditer(line))
        if not stamps:
            yield LogLine(line, None)
            continue
        yield LogLine(line[stamps[-1].end() :], clock.seconds(stamps[-1]))


class Clock:
    """Turns stamps into seconds since the first of them.

    Stamps without a year are told apart by the month: one that lies more than half a year back is of the next
    year.  A clock that was set back counts as one that stood still.
    """

    def __init__(self) -> None:
        self._before: re.Match[str] | None = None
        self._elapsed = timedelta()

    def seconds(self, stamp: re.Match[str]) -> float | None:
        """None for a date that does not exist."""
        try:
            if self._before is not None:
                self._elapsed += max(_between(self._before, stamp), timedelta())
            else:
                _between(stamp, stamp)
        except ValueError:
            return None
        self._before = stamp
        return self._elapsed.total_seconds()


def _between(before: re.Match[str], after: re.Match[str]) -> timedelta:
    """The time from one stamp to the next.  ValueError for a date that does not exist."""
    if before["year"] and after["year"]:
        return _moment(after, int(after["year"])) - _moment(before, int(before["year"]))
    # The year is unknown; only whether it has a 29th of February matters.
    leap = any((stamp["month"], stamp["day"]) == ("02", "29") for stamp in (before, after))
    year = 2004 if leap else 2005
    passed = _moment(after, year) - _moment(before, year)
    if passed < -HALF_A_YEAR:
        passed = _moment(after, year) - _moment(before, year - 1)
    return passed


def _moment(stamp: re.Match[str], year: int) -> datetime:
    month, day, hour, minute, second = map(int, stamp.group("month", "day", "hour", "minute", "second"))
    micros = int((stamp["fraction"] or "").ljust(6, "0"))
    return datetime(year, month, day, hour, minute, second, micros)
