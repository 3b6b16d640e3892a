"""Training logs of BVLC Caffe, NVIDIA Caffe and minicaffe.

    Solving LeNet
    Iteration 500, Testing net (#0)
    Test loss: 0.0931
        Test net output #0: accuracy = 0.9701
        Test net output #1: loss = 0.0931 (* 1 = 0.0931 loss)
    Iteration 500 (25.1 iter/s, 3.98s/100 iters), loss = 0.231
        Train net output #0: loss = 0.244 (* 1 = 0.244 loss)
    Iteration 500, lr = 0.00992565
    Control: pause at iteration 600      (minicaffe's; the time until resume is not training)

All other lines are passed over, with or without glog's prefix.  The rate in parentheses is not read: Caffe's
first one is garbage.

Differs from Caffe's tools/extra/parse_log.py: NaN and infinite values are values; the elements of an output
are told apart by their number; several test nets are told apart; a row ends where the next begins, however
many outputs it has; the smoothed loss is read too.

Source: BVLC Caffe 1.0, src/caffe/solver.cpp and tools/extra/parse_log.py.
"""

from __future__ import annotations

import math
import re

from .curves import Curves, History, Row
from .glog import lines

# C++ streams write nan, -nan and inf; Microsoft's 1.#QNAN, -1.#IND, 1.#INF and -nan(ind).
VALUE = r"[-+]?(?:\d\.#\w+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|nan(?:\(\w*\))?|inf(?:inity)?)"
ITERATION = r"\bIteration (?P<iteration>\d{1,15})"
LONGEST = 4096  # characters of a line: the patterns may take time that grows with their square
PAUSED = re.compile(r"Control: (?P<command>pause|resume|stop) at iteration \d")
MOST_LOST = 100  # lines of one output that may be missing between two
SOLVING = re.compile(r"Solving(?:\s|$)")
TESTING = re.compile(rf"{ITERATION}, Testing net \(#(?P<net>\d{{1,6}})\)")
DISPLAY = re.compile(rf"{ITERATION}(?: \(.*)?, loss = (?P<value>{VALUE})\s*$")
RATE = re.compile(rf"{ITERATION}, lr = (?P<value>{VALUE})(?:,.*)?\s*$")  # NVIDIA's goes on with the momentum
TEST_LOSS = re.compile(rf"\bTest loss: (?P<value>{VALUE})\s*$")
OUTPUT = re.compile(
    rf"\b(?P<phase>Train|Test) net output #(?P<index>\d{{1,6}}): (?P<name>.+?) = (?P<value>{VALUE})"
    rf"(?P<weighted> \(\* {VALUE} = {VALUE} loss\))?\s*$"
)


class LogReader:
    """Reads a log line by line into a History."""

    def __init__(self) -> None:
        self.history = History()
        self.losses: set[str] = set()
        self._train: _OpenRow | None = None
        self._test: _OpenRow | None = None
        self._spent = 0.0  # seconds, by the processes before this one
        self._begun: float | None = None  # when this process began, on the log's clock
        self._shown: float | None = None  # when its last row was written
        self._paused: float | None = None  # since when

    def read(self, data: bytes) -> None:
        for message, seconds in lines(data):
            if self._begun is None:
                self._begun = seconds
            self._take(message, seconds)

    def _take(self, message: str, seconds: float | None) -> None:
        if len(message) > LONGEST:
            return
        if SOLVING.match(message):
            self._begin(seconds)
        elif found := TESTING.search(message):
            self._test = self._open(int(found["net"]), int(found["iteration"]), seconds)
        elif found := DISPLAY.search(message):
            self._train = self._open(None, int(found["iteration"]), seconds)
            self._train.row.loss = number(found["value"])
        elif found := RATE.search(message):
            iteration = int(found["iteration"])
            if self._train is None or self._train.row.iteration != iteration:
                self._train = self._open(None, iteration, seconds)
            self._train.row.lr = number(found["value"])
        elif found := TEST_LOSS.search(message):
            if self._test is not None:  # else the log begins in the middle of a test
                self._test.row.loss = number(found["value"])
        elif found := PAUSED.match(message):
            self._pause(found["command"] == "pause", seconds)
        elif found := OUTPUT.search(message):
            row = self._train if found["phase"] == "Train" else self._test
            if row is not None:
                if row is self._test and not row.row.outputs:
                    row.row.seconds = self._time(seconds)  # it began before
                row.set(int(found["index"]), found["name"], number(found["value"]))
            if found["weighted"]:
                self.losses.add(found["name"])

    def _begin(self, seconds: float | None) -> None:
        """A process starts to train; the time since the last row of the one before is not training."""
        if self._shown is not None and self._begun is not None:
            self._spent += self._shown - self._begun
        self._begun, self._shown, self._paused = seconds, None, None
        self._train = self._test = None
        self.history.begin()

    def _pause(self, pauses: bool, seconds: float | None) -> None:
        if not pauses and self._paused is not None and seconds is not None:
            self._spent -= seconds - self._paused
        if not pauses or self._paused is None:
            self._paused = seconds if pauses else None

    def _open(self, net: int | None, iteration: int, seconds: float | None) -> _OpenRow:
        row = Row(iteration, self._time(seconds))
        self.history.add(net, row)
        return _OpenRow(row)

    def _time(self, seconds: float | None) -> float | None:
        """The seconds of training at a row that is written at `seconds` of the log."""
        if seconds is None or self._begun is None:
            return None
        self._shown = seconds
        return round(self._spent + seconds - self._begun, 6)


class _OpenRow:
    """A row whose outputs are being read."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.first: dict[str, int] = {}  # number of the first element of each output

    def set(self, index: int, name: str, value: float) -> None:
        elements = self.row.outputs.setdefault(name, [])
        position = max(0, index - self.first.setdefault(name, index))
        if position > len(elements) + MOST_LOST:  # a damaged number, not a place
            return
        elements.extend([math.nan] * (position + 1 - len(elements)))  # lines between were lost
        elements[position] = value


def read(data: bytes, name: str) -> Curves:
    """The curves in a log; empty if none of its lines is of the kind that is read."""
    reader = LogReader()
    reader.read(data)
    return reader.history.curves(name, reader.losses)


def number(text: str) -> float:
    """What a VALUE says."""
    if "#" in text:
        infinite = "#INF" in text.upper()
        return float(f"{'-' if text.startswith('-') else ''}inf") if infinite else math.nan
    return math.nan if "nan" in text.lower() else float(text)
