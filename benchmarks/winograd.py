"""3x3 and 5x5 convolutions: direct and by Winograd's F(4x4).

    python benchmarks/winograd.py [--layers conv2,keras2] [--batch 1] [--threads 2] [--rounds 7]
    python benchmarks/winograd.py --errors

Layers of GoogLeNet, VGG, ResNet, Keras' CNN, AlexNet, LeNet and CIFAR-10 quick, in float32.  Both ways take
turns; reported are the quartiles of the rounds, in ms of the wall clock, or with --threads 1 of the thread's
processor time, which others who use the machine change little; and what the cost rule expected.  --errors:
the largest error of either way against float64, as a share of the largest value, on inputs as ReLU leaves
them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numba
import numpy as np

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import convolution
from minicaffe.kernels.tiled.choice import WAYS, choose

# layer -> batch, groups, window, input channels and outputs of a group, size of the image, padding
LAYERS = {
    "conv2": (32, 1, 3, 64, 192, 56, 1),  # GoogLeNet
    "3a": (32, 1, 3, 96, 128, 28, 1),
    "3b": (32, 1, 3, 128, 192, 28, 1),
    "4a": (32, 1, 3, 96, 208, 14, 1),
    "4e": (32, 1, 3, 160, 320, 14, 1),
    "5b": (32, 1, 3, 192, 384, 7, 1),
    "vgg1": (4, 1, 3, 64, 64, 224, 1),
    "vgg3": (8, 1, 3, 256, 256, 56, 1),
    "vgg4": (8, 1, 3, 512, 512, 28, 1),
    "vgg5": (8, 1, 3, 512, 512, 14, 1),
    "res2": (16, 1, 3, 64, 64, 56, 1),  # ResNet
    "res3": (16, 1, 3, 128, 128, 28, 1),
    "res4": (16, 1, 3, 256, 256, 14, 1),
    "res5": (16, 1, 3, 512, 512, 7, 1),
    "keras2": (128, 1, 3, 32, 64, 26, 0),  # Keras' CNN
    "keras3": (128, 1, 3, 64, 64, 24, 0),
    "3a5": (32, 1, 5, 16, 32, 28, 2),  # GoogLeNet
    "3b5": (32, 1, 5, 32, 96, 28, 2),
    "4a5": (32, 1, 5, 16, 48, 14, 2),
    "4c5": (32, 1, 5, 24, 64, 14, 2),
    "4e5": (32, 1, 5, 32, 128, 14, 2),
    "5b5": (32, 1, 5, 48, 128, 7, 2),
    "alex2": (32, 2, 5, 48, 128, 27, 2),  # AlexNet
    "lenet2": (64, 1, 5, 20, 50, 12, 0),  # LeNet
    "quick2": (100, 1, 5, 32, 32, 16, 2),  # CIFAR-10 quick
    "quick3": (100, 1, 5, 32, 64, 8, 2),
}


def calls(device: CpuDevice, g) -> tuple[dict[str, Callable[[], None]], dict[str, np.ndarray]]:
    """A convolution and its gradients on a device, and what they write."""
    rng, kernels = np.random.default_rng(0), device.bind(convolution)
    k = g.c * g.taps

    def array(count: int, scale: float = 1.0) -> np.ndarray:
        out = device.empty((count,))
        out[...] = rng.standard_normal(count, np.float32) * np.float32(scale)  # in float64 the same numbers
        return out

    x, w, dy = array(g.n * g.x_step), array(g.groups * g.m * k, (2 / k) ** 0.5), array(g.n * g.y_step)
    np.maximum(x, 0, out=x)
    b = device.zeros((g.groups * g.m,))
    found = [device.zeros((count,)) for count in (dy.size, x.size, w.size)]
    y, dx, dw = found
    runs = (
        lambda: kernels.conv_forward(x, w, w, b, y, g),
        lambda: kernels.conv_backward_data(dy, w, dx, g),
        lambda: kernels.conv_backward_weights(x, dy, dw, g),
    )
    return dict(zip(WAYS, runs)), dict(zip(WAYS, found))


def turns(runs: list[Callable[[], None]], rounds: int, clock: Callable[[], float]) -> list[np.ndarray]:
    """The quartiles of the times of each, in ms; they take turns."""
    times = np.zeros((rounds + 1, len(runs)))
    for times_of_round in times:  # the first compiles
        for i, run in enumerate(runs):
            begun = clock()
            run()
            times_of_round[i] = 1e3 * (clock() - begun)
    return list(np.quantile(times[1:], [0.25, 0.5, 0.75], axis=0).T)


def geometry(layer: str, batch: int | None):
    n, groups, taps, c, m, size, pad = LAYERS[layer]
    out = size + 2 * pad - taps + 1
    axes = 1, size, size, 1, out, out, 1, taps, taps, 1, 1, 1, 0, pad, pad, 1, 1, 1
    return convolution.contiguous(batch or n, groups, c, m, 1, *axes)


def errors(g) -> dict[str, tuple[float, float]]:
    """The largest error of the direct way and of Winograd's, where it is taken, of the largest value."""
    found = []
    for device in CpuDevice(np.float64), CpuDevice(math="exact"), CpuDevice(math="fast"):
        runs, written = calls(device, g)
        for run in runs.values():
            run()
        found.append(written)
    wanted, *others = found
    largest = {way: np.abs(wanted[way]).max() for way in WAYS}
    return {w: tuple(np.abs(other[w] - wanted[w]).max() / largest[w] for other in others) for w in WAYS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", default=",".join(LAYERS))
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--errors", action="store_true")
    options = parser.parse_args()
    numba.set_num_threads(options.threads)
    clock = time.thread_time if options.threads == 1 else time.perf_counter
    titles = ("error, direct", "F(4x4)") if options.errors else ("ms, direct", "F(4x4)", "ratio", "expected")
    print(f"{'':39}" + "".join(title.rjust(16 if options.errors else 26) for title in titles))
    for layer in options.layers.split(","):
        g = geometry(layer, options.batch)
        name = f"{layer} {g.c}->{g.m}@{g.h}, batch {g.n}"
        if options.errors:
            for way, (direct, fast) in errors(g).items():
                print(f"{name:28}{way:11}{direct:16.1e}{fast:16.1e}")
            continue
        ways = [calls(CpuDevice(math=math), g)[0] for math in ("exact", "fast")]
        for way in WAYS:
            choice = choose(way, g)
            if not choice.winograd:
                print(f"{name:28}{way:11}  {choice.words}")
                continue
            pair = turns([runs[way] for runs in ways], options.rounds, clock)
            spread = "".join(f"{q[1]:10.2f} ({q[0]:.2f}-{q[2]:.2f})".rjust(26) for q in pair)
            print(f"{name:28}{way:11}{spread}{pair[0][1] / pair[1][1]:26.2f}{choice.words.split()[-3]:>26}")


if __name__ == "__main__":
    main()
