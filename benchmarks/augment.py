"""What random changes of images cost a training step of LeNet.

    python benchmarks/augment.py [--batch 64] [--turns 15]

LeNet of prototxt/lenet trains on images of random bytes with and without them: blocks of steps take turns in
one process, so that all meet the same disturbances.  Images are changed by the thread that prepares batches
ahead, beside the threads of the step.  Reported are the median over all steps, and the median and quartiles
over blocks of the ratio to the block without any; and what the changes of one batch take that thread, in
processor time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from minicaffe.bench.turns import Steps, take_turns
from minicaffe.data import idx
from minicaffe.data.augment.augmentation import Augmentation
from minicaffe.proto import text, upgrade
from minicaffe.proto.schema import AugmentationParameter, SolverParameter
from minicaffe.solvers.solver import Solver

ROOT = Path(__file__).resolve().parent.parent
IMAGES, SIDE, CLASSES = 6400, 28, 10
AFFINE = "affine { rotation: 15 translation: 0.1 scale_min: 0.8 scale_max: 1.2 shear: 10 }"
CHANGES = {
    "none": "",
    "affine": AFFINE,
    "crop": "crop { area_min: 0.5 }",
    "affine, noise, erase": f"{AFFINE} noise {{ std: 10 }} erase {{ }}",
    "affine, elastic": f"{AFFINE} elastic {{ alpha: 20 sigma: 4 }}",
}


def trained(folder: Path, batch: int, changes: str) -> Solver:
    """LeNet with its solver's settings, on the images in a folder."""
    solver = SolverParameter(base_lr=0.01, lr_policy="fixed", momentum=0.9, weight_decay=5e-4, random_seed=1)
    solver.train_net_param.CopyFrom(upgrade.read_net(ROOT / "prototxt" / "lenet" / "train_test.prototxt"))
    for layer in solver.train_net_param.layer:
        if layer.type == "Data":
            layer.data_param.source, layer.data_param.batch_size = str(folder / "images"), batch
            if changes:
                layer.augment_param.CopyFrom(text.parse(changes, AugmentationParameter))
    return Solver.create(solver)


def cost_ms(changes: str, images: np.ndarray, rounds: int = 200) -> float:
    """Processor time of the changes of one batch: the median."""
    change, at, times = (
        Augmentation(text.parse(changes, AugmentationParameter), 1),
        np.arange(len(images)),
        [],
    )
    for _ in range(rounds):
        at += len(images)
        begun = time.thread_time()
        change(images, at, (1, 2))
        times.append(time.thread_time() - begun)
    return 1e3 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--turns", type=int, default=15, help="of each (default 15)")
    parser.add_argument("--block", type=float, default=0.5, help="seconds of a turn (default 0.5)")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = rng.integers(0, 256, (IMAGES, SIDE, SIDE), np.uint8)
        idx.write(folder / "images", images)
        idx.write(folder / "labels", rng.integers(0, CLASSES, IMAGES, np.uint8))
        solvers = {what: trained(folder, args.batch, changes) for what, changes in CHANGES.items()}
        timed = [Steps(what, partial(solver.step, 1)) for what, solver in solvers.items()]
        records = take_turns(timed, args.turns, block_s=args.block, rest_s=0)
    threads = len(os.sched_getaffinity(0))
    print(f"LeNet, batch {args.batch}, {threads} threads, {args.turns} turns\n")
    print(f"{'':24}{'ms/step':>9}{'ratio':>8}{'p25':>7}{'p75':>7}{'ms/batch':>10}")
    batch = np.ascontiguousarray(images[: args.batch, None])
    for record in records:
        what, step_ms = record.name, 1e3 * np.median(record.seconds)
        low, middle, high = np.percentile(record.ratios(records[0]), (25, 50, 75))
        cost = cost_ms(CHANGES[what], batch) if CHANGES[what] else 0.0
        print(f"{what:24}{step_ms:9.2f}{middle:8.3f}{low:7.3f}{high:7.3f}{cost:10.3f}")


if __name__ == "__main__":
    main()
