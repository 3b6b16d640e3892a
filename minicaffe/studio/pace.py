"""What this machine can do at best, measured once, and how long a step of a net takes at least."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..files import write_atomic

FILE = "roof.json"  # in a workspace's scratch
RATES = ("flops_per_s", "read_bytes_per_s", "moved_bytes_per_s")  # of a roof
ROUNDS, FLOPS, NBYTES = 7, 4e8, 32 << 20  # a few tenths of a second: an orientation, no benchmark


def measure() -> dict[str, Any]:
    """The roof of the CPU, and its threads.  Runs in a worker: other kernels would disturb it."""
    from ..bench import roof
    from ..device.cpu import CpuDevice

    device = CpuDevice()
    found = roof.measure(device, rounds=ROUNDS, flops=FLOPS, nbytes=NBYTES)
    return {**found.as_json(), "threads": roof.threads_of(device)}


def keep(scratch: Path, measured: dict[str, Any]) -> None:
    write_atomic(scratch / FILE, json.dumps(measured).encode())


def kept(scratch: Path) -> dict[str, Any] | None:
    """What `keep` has kept; None if nothing, or nothing that can be read."""
    try:
        found = json.loads((scratch / FILE).read_text())
        if not all(float(found[name]) > 0 for name in RATES):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found  # type: ignore[no-any-return]


def least_step_s(cost: dict[str, Any], measured: dict[str, Any]) -> float:
    """The least seconds of a step of this cost: no kernel computes or moves faster than the roof."""
    flops, read, moved = (float(measured[name]) for name in RATES)
    return max(2 * (cost["forward"] + cost["backward"]) / flops, cost["moved"] / max(read, moved))
