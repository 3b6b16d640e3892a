"""Section layers: milliseconds of the GPU, layer by layer, and of whole passes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from minicaffe.checking.timing import Throughput, Times, per_layer
from minicaffe.net import Net

from . import pytorch, roof
from .contests import batch_of, training_net
from .measure import gpu_seconds, spread
from .setting import Effort, Setting
from .tables import Result, Results, digits, in_a_line, spelled, table

TORCH = "PyTorch"
SLOWEST = 12  # layers in the table; the JSON has all


def units(setting: Setting) -> list[str]:
    contenders = [*setting.engines, *([TORCH] if setting.with_torch else [])]
    return [f"{net} {m} {name}" for net in setting.nets for m in setting.maths for name in contenders]


def run(unit: str, setting: Setting) -> Result:
    name, math, contender = unit.split()
    batch, device = batch_of(name, setting), setting.new_device(math)
    limits = roof.measure(device, setting.effort)
    if contender == TORCH:
        net = training_net(name, batch, "CAFFE", device, allocate=False)
        times, failed, forward, training = pytorch.layers(name, net, setting, math)
    else:
        net = training_net(name, batch, contender, device)
        times, failed, forward, training = _ours(net, setting.effort)
    rows = [
        _row(row, failed.get(row.name), limits)
        for layer, row in zip(net.layers, per_layer(net, times))
        if not layer.source
    ]
    whole = {"forward": spread(forward), "training": spread(training)}
    return {"batch": batch, "roof": limits._asdict(), **whole, "layers": rows}


def _ours(net: Net, effort: Effort) -> tuple[Times, dict[str, str], np.ndarray, np.ndarray]:
    """Times per layer; what failed, by layer; seconds of forward, and of forward and backward."""
    device, times, failed = net.device, Times.empty(len(net.layers), effort.repeats), {}

    def training() -> None:
        net.clear_param_diffs()
        net.run_forward()
        net.run_backward()

    whole = [gpu_seconds(device, body, effort) for body in (net.run_forward, training)]
    for i, layer in enumerate(net.layers):
        try:
            training()  # what repetitions of the layer before did to values in place is undone
            if not layer.source:
                times.forward[i] = gpu_seconds(device, lambda i=i: net.run_forward(i, i), effort)
            if net.gradients[i].runs:
                times.backward[i] = gpu_seconds(device, lambda i=i: net.run_backward(i, i), effort)
        except Exception as error:
            failed[layer.name] = in_a_line(error)
    return times, failed, *whole


def _row(row: Any, failure: str | None, limits: roof.Roof) -> dict[str, Any]:
    out = {"name": row.name, "type": row.type, "tops": [list(shape) for shape in row.tops]}
    if failure:
        return out | {"error": failure}
    return out | {
        "forward": _work(row.forward, limits),
        "backward": _work(row.backward, limits) if row.backward else None,
    }


def _work(work: Throughput, limits: roof.Roof) -> dict[str, Any]:
    ms = work.ms
    return {
        "ms": {"median": ms.median, "p25": ms.p25, "p75": ms.p75},
        "flops": work.flops,
        "bytes": work.bytes,
        "GFLOP/s": work.gflop_per_s,
        "of roof": limits.share(work.flops, work.bytes, ms.median / 1e3),
    }


# -- tables


def markdown(results: Results) -> list[str]:
    nets: dict[str, dict[str, Result]] = defaultdict(dict)
    for unit, result in results.items():
        if "error" not in result:
            net, rest = unit.split(" ", 1)
            nets[net][rest] = result
    lines = []
    for net, contenders in nets.items():
        batch = next(iter(contenders.values()))["batch"]
        rows = [[name, spelled(r["forward"]), spelled(r["training"])] for name, r in contenders.items()]
        lines += table([f"{net}, batch {batch}, ms", "forward", "forward and backward"], rows)
        lines += _by_type(net, contenders)
        for name, result in contenders.items():
            if TORCH not in name:
                lines += _slowest(net, name, result, contenders.get(f"{name.split()[0]} {TORCH}"))
        for name, result in contenders.items():
            failed = [row for row in result["layers"] if "error" in row]
            lines += [f"- {net} {name}, layer {row['name']}: {row['error']}" for row in failed]
    return lines


def _ms(row: dict[str, Any]) -> float:
    """Forward and backward; 0 for what was not measured."""
    parts = [row.get(way) for way in ("forward", "backward")]
    return sum(part["ms"]["median"] for part in parts if part)


def _by_type(net: str, contenders: dict[str, Result]) -> list[str]:
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for name, result in contenders.items():
        for row in result["layers"]:
            sums[row["type"]][name] += _ms(row)
    spent = {kind: by for kind, by in sums.items() if any(by.values())}
    rows = [[kind, *(digits(by[name]) for name in contenders)] for kind, by in spent.items()]
    return table([f"{net}: sums over layers, ms", *contenders], rows)


def _slowest(net: str, name: str, result: Result, torch: Result | None) -> list[str]:
    theirs = {row["name"]: _ms(row) for row in torch["layers"]} if torch else {}
    rows = []
    for row in sorted(result["layers"], key=_ms, reverse=True)[:SLOWEST]:
        cells = [row["name"]]
        for way in ("forward", "backward"):
            work = row.get(way)
            cells += _cells(work) if work else ["-"] * 3
        rows.append([*cells, digits(theirs.get(row["name"]) or None)])
    header = [f"{net}, {name}", "forward, ms", "GFLOP/s", "of roof", "backward, ms", "GFLOP/s", "of roof"]
    return table([*header, "PyTorch, both, ms"], rows)


def _cells(work: dict[str, Any]) -> list[str]:
    share = work["of roof"]
    return [spelled(work["ms"]), digits(work["GFLOP/s"]), "-" if share is None else f"{100 * share:.0f} %"]
