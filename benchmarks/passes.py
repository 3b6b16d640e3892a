"""What every pass over a program brings: time and memory of whole nets with none of them, with each alone,
with all.

    python benchmarks/passes.py                          (all that follows)
    python benchmarks/passes.py mobilenet_v1 --blocks 20     (or googlenet, resnet50, googlenet_training)
    python benchmarks/passes.py resnet50 --processor         (on a machine that is busy otherwise)
    python benchmarks/passes.py memory                   (what is planned; nothing runs)

The nets of a table hold the same weights and see the same images, and their first outputs must agree.  They
run in one process and take turns, each turn in another order, so that a machine whose speed drifts is unfair
to nobody; the first steps of a turn, which fetch weights that another net has pushed out of the caches, are
not counted.  Reported are the median over all counted steps, the quartiles, and the median over turns of the
time without passes divided by the time with them.  A training step here is a forward and a backward pass: the
update is the same for all.  The nets of googlenet_training take 1.2 GB each.  With --processor it is the
processor time of one thread, which others who use the machine change little.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np

from minicaffe import CpuDevice, Net
from minicaffe.checking.cost import memory
from minicaffe.graph.passes import PASSES
from minicaffe.proto import upgrade

ROOT = Path(__file__).resolve().parent.parent


class Work(NamedTuple):
    """What is timed: a net of prototxt/, trained or used, on so many images a step."""

    path: str
    trains: bool
    batch: int
    size: int  # of an image, both ways
    steps: int  # counted, per turn
    wake_up: int  # steps at the start of a turn


WORKS = {
    "googlenet_training": Work("googlenet/train_val.prototxt", True, 32, 224, 1, 0),
    "googlenet": Work("googlenet/deploy.prototxt", False, 1, 224, 10, 2),
    "resnet50": Work("resnet50/deploy.prototxt", False, 1, 224, 10, 2),
    "mobilenet_v1": Work("mobilenet_v1/deploy.prototxt", False, 1, 224, 10, 2),
}
IN_MEMORY = {"googlenet": 224, "alexnet": 227, "resnet50": 224, "mobilenet_v1": 224}  # name -> size of images


def contenders() -> dict[str, tuple[str, ...]]:
    """The name of a row -> the passes."""
    rows = {"none": (), **{name: (name,) for name in PASSES}}
    return rows | ({"all": tuple(PASSES)} if PASSES else {})


def build(work: Work, passes: tuple[str, ...], *, allocate: bool = True) -> Net:
    """The net, on images that are held in memory."""
    param = upgrade.read_net(ROOT / "prototxt" / work.path)
    sources = [layer for layer in param.layer if not layer.bottom]
    rest = [layer for layer in param.layer if layer.bottom]
    del param.layer[:]
    for top, shape in (("data", (work.batch, 3, work.size, work.size)), ("label", (work.batch,))):
        if any(top in layer.top for layer in sources):
            layer = param.layer.add(name=top, type="Input", top=[top])
            layer.input_param.shape.add(dim=shape)
    param.layer.extend(rest)
    options: dict[str, Any] = {"passes": passes} if PASSES else {}
    phase, forward_only = ("TRAIN", False) if work.trains else ("TEST", True)
    options |= {"keep": "needed", "forward_only": forward_only, "seed": 1, "allocate": allocate}
    return Net(param, phase=phase, **options)


def step_of(net: Net, work: Work) -> Callable[[], dict[str, np.ndarray]]:
    """One step of a net on images of its own; returns the outputs."""
    rng = np.random.default_rng(0)
    net.put_inputs({"data": rng.standard_normal(net.blobs["data"].shape)})
    if "label" in net.inputs:
        net.put_inputs({"label": rng.integers(0, 10, work.batch)})
    if not work.trains:
        return net.forward

    def step() -> dict[str, np.ndarray]:
        net.clear_param_diffs()
        outputs = net.forward()
        net.backward()
        return outputs

    return step


def steps(work: Work) -> dict[str, Callable[[], object]]:
    """The contenders' steps: nets of equal weights, whose first outputs agree."""
    made: dict[str, Callable[[], object]] = {}
    wanted: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "weights.caffemodel")
        for name, passes in contenders().items():
            net = build(work, passes)
            if not made:
                as_if_trained(net)
                net.save(weights)
            net.load(weights)
            made[name] = step_of(net, work)
            outputs = made[name]()
            wanted = wanted or outputs
            for blob, value in outputs.items():
                np.testing.assert_allclose(
                    value, wanted[blob], rtol=1e-3, atol=1e-6, err_msg=f"{name}: {blob}"
                )
    return made


