"""Time per training step of whole nets, beside PyTorch's where it is installed.

    python benchmarks/nets.py lenet            (or cifar10_quick, alexnet, googlenet)
    python benchmarks/nets.py lenet --torch /path/to/python   (an interpreter that has PyTorch)

Each contender trains in a process of its own: forward, backward, update with momentum and weight decay, on
the same batch size and number of threads.  Blocks of steps alternate between the processes, so that a machine
whose speed drifts is unfair to nobody; before a block the machine rests until the idle threads of the one
before have stopped spinning, and the block's first steps, which wake its own, are not counted.  Reported are
the median over all counted steps, the 10th and 90th percentile, and the median over blocks of the ratio to
minicaffe's block beside it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from torch_net import describe

ROOT = Path(__file__).resolve().parent.parent
REST_S = 0.4  # between blocks: OpenMP runtimes keep idle threads spinning for up to 0.2 s


class Contest(NamedTuple):
    """A net to train: its file in prototxt/, the images, and what is done with them by default."""

    path: str
    shape: tuple[int, int, int]
    classes: int
    batch: int
    steps: int  # per block
    warm_up: int  # steps after the start
    wake_up: int  # steps at the start of every block
    adam: bool = False  # instead of descent with momentum and weight decay


NETS = {
    "lenet": Contest("lenet/train_test.prototxt", (1, 28, 28), 10, 64, 60, 20, 5),
    "mnist_cnn": Contest("mnist_cnn/train_test.prototxt", (1, 28, 28), 10, 100, 60, 20, 5, adam=True),
    "mnist_keras_cnn": Contest("mnist_keras_cnn/train_test.prototxt", (1, 28, 28), 10, 128, 20, 10, 3),
    "mnist_mlp": Contest("mnist_mlp/train_test.prototxt", (1, 28, 28), 10, 128, 60, 20, 5, adam=True),
    "cifar10_quick": Contest("cifar10_quick/train_test.prototxt", (3, 32, 32), 10, 100, 10, 5, 2),
    "alexnet": Contest("alexnet/train_val.prototxt", (3, 227, 227), 1000, 32, 2, 1, 1),
    "lenet_best": Contest("lenet/best_train_test.prototxt", (1, 28, 28), 10, 128, 30, 10, 3, adam=True),
    "googlenet_28": Contest("googlenet/mnist_28_train_val.prototxt", (1, 28, 28), 10, 32, 5, 3, 2, adam=True),
    "googlenet": Contest("googlenet/train_val.prototxt", (3, 224, 224), 1000, 32, 2, 1, 1),
}


def minicaffe_step(net: str, batch: int) -> Callable[[], object]:
    """One training step of the net in prototxt/, on random images held in memory."""
    import numpy as np

    from minicaffe.proto import upgrade
    from minicaffe.proto.schema import SolverParameter
    from minicaffe.solvers.solver import Solver

    contest = NETS[net]
    shape, classes = contest.shape, contest.classes
    solver = SolverParameter(base_lr=0.001, lr_policy="fixed", momentum=0.9, random_seed=1)
    if contest.adam:
        solver.type = "Adam"
    else:
        solver.weight_decay = 0.0005
    for top, dims in (("data", (batch, *shape)), ("label", (batch,))):
        layer = solver.net_param.layer.add(name=top, type="Input", top=[top])
        layer.input_param.shape.add(dim=dims)
    param = upgrade.read_net(ROOT / "prototxt" / contest.path)
    solver.net_param.layer.extend(layer for layer in param.layer if layer.type != "Data")
    solver = Solver.create(solver)
    rng = np.random.default_rng(0)
    solver.device.put(rng.standard_normal((batch, *shape)), solver.net.blobs["data"].data)
    solver.device.put(rng.integers(0, classes, batch), solver.net.blobs["label"].data)
    return lambda: solver.step(1)


def torch_step(net: str, batch: int, *, channels_last: bool) -> Callable[[], object]:
    """The same in PyTorch; the layers come from standard input."""
    import torch
    from torch_net import torch_net

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    x, y = torch.randn(batch, *NETS[net].shape), torch.randint(0, NETS[net].classes, (batch,))
    model = torch_net(json.loads(sys.stdin.readline()), x, y)
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if NETS[net].adam:
        optimizer = torch.optim.Adam(model.parameters(), 0.001)
    else:
        optimizer = torch.optim.SGD(model.parameters(), 0.001, momentum=0.9, weight_decay=0.0005)

    def step() -> None:
        optimizer.zero_grad()
        model(x, y).backward()
        optimizer.step()

    return step


CONTENDERS: dict[str, Callable[[str, int], Callable[[], object]]] = {
    "minicaffe": minicaffe_step,
    "torch": lambda net, batch: torch_step(net, batch, channels_last=False),
    "torch channels_last": lambda net, batch: torch_step(net, batch, channels_last=True),
}


def work(contender: str, net: str, batch: int) -> None:
    """The other end of `Worker`: for every number read, make so many steps and print their times."""
    step = CONTENDERS[contender](net, batch)
    for _ in range(NETS[net].warm_up):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        for _ in range(NETS[net].wake_up):
            step()
        times_s = []
        for _ in range(int(line)):
            begun = time.perf_counter()
            step()
            times_s.append(time.perf_counter() - begun)
        print(json.dumps(times_s), flush=True)


class Worker:
    """A contender in a process of its own."""

    def __init__(self, python: str, contender: str, net: str, batch: int) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [python, __file__, net, "--batch", str(batch), "--work", contender]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.blocks_s: list[list[float]] = []
        if contender != "minicaffe":
            self.process.stdin.write(json.dumps(describe(ROOT / "prototxt" / NETS[net].path)) + "\n")
            self.process.stdin.flush()
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{contender} did not start")

    def run(self, steps: int) -> None:
        time.sleep(REST_S)
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        self.blocks_s.append(json.loads(self.process.stdout.readline()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("net", choices=NETS)
    parser.add_argument("--batch", type=int, help="images per step (default: the net's)")
    parser.add_argument("--blocks", type=int, default=10, help="blocks per contender (default 10)")
    parser.add_argument("--steps", type=int, help="steps per block (default: the net's)")
    parser.add_argument("--torch", metavar="PYTHON", help="interpreter that has PyTorch (default: this one)")
    parser.add_argument("--work", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print what was measured for programs")
    args = parser.parse_args()
    args.batch, args.steps = args.batch or NETS[args.net].batch, args.steps or NETS[args.net].steps
    if args.work:
        work(args.work, args.net, args.batch)
        return
    names = ["minicaffe"]
    if args.torch or importlib.util.find_spec("torch"):
        names += ["torch", "torch channels_last"]
    elif not args.json:
        print("PyTorch is not installed here; --torch names an interpreter that has it")
    python = {"minicaffe": sys.executable}
    workers = {
        name: Worker(python.get(name, args.torch or sys.executable), name, args.net, args.batch)
        for name in names
    }
    for _ in range(args.blocks):
        for worker in workers.values():
            worker.run(args.steps)
    found = measured(workers)
    if args.json:
        print(json.dumps({"batch": args.batch, "contenders": found}))
    else:
        report(args, found)


def measured(workers: dict[str, Worker]) -> dict[str, dict[str, float]]:
    """Of each contender: milliseconds per step, and how many times as long as minicaffe's it takes."""
    own = [statistics.median(block) for block in workers["minicaffe"].blocks_s]
    found = {}
    for name, worker in workers.items():
        times_s = [t for block in worker.blocks_s for t in block]
        tenths = statistics.quantiles(times_s, n=10)
        found[name] = {
            "median_ms": 1e3 * statistics.median(times_s),
            "tenth_ms": 1e3 * tenths[0],
            "ninetieth_ms": 1e3 * tenths[-1],
            "ratio": statistics.median(
                statistics.median(block) / o for block, o in zip(worker.blocks_s, own)
            ),
        }
    return found


def report(args: argparse.Namespace, found: dict[str, dict[str, float]]) -> None:
    from minicaffe import CpuDevice

    processor = CpuDevice().describe()["Processor"]
    print(f"{args.net}, batch {args.batch}, {len(os.sched_getaffinity(0))} threads, {processor}")
    print(f"{args.blocks} blocks of {args.steps} training steps each, alternating; ms per step")
    print(f"{'':22}{'median':>8}{'10 %':>8}{'90 %':>8}{'vs minicaffe':>14}")
    for name, times in found.items():
        columns = "".join(f"{times[key]:8.2f}" for key in ("median_ms", "tenth_ms", "ninetieth_ms"))
        print(f"{name:22}{columns}{times['ratio']:13.2f}x")


if __name__ == "__main__":
    main()
