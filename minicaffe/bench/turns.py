"""Contenders take turns: a block of steps of the one, then of the next, each turn in another order.

A machine whose speed drifts is then unfair to nobody.  Blocks and not single steps, because the idle threads
of a contender spin for up to 0.2 s after its last step, and would take the processors from the next one;
between blocks everybody rests until they sleep.  The first steps of a block, which wake the contender's own
threads and fetch its weights, are not counted.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from ..checking.busy import busy_s
from ..device.base import Device
from ..errors import MiniCaffeError

REST_S = 0.4  # between blocks
BLOCK_S = 0.5  # of counted steps, where a step is shorter
WAKE_S = 0.04  # at the start of a block, at least one step
LONGEST_S = 1.0  # a step that takes more is counted once in a block, others twice at least
STEPS = 1000  # in a block, at most
TOLD_S = 0.05  # blocks that are shorter do not show what others do: systems count in hundredths of a second
BUSY = 0.15  # processors that others may use before it is said


class Ran(NamedTuple):
    """A block of a contender: seconds of each counted step, and the processor time of all that it did."""

    seconds: list[float]
    processor_s: float


class Contender(Protocol):
    """Who takes part.  run(wake, count) makes `wake` steps that do not count and `count` that do."""

    name: str

    def run(self, wake: int, count: int) -> Ran: ...


class Steps:
    """A contender in this process: calls of `step`."""

    def __init__(self, name: str, step: Callable[[], object], device: Device | None = None) -> None:
        self.name, self.step = name, step
        self._mark = device.clock() if device else time.perf_counter
        self._apart = device.seconds if device else lambda earlier, later: later - earlier

    def run(self, wake: int, count: int) -> Ran:
        own = time.process_time()
        for _ in range(wake):
            self.step()
        marks = [self._mark()]
        for _ in range(count):
            self.step()
            marks.append(self._mark())
        seconds = [self._apart(*pair) for pair in itertools.pairwise(marks)]  # a GPU waits here
        return Ran(seconds, time.process_time() - own)


class Block(NamedTuple):
    """seconds of the counted steps; processor_s: processor time of a step, of all threads together, the steps
    that do not count included; others: how many processors other programs, or the host of a virtual machine,
    used meanwhile, None where the system does not tell."""

    seconds: list[float]
    processor_s: float
    others: float | None


@dataclass
class Record:
    """What is known of a contender: its blocks, one of each turn, or the error that ended its part."""

    name: str
    blocks: list[Block] = field(default_factory=list)
    error: str = ""

    @property
    def seconds(self) -> np.ndarray:
        """Of all counted steps."""
        return np.array([step for block in self.blocks for step in block.seconds])

    @property
    def processor_s(self) -> float:
        """Of a step, the median of the turns."""
        return float(np.median([block.processor_s for block in self.blocks]))

    @property
    def medians(self) -> np.ndarray:
        """Of the turns."""
        return np.array([np.median(block.seconds) for block in self.blocks])

    def ratios(self, to: Record) -> np.ndarray:
        """Turn by turn, how many times as long as another it took."""
        turns = min(len(self.blocks), len(to.blocks))
        return self.medians[:turns] / to.medians[:turns]


def take_turns(
    contenders: Sequence[Contender],
    turns: int,
    *,
    block_s: float = BLOCK_S,
    rest_s: float = REST_S,
    told: Callable[[str], None] = lambda line: None,
) -> list[Record]:
    """The records, in the order of the contenders.  Who fails takes no further part; `told` hears of it and
    of every turn."""
    records = {id(one): Record(one.name) for one in contenders}
    lengths: dict[int, tuple[int, int]] = {}
    for turn in range(-1, turns):  # the first one compiles, and shows how many steps fill a block
        first = max(turn, 0) % max(len(contenders), 1)
        for one in [*contenders[first:], *contenders[:first]]:
            record = records[id(one)]
            if record.error:
                continue
            time.sleep(rest_s)
            try:
                if turn < 0:
                    lengths[id(one)] = _length(min(one.run(2, 2).seconds), block_s)
                else:
                    record.blocks.append(_block(one, *lengths[id(one)]))
            except MiniCaffeError as error:
                record.error = str(error)
                told(f"{one.name}: {error}")
        told("Everybody is ready" if turn < 0 else f"Turn {turn + 1} of {turns}")
    return [records[id(one)] for one in contenders]


def _length(step_s: float, block_s: float) -> tuple[int, int]:
    """Steps of a block that do not count, and that do."""
    step_s = max(step_s, 1e-7)
    least = 1 if step_s > LONGEST_S else 2
    return max(1, math.ceil(WAKE_S / step_s)), min(STEPS, max(least, round(block_s / step_s)))


def _block(one: Contender, wake: int, count: int) -> Block:
    busy, own, begun = busy_s(), time.process_time(), time.perf_counter()
    seconds, processor_s = one.run(wake, count)
    wall, after = time.perf_counter() - begun, busy_s()
    if busy is None or after is None or wall < TOLD_S:
        return Block(seconds, processor_s / (wake + count), None)
    # A contender in this process is in both.
    mine = max(processor_s, time.process_time() - own)
    return Block(seconds, processor_s / (wake + count), max(0.0, (after - busy - mine) / wall))


def disturbed(records: Sequence[Record]) -> str:
    """A sentence about how busy others kept the machine; "" if they left it alone."""
    told = [block.others for record in records for block in record.blocks if block.others is not None]
    loud = [others for others in told if others > BUSY]
    if not loud:
        return ""
    return (
        f"Others used the machine in {len(loud)} of {len(told)} blocks, {np.median(loud):.1f} processors in"
        f" the median, {max(loud):.1f} at most: ratios still say something, times little."
    )
