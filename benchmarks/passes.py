"""What every pass over a program brings: time and memory of whole nets with none of them, with each alone,
with all.

    python benchmarks/passes.py                          (all that follows)
    python benchmarks/passes.py mobilenet_v1 --turns 20      (or googlenet, resnet50, googlenet_training)
    python benchmarks/passes.py memory                   (what is planned; nothing runs)

The nets of a table hold the same weights and see the same images, and their first outputs must agree.  They
take turns in one process, as in `minicaffe bench net`; on a machine that is busy otherwise the processor time
with NUMBA_NUM_THREADS=1 says more than the rest.  The nets of googlenet_training take 1.2 GB each.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

from minicaffe import CpuDevice, Net
from minicaffe.bench import report, subject
from minicaffe.bench.contest import Outcome, Standing
from minicaffe.bench.ours import Ours
from minicaffe.bench.turns import take_turns
from minicaffe.checking.cost import memory
from minicaffe.graph.passes import PASSES
from minicaffe.proto import upgrade
from minicaffe.proto.schema import TEST, TRAIN
from minicaffe.zoo import find

REST_S = 0.05  # between nets: all use the same threads


class Work(NamedTuple):
    """What is timed: a net of prototxt/, trained or used, on so many images a step."""

    net: str
    trains: bool
    batch: int
    shape: tuple[int, ...] = ()  # of an image, where the net does not tell


WORKS = {
    "googlenet_training": Work("googlenet/train_val", True, 32),
    "googlenet": Work("googlenet/deploy", False, 1),
    "resnet50": Work("resnet50/deploy", False, 1),
    "mobilenet_v1": Work("mobilenet_v1/deploy", False, 1),
}
IN_MEMORY = ("googlenet/train_val", "alexnet/train_val", "resnet50/train_val", "mobilenet_v1/train_val")
ROWS = {"none": (), **{name: (name,) for name in PASSES}, "all": tuple(PASSES)}  # name -> passes


def made(work: Work) -> subject.Subject:
    param = upgrade.read_net(find(work.net, "net"))
    param.state.phase = TRAIN if work.trains else TEST
    if work.trains:
        shapes = {"data": (work.batch, *work.shape)} if work.shape else {}
        return subject.training(param, work.net, shapes, work.batch)
    return subject.inference(param, {}, work.batch)


def report_times(name: str, work: Work, turns: int, block_s: float = 0.5) -> None:
    device, timed = CpuDevice(), made(work)
    nets = [Ours(row, timed, device, passes) for row, passes in ROWS.items()]
    differences = [subject.disagreement(nets[0].outputs, net.outputs) for net in nets]
    records = take_turns(nets, turns, block_s=block_s, rest_s=REST_S)
    standings = [Standing(*both) for both in zip(records, [""] * len(nets), differences)]
    print(f"\n{name}: {'training' if work.trains else 'inference'}, batch {work.batch}; {turns} turns")
    print(report.whole(Outcome(standings, nets[0].net, [], [])))


def report_memory(nets: tuple[str, ...] = IN_MEMORY) -> None:
    """What blobs and buffers need beside the parameters."""
    print("\nMiB for blobs and buffers, training, batch 32")
    print(f"{'':24}" + "".join(f"{row:>13}" for row in ROWS))
    for name in nets:
        param, options = made(Work(name, True, 32)).param, {"keep": "needed", "allocate": False}
        needs = [memory(Net(param, passes=passes, **options)) for passes in ROWS.values()]
        print(f"{name:24}" + "".join(f"{(need.planned + need.own) / 2**20:13.1f}" for need in needs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", nargs="*", help=f"of {', '.join(WORKS)}, memory (default: all)")
    parser.add_argument("--turns", type=int, default=10, help="per net (default 10)")
    args = parser.parse_args()
    if unknown := [name for name in args.what if name not in (*WORKS, "memory")]:
        parser.error(f"{', '.join(unknown)}: not among {', '.join(WORKS)}, memory")
    device = CpuDevice().describe()
    print(f"{device['Threads used']} threads, {device['Processor']}")
    for name in args.what or [*WORKS, "memory"]:
        if name == "memory":
            report_memory()
        else:
            report_times(name, WORKS[name], args.turns)


if __name__ == "__main__":
    main()
