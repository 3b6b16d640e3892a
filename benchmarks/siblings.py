"""1x1 convolutions of one blob: one after the other, and as one piece of work.

    python benchmarks/siblings.py [--batch 8] [--rounds 5]

The modules of GoogLeNet, in float32, on one thread.  Both ways take turns on the same arrays; reported is the
least processor time of the thread, in ms, which others who use the machine change little.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numba
import numpy as np

from minicaffe.bench.turns import Steps, take_turns
from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import convolution, siblings

# module -> channels of its input, pixels, outputs of the 1x1 convolutions that read it, outputs of the module
MODULES = {
    "inception_3a": (192, 28 * 28, (64, 96, 16), 256),
    "inception_3b": (256, 28 * 28, (128, 128, 32), 480),
    "inception_4a": (480, 14 * 14, (192, 96, 16), 512),
    "inception_4e": (528, 14 * 14, (256, 160, 32), 832),
    "inception_5b": (832, 7 * 7, (384, 192, 48), 1024),
}


def works(device, kernels, module: str, batch: int) -> dict[str, Callable[[], None]]:
    """What is timed, by name; the first convolution's output lies in the module's."""
    c, pixels, outputs, whole = MODULES[module]
    steps = whole * pixels, outputs[1] * pixels, outputs[2] * pixels
    g = siblings.Fan(batch, c, pixels, *outputs, c * pixels, *steps, 1, 1, 1)
    rng = np.random.default_rng(0)

    def array(count: int) -> np.ndarray:
        out = device.empty((count,))
        out[...] = rng.standard_normal(count)
        return out

    x, dx = array(batch * c * pixels), array(batch * c * pixels)
    w, dw = ([array(m * c) for m in outputs] for _ in range(2))
    y, dy = ([array(batch * step) for step in steps] for _ in range(2))
    b = [array(m) for m in outputs]
    return {
        "forward": lambda: kernels.siblings_forward(x, *w, *b, *y, g),
        "by data": lambda: kernels.siblings_backward_data(*dy, *w, dx, g),
        "by weights": lambda: kernels.siblings_backward_weights(x, *dy, *dw, g),
    }


def least(runs: list[Callable[[], None]], rounds: int) -> list[float]:
    """The least processor time of each, in ms; they take turns."""
    records = take_turns([Steps("", run) for run in runs], rounds, block_s=0.02, rest_s=0)
    return [1e3 * min(block.processor_s for block in record.blocks) for record in records]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--modules", default=",".join(MODULES))
    options = parser.parse_args()
    numba.set_num_threads(1)
    device = CpuDevice()
    ways = siblings.one_by_one(device.bind(convolution)), device.bind(siblings)
    print(f"{'ms':14}{'':12}{'one by one':>12}{'as one':>10}{'ratio':>8}")
    for module in options.modules.split(","):
        before, after = (works(device, kernels, module, options.batch) for kernels in ways)
        for name in before:
            one, other = least([before[name], after[name]], options.rounds)
            print(f"{module:14}{name:12}{one:12.2f}{other:10.2f}{one / other:8.2f}")


if __name__ == "__main__":
    main()
