"""How fast parameters are updated: bytes per second of every update kernel beside a plain copy's.

    python benchmarks/update.py [--parameters 13.4e6] [--rounds 30]

An update can be no faster than memory: it reads weights, gradients and history, and writes weights and
history.  The copies read one array and write another on the same threads; the kernels take turns, so that all
of them meet the same disturbances.  Also measured: what looking for bad values (the sum of squares) costs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numba
import numpy as np

from minicaffe.bench.turns import Steps, take_turns
from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import update

BLOCKS = {"block_s": 0.01, "rest_s": 0}
# kernel -> its history arrays
KERNELS = {
    "sgd_update": 1,
    "nesterov_update": 1,
    "adagrad_update": 1,
    "rmsprop_update": 1,
    "adadelta_update": 2,
    "adam_update": 2,
    "adamw_update": 2,
}


@numba.njit(parallel=True)
def copy(source, target):
    for i in numba.prange(source.size):
        target[i] = source[i]


def cases(count: int) -> dict[str, tuple[Callable[[], object], int]]:
    """name -> (what to time, bytes that it moves)."""
    device = CpuDevice()
    rng = np.random.default_rng(1)

    def array() -> np.ndarray:
        out = device.empty((count,))
        out[...] = rng.random(count, np.float32) * 0.01
        return out

    w, dw, *history = (array() for _ in range(4))
    rates, decays = device.zeros((count // update.BLOCK_SIZE,)), device.zeros((count // update.BLOCK_SIZE,))
    rates[...] = decays[...] = 1
    hyper = device.zeros((update.HYPER,))
    hyper[: update.SETTINGS] = 1e-3, 0.9, 5e-4, 1, 0, 0.999, 1e-8, 1
    partial = device.zeros((-(-count // update.CHUNK),))
    k = device.bind(update)
    found: dict[str, tuple[Callable[[], object], int]] = {
        "plain copy": (lambda: copy(dw, w), 8 * count),
        "numpy copy": (lambda: np.copyto(w, dw), 8 * count),
        "square_sums": (lambda: k.square_sums(dw, partial, count), 4 * count),
    }
    for name, slots in KERNELS.items():
        arguments = [w, dw, *history[:slots], rates, decays, hyper, count]
        arguments += [] if name == "adamw_update" else [0]
        kernel = getattr(k, name)
        found[name] = (
            lambda kernel=kernel, arguments=arguments: kernel(*arguments),
            4 * count * (3 + 2 * slots),
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parameters", type=float, default=13.4e6)
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    count = int(args.parameters) // update.BLOCK_SIZE * update.BLOCK_SIZE
    todo = cases(count)
    records = take_turns([Steps(name, call) for name, (call, _) in todo.items()], args.rounds, **BLOCKS)
    times_s = {record.name: record.seconds for record in records}
    copied = todo["plain copy"][1] / np.median(times_s["plain copy"])
    print(f"{count:,} parameters, {numba.get_num_threads()} threads, {args.rounds} rounds, interleaved\n")
    print(f"{'':16}{'ms':>8}{'p25':>8}{'p75':>8}{'GB/s':>8}{'of copy':>9}")
    for name, (_, nbytes) in todo.items():
        low, middle, high = np.percentile(times_s[name], (25, 50, 75))
        rate, ms = nbytes / middle, "".join(f"{1e3 * value:8.2f}" for value in (middle, low, high))
        print(f"{name:16}{ms}{rate / 1e9:8.1f}{rate / copied:9.2f}")


if __name__ == "__main__":
    main()
