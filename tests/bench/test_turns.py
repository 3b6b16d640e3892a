"""Contenders take turns fairly, and what disturbs them is said."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.bench import turns
from minicaffe.bench.turns import Block, Ran, Record, disturbed, take_turns
from minicaffe.errors import DataError


class Fake:
    """Steps of a fixed length, all of which are noted in `log`; it fails in block number `fails`."""

    def __init__(self, name, step_s, log, fails=None):
        self.name, self.step_s, self.log, self.fails = name, step_s, log, fails
        self.blocks = 0

    def run(self, wake, count):
        if self.blocks == self.fails:
            raise DataError("no more")
        self.blocks += 1
        self.log.append((self.name, wake, count))
        return Ran([self.step_s] * count, 0.0)


def test_every_turn_has_everybody_and_begins_with_another():
    log = []
    contenders = [Fake(name, 0.01, log) for name in "abc"]
    records = take_turns(contenders, 4, block_s=0.1, rest_s=0)
    assert "".join(name for name, *_ in log) == "abc" + "abc" + "bca" + "cab" + "abc"
    assert [record.name for record in records] == ["a", "b", "c"]
    assert all(len(record.blocks) == 4 for record in records)


@pytest.mark.parametrize(
    "step_s, wake, count",
    [(0.01, 4, 50), (0.0001, 400, 1000), (0.3, 1, 2), (3.0, 1, 1)],
    ids=["short", "very short", "long", "very long"],
)
def test_steps_fill_a_block(step_s, wake, count):
    log = []
    take_turns([Fake("a", step_s, log)], 1, block_s=0.5, rest_s=0)
    assert log == [("a", 2, 2), ("a", wake, count)]


def test_who_fails_is_told_and_stays_out():
    log, told = [], []
    contenders = [Fake("good", 0.1, log), Fake("bad", 0.1, log, fails=1)]
    good, bad = take_turns(contenders, 3, rest_s=0, told=told.append)
    assert len(good.blocks) == 3 and not good.error
    assert not bad.blocks and bad.error == "no more" and "bad: no more" in told
    assert told[-1] == "Turn 3 of 3"


def test_ratios_are_of_turns():
    """A machine that is half as fast in its second turn changes times, not ratios."""
    a = Record("a", [Block([1, 1, 9], 0.0, None), Block([2, 2], 0.0, None)])
    b = Record("b", [Block([3, 3, 3], 0.0, None), Block([6, 6], 0.0, None)])
    np.testing.assert_array_equal(b.ratios(a), [3, 3])
    np.testing.assert_array_equal(a.seconds, [1, 1, 9, 2, 2])


def test_a_busy_machine_is_told():
    quiet = Record("a", [Block([1], 0.0, 0.02), Block([1], 0.0, None)])
    assert disturbed([quiet]) == ""
    loud = Record("b", [Block([1], 0.0, 1.5), Block([1], 0.0, 0.5)])
    said = "Others used the machine in 2 of 3 blocks, 1.0 processors in the median, 1.5 at most"
    assert disturbed([quiet, loud]).startswith(said)


def test_the_load_of_others_is_what_is_not_ours(monkeypatch):
    busy = iter((100.0, 103.0))
    monkeypatch.setattr(turns, "busy_s", lambda: next(busy))
    clock = iter((0.0, 2.0))
    monkeypatch.setattr(turns.time, "perf_counter", lambda: next(clock))

    class Worker:
        name = "w"

        def run(self, wake, count):
            return Ran([1.0], 2.0)

    block = turns._block(Worker(), 1, 1)
    assert block.others == pytest.approx(0.5) and block.processor_s == 1.0


def test_a_system_that_does_not_tell(monkeypatch):
    monkeypatch.setattr(turns, "busy_s", lambda: None)
    assert turns._block(Fake("a", 1.0, []), 1, 1).others is None
