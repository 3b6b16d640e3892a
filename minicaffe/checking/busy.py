"""How busy the machine is with other programs while something is timed."""

from __future__ import annotations

import os
import time
from pathlib import Path

LEAST_S = 0.5  # of a measurement: the system counts in hundredths of a second
LOUD = 0.1  # processors that others may use before it is said


class Others:
    """What other programs use of the machine from the making of this on."""

    def __init__(self) -> None:
        self.busy, self.own, self.begun = busy_s(), time.process_time(), time.perf_counter()

    def told(self) -> str:
        """A sentence, if they use enough to make times longer; "" if not, or if the system does not tell."""
        wall, own, after = time.perf_counter() - self.begun, time.process_time() - self.own, busy_s()
        if self.busy is None or after is None or wall < LEAST_S:
            return ""
        others = (after - self.busy - own) / wall
        if others <= LOUD:
            return ""
        return f"Others used the machine, {others:.1f} processors on average: times are too long."


def busy_s() -> float | None:
    """Seconds that the processors which this process may use were busy since the machine began, with whatever
    program, or were taken away by a host; None where the system does not tell."""
    try:
        usable = {f"cpu{i}" for i in os.sched_getaffinity(0)}
        rows = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
        ticks = os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return None
    total = 0
    for name, *fields in rows:
        if name in usable:
            user, nice, system, _idle, _waiting, hard, soft, stolen, *_ = map(int, fields)
            total += user + nice + system + hard + soft + stolen
    return total / ticks
