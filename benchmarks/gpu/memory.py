"""Section memory: what training takes of a GPU, beside what the plan says."""

from __future__ import annotations

import gc
from typing import Any

from minicaffe.checking import cost

from .contests import batch_of, solver_of
from .images import Batches
from .setting import Setting
from .tables import Result, Results, digits, table

MIB = 2**20
COLUMNS = ("by the driver", "pool, in use", "pool, at most", "workspace")


def units(setting: Setting) -> list[str]:
    return [f"{net} {engine}" for net in setting.nets for engine in setting.engines]


def run(unit: str, setting: Setting) -> Result:
    """Three steps: the first as it stands, the second captured, the third replayed."""
    net, engine = unit.split()
    batch = batch_of(net, setting)
    device: Any = setting.new_device()
    pool = _pool(device)
    gc.collect()
    if pool:
        pool.free_all_blocks()
    before = device.runtime.memGetInfo()[0]
    held, used = (pool.total_bytes(), pool.used_bytes()) if pool else (0, 0)
    feed = Batches(net, batch, device)
    solver = solver_of(net, batch, engine, device, feed)
    feed.on_iteration(solver)
    for _ in range(3):
        solver.step(1)
    planned = cost.memory(solver.net, solver.rule.slots)
    after = device.runtime.memGetInfo()[0]
    return {
        "batch": batch,
        "planned": planned._asdict() | {"total": planned.total},
        "by the driver": before - after,
        "pool, in use": pool.used_bytes() - used if pool else None,
        "pool, at most": pool.total_bytes() - held if pool else None,
        "workspace": device.workspace(0).size,
    }


def _pool(device: Any) -> Any:
    """CuPy's; the emulated one has none."""
    get = getattr(device.cupy, "get_default_memory_pool", None)
    return get() if get else None


def markdown(results: Results) -> list[str]:
    rows = []
    for unit, result in results.items():
        if "error" in result:
            continue
        sizes = [result["planned"]["total"], *(result[key] for key in COLUMNS)]
        rows.append(
            [f"{unit}, batch {result['batch']}", *(digits(n / MIB) if n is not None else "-" for n in sizes)]
        )
    return table(["training, MiB", "planned", *COLUMNS], rows) if rows else []
