"""Section images: images per second of training and inference, ours and PyTorch's in turns."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from minicaffe.solvers.callbacks import Callback

from .contests import CONTESTS, batch_of, classifier, solver_of
from .measure import rates, spread
from .pytorch import Torch
from .setting import Effort, Setting
from .tables import Result, Results, digits, in_a_line, spelled, table

INFERENCE = {"latency": 1, "inference": 128}  # unit: batch
WARM_UP = 3  # steps: the first runs as it stands, the second is captured
MAX_STEPS = 2000  # in a turn


class Contender(NamedTuple):
    """steps(n) makes n of them and waits for the last; whatever holds while it works is in `working`."""

    steps: Callable[[int], object]
    working: Callable[[], AbstractContextManager] = nullcontext


def units(setting: Setting) -> list[str]:
    return [f"{net} {what}" for net in setting.nets for what in ("training", *INFERENCE)]


def run(unit: str, setting: Setting) -> Result:
    net, what = unit.split()
    batch = batch_of(net, setting) if what == "training" else INFERENCE[what]
    batch = min(batch, 2) if setting.quick else batch
    makers = dict(_makers(net, what, batch, setting))
    times, failed = take_turns(makers, setting.effort)
    found: Result = {"batch": batch, "contenders": {}}
    for name in makers:
        if name in failed:
            found["contenders"][name] = {"error": failed[name]}
            continue
        seconds = np.array(times[name])
        found["contenders"][name] = {"ms": spread(seconds), "images/s": rates(batch, seconds)}
    return found


def take_turns(
    makers: dict[str, Callable[[], Contender]], effort: Effort
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds per step, by contender one of each turn; and what failed, which takes no further part."""
    contenders: dict[str, Contender] = {}
    lengths: dict[str, int] = {}
    times: dict[str, list[float]] = defaultdict(list)
    failed: dict[str, str] = {}
    for turn in range(-1, effort.rounds):  # the first one is to see how many steps fill a turn
        for name, make in makers.items():
            if name in failed:
                continue
            try:
                if turn < 0:
                    contenders[name] = make()
                    _timed(contenders[name], WARM_UP)
                    once = _timed(contenders[name], WARM_UP)
                    lengths[name] = int(min(MAX_STEPS, max(2, effort.block_s / once)))
                else:
                    times[name].append(_timed(contenders[name], lengths[name]))
            except Exception as error:
                failed[name] = in_a_line(error)
                contenders.pop(name, None)
    return times, failed


def _timed(contender: Contender, steps: int) -> float:
    with contender.working():
        begun = time.perf_counter()
        contender.steps(steps)
        return (time.perf_counter() - begun) / steps


def _makers(
    net: str, what: str, batch: int, setting: Setting
) -> Iterator[tuple[str, Callable[[], Contender]]]:
    """By name, all who take part; nothing is built yet."""
    ours = {"training": _training, "latency": _latency, "inference": _inference}[what]
    for math in setting.maths:
        for engine in setting.engines:
            yield f"{math} {engine}", lambda m=math, e=engine: ours(net, batch, e, setting.new_device(m))
        if not setting.with_torch:
            continue
        for last in (False, True) if math == "TF32" else (False,):
            for graph in (False, True):
                name = f"{math} PyTorch {'graph' if graph else 'eager'}{' channels_last' if last else ''}"
                yield name, lambda m=math, g=graph, l=last: _pytorch(net, what, batch, setting, m, g, l)


# -- ours


class Batches(Callback):
    """A new batch from the host before every step."""

    may_lag = True

    def __init__(self, net: str, batch: int, device: Any) -> None:
        contest = CONTESTS[net]
        self.labels = contest.labels(batch)
        self.images, self.feed = contest.images(batch), device.feed()

    def on_iteration(self, solver) -> None:
        self.feed.begin()
        self.feed.put(self.images, solver.net.blobs["data"])
        self.feed.put(self.labels, solver.net.blobs["label"])
        self.feed.send()
        self.feed.deliver()
        self.feed.delivered()


def _training(net: str, batch: int, engine: str, device: Any) -> Contender:
    batches = Batches(net, batch, device)
    solver = solver_of(net, batch, engine, device, batches)
    batches.on_iteration(solver)

    def steps(count: int) -> None:
        solver.step(count)
        device.synchronize()

    return Contender(steps)


def _inference(net: str, batch: int, engine: str, device: Any) -> Contender:
    built = classifier(net, batch, engine, device)
    images = CONTESTS[net].images(batch)

    def steps(count: int) -> None:
        for _ in range(count):
            built.prepare([(images, built.blobs["data"])])
            built.executor.next_forward()
        device.synchronize()

    return Contender(steps)


def _latency(net: str, batch: int, engine: str, device: Any) -> Contender:
    built, image = classifier(net, batch, engine, device), CONTESTS[net].images(batch)
    output = built.blobs[built.outputs[0]]

    def steps(count: int) -> None:
        for _ in range(count):
            built.prepare([(image, built.blobs["data"])])
            built.executor.next_forward()
            device.get(output.data)

    return Contender(steps)


# -- PyTorch's


def _pytorch(
    net: str, what: str, batch: int, setting: Setting, math: str, graph: bool, channels_last: bool
) -> Contender:
    torch = Torch(setting, math)
    with torch.working():
        images = CONTESTS[net].images(batch)
        if what == "training":
            step, x, y = torch.trainer(net, batch, channels_last=channels_last)
            feed = torch.feed([(images, x), (CONTESTS[net].labels(batch), y)], ahead=True)
        else:
            step, x, result = torch.classifier(net, batch, channels_last=channels_last)
            feed = torch.feed([(images, x)], ahead=what == "inference")
        if graph:
            step = torch.capture(step)

    def steps(count: int) -> None:
        for _ in range(count):
            feed()
            step()
            if what == "latency":
                result[0].cpu()
        torch.synchronize()

    return Contender(steps, torch.working)


# -- tables


def markdown(results: Results) -> list[str]:
    lines = []
    for unit, result in results.items():
        contenders = result.get("contenders", {})
        good = {name: r for name, r in contenders.items() if "error" not in r}
        rows = []
        for name, r in good.items():
            math = name.split()[0]
            ratios = [_ratio(r, good.get(f"{math} PyTorch {way}")) for way in ("eager", "graph")]
            rows.append([name, spelled(r["ms"]), spelled(r["images/s"]), *ratios])
        header = [f"{unit}, batch {result.get('batch')}", "ms per step", "images/s"]
        lines += table([*header, "to PyTorch eager", "to PyTorch graph"], rows) if rows else []
        lines += [f"- {unit}, {name}: {r['error']}" for name, r in contenders.items() if "error" in r]
        lines += [""] if len(good) < len(contenders) else []
    return lines


def _ratio(ours: Result, theirs: Result | None) -> str:
    """Of speeds: above 1 is faster."""
    return f"{digits(theirs['ms']['median'] / ours['ms']['median'])} x" if theirs else "-"