def as_if_trained(net: Net) -> None:
    """Running moments of BatchNorms as they are after training: 0 and 1, not nothing at all."""
    for layer in net.layers:
        if layer.type == "BatchNorm":
            for blob, value in zip(layer.params, (0, 1, 1)):
                net.device.fill(blob.data, value)


def timed(
    made: dict[str, Callable[[], object]], work: Work, blocks: int, clock: Callable[[], float]
) -> dict[str, list[list[float]]]:
    """name -> the seconds of its steps, turn by turn."""
    times_s: dict[str, list[list[float]]] = {name: [] for name in made}
    names = list(made)
    for block in range(blocks):
        first = block % len(names)
        for name in names[first:] + names[:first]:
            for _ in range(work.wake_up):
                made[name]()
            turn = []
            for _ in range(work.steps):
                begun = clock()
                made[name]()
                turn.append(clock() - begun)
            times_s[name].append(turn)
    return times_s


def report_times(name: str, work: Work, blocks: int, clock: Callable[[], float] = time.perf_counter) -> None:
    times_s = timed(steps(work), work, blocks, clock)
    before = [statistics.median(turn) for turn in times_s["none"]]
    what = "training" if work.trains else "inference"
    print(f"\n{name}: {what}, batch {work.batch}; {blocks} turns of {work.steps} steps; ms per step")
    print(f"{'passes':16}{'median':>9}{'p25':>9}{'p75':>9}{'before/after':>14}")
    for row, turns in times_s.items():
        quartiles = statistics.quantiles([t for turn in turns for t in turn], n=4)
        columns = "".join(f"{1e3 * quartiles[i]:9.2f}" for i in (1, 0, 2))
        ratio = statistics.median(b / statistics.median(turn) for b, turn in zip(before, turns))
        print(f"{row:16}{columns}{ratio:14.3f}")


def report_memory(sizes: dict[str, int] = IN_MEMORY) -> None:
    """What blobs and buffers need beside the parameters."""
    rows = contenders()
    print("\nMiB for blobs and buffers, training, batch 32")
    print(f"{'':16}" + "".join(f"{row:>13}" for row in rows))
    for name, size in sizes.items():
        work = Work(f"{name}/train_val.prototxt", True, 32, size, 0, 0)
        needs = [memory(build(work, passes, allocate=False)) for passes in rows.values()]
        print(f"{name:16}" + "".join(f"{(need.planned + need.own) / 2**20:13.1f}" for need in needs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", nargs="*", help=f"of {', '.join(WORKS)}, memory (default: all)")
    parser.add_argument("--blocks", type=int, default=10, help="turns per net (default 10)")
    parser.add_argument("--processor", action="store_true", help="processor time of one thread")
    args = parser.parse_args()
    chosen = args.what or [*WORKS, "memory"]
    if unknown := [name for name in chosen if name not in (*WORKS, "memory")]:
        parser.error(f"{', '.join(unknown)}: not among {', '.join(WORKS)}, memory")
    clock = time.perf_counter
    if args.processor:
        clock = time.process_time
        numba.set_num_threads(1)
    print(f"{numba.get_num_threads()} threads, {CpuDevice().describe()['Processor']}")
    for name in chosen:
        if name == "memory":
            report_memory()
        else:
            report_times(name, WORKS[name], args.blocks, clock)


if __name__ == "__main__":
    main()
