"""How near the kernels that wait for memory come to what memory gives: ms, GB/s, share of a triad.

    python benchmarks/bandwidth.py [--only dropout,lrn] [--threads 1] [--double] [--plain] [--rounds 20]

Sizes are those of the nets that are trained with the package.  The triad, a = b + s c over arrays that no
inner cache holds, and a sum, which only reads, say what these threads can move.  Kernels take turns and the
least time of each counts.  Bytes are those of the arrays, each counted once for being read and once for being
written; an array that lies in a cache is faster than the triad's.  --plain times the compiled loops beside
the composites.  One thread is timed by its processor time, which others who use the machine change little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numba
import numpy as np

from minicaffe.core.filler import Twister
from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import (
    activation,
    batch_norm,
    eltwise,
    exponential,
    lrn,
    pooling,
    prelu,
    random,
    recurrent,
    scale,
    softmax,
)

TRIAD = 1 << 24  # elements
Case = tuple[str, Callable[[], object], int]  # name, what is timed, bytes moved


@numba.njit(parallel=True)
def triad(a, b, c):
    for i in numba.prange(a.size):
        a[i] = b[i] + a.dtype.type(3) * c[i]


@numba.njit(parallel=True, fastmath=True)
def read(a):
    total = a.dtype.type(0)
    for i in numba.prange(a.size):
        total += a[i]
    return total


class Cases:
    """All cases of one device."""

    def __init__(self, device: CpuDevice) -> None:
        self.device, self.rng = device, np.random.default_rng(0)
        self.size = device.dtype.itemsize

    def array(self, *shape: int, dtype=None) -> np.ndarray:
        out = self.device.empty(shape, dtype)
        out[...] = self.rng.standard_normal(shape, np.float32)
        return out.reshape(-1)

    def all(self) -> Iterator[Case]:
        a, b, c = (self.array(TRIAD) for _ in range(3))
        yield "triad", lambda: triad(a, b, c), 3 * self.size * TRIAD
        yield "read", lambda: read(a), self.size * TRIAD
        for part in (
            self.dropout,
            self.pooling,
            self.lrn,
            self.softmax,
            self.norm,
            self.elements,
            self.chance,
        ):
            yield from part()

    def dropout(self) -> Iterator[Case]:
        k, stream = self.device.bind(random), self.device.zeros((4,), np.uint32)
        for name, batch, width in (
            ("Keras CNN", 128, 9216),
            ("Keras CNN ip", 128, 128),
            ("CaffeNet", 256, 4096),
        ):
            x, y = self.array(batch, width), self.array(batch, width)
            yield (
                f"dropout {name}",
                lambda x=x, y=y, b=batch, w=width: k.dropout(x, y, stream, b, w, 0.25, 1.5),
                2 * self.size * x.size,
            )

    def pooling(self) -> Iterator[Case]:
        k = self.device.bind(pooling)
        nets = {
            "max CIFAR pool1": (3200, 32, 16, 3, 2, 0),
            "max LeNet pool1": (1280, 24, 12, 2, 2, 0),
            "max Keras CNN": (8192, 24, 12, 2, 2, 0),
            "max GoogLeNet pool1": (2048, 112, 56, 3, 2, 0),
            "max GoogLeNet pool2": (6144, 56, 28, 3, 2, 0),
            "max GoogLeNet 3a": (6144, 28, 28, 3, 1, 1),
            "max GoogLeNet 4b": (16384, 14, 14, 3, 1, 1),
            "max GoogLeNet 5b": (26624, 7, 7, 3, 1, 1),
            "ave CIFAR pool2": (3200, 16, 8, 3, 2, 0),
            "ave CIFAR pool3": (6400, 8, 4, 3, 2, 0),
            "ave GoogLeNet pool5": (32768, 7, 1, 7, 1, 0),
            "ave GoogLeNet loss": (16384, 14, 4, 5, 3, 0),
        }
        for name, (planes, side, out, kernel, stride, pad) in nets.items():
            g = pooling.Pool(planes, side, side, out, out, *[kernel] * 2, *[stride] * 2, *[pad] * 4)
            g = g._replace(channels=planes)
            x, y = self.array(planes, side, side), self.array(planes, out, out)
            mask = self.array(planes, out, out, dtype=np.int32)
            if name.startswith("max"):
                calls = (
                    lambda x=x, y=y, mask=mask, g=g: k.max_pool_forward(x, y, mask, g),
                    lambda x=x, y=y, mask=mask, g=g: k.max_pool_backward(y, mask, x, g, 0),
                )
            else:
                calls = (
                    lambda x=x, y=y, g=g: k.ave_pool_forward(x, y, g),
                    lambda x=x, y=y, g=g: k.ave_pool_backward(y, x, g, 0),
                )
            nbytes = self.size * (x.size + y.size) + 4 * mask.size * name.startswith("max")
            calls[0]()
            yield name + " forward", calls[0], nbytes
            yield name + " backward", calls[1], nbytes

    def lrn(self) -> Iterator[Case]:
        k = self.device.bind(lrn)
        nets = {
            "GoogLeNet 1": (32, 64, 56 * 56, 2, 0),
            "GoogLeNet 2": (32, 192, 56 * 56, 2, 0),
            "CIFAR full": (3200, 16, 16, 1, 1),
        }
        for name, (groups, h, w, lines, columns) in nets.items():
            g = lrn.Lrn(groups, h, w, lines, columns)
            x, y, inverse, dy, dx = (self.array(groups, h, w) for _ in range(5))
            yield (
                f"lrn {name} forward",
                lambda x=x, y=y, i=inverse, g=g: k.lrn_forward(x, y, i, g, 1.0, 1e-4, 0.75),
                3 * self.size * x.size,
            )
            yield (
                f"lrn {name} backward",
                lambda a=(x, y, inverse, dy, dx, g): k.lrn_backward(*a, 1e-4, 0.75),
                5 * self.size * x.size,
            )

    def softmax(self) -> Iterator[Case]:
        k = self.device.bind(softmax)
        for name, (outer, classes, inner) in {
            "32 x 1000": (32, 1000, 1),
            "20 x 50000": (20, 50000, 1),
            "4096 x 10": (4096, 10, 1),
            "21 x 500 x 500": (1, 21, 500 * 500),
            "20 x 5000 x 7 x 7": (20, 5000, 49),
        }.items():
            g = softmax.Columns(outer, classes, inner)
            x, y, dy = (self.array(outer, classes, inner) for _ in range(3))
            yield f"softmax {name}", lambda x=x, y=y, g=g: k.softmax_forward(x, y, g), 2 * self.size * x.size
            yield (
                f"softmax {name} backward",
                lambda x=x, y=y, dy=dy, g=g: k.softmax_backward(y, dy, x, g),
                3 * self.size * x.size,
            )

    def norm(self) -> Iterator[Case]:
        k, s, p = (self.device.bind(family) for family in (batch_norm, scale, prelu))
        for name, n, channels, inner in (("56", 32, 64, 56 * 56), ("7", 32, 512, 49), ("1", 128, 4096, 1)):
            x, y, dy = (self.array(n, channels, inner) for _ in range(3))
            of = [self.array(channels) for _ in range(6)]
            of[1][...] = 1
            g, e = batch_norm.Channels(n, channels, inner, 0), scale.Extent(n, channels, inner)
            planes, wanted = prelu.Planes(n, channels, inner, 0), batch_norm.Wanted(1, 1, 1)
            moved = self.size * x.size
            for kernel, call, arrays in (
                ("channel_moments", lambda a=(x, *of[:2], g): k.channel_moments(*a), 1),
                ("batch_norm_forward", lambda a=(x, *of[:4], y, g): k.batch_norm_forward(*a, 1e-5, 0), 2),
                (
                    "batch_norm_backward",
                    lambda a=(x, *of[:4], dy, y, *of[4:], g), w=wanted: k.batch_norm_backward(*a, 1e-5, 0, w),
                    3,
                ),
                ("scale_forward", lambda a=(x, of[0], y, e): s.scale_forward(*a, 0), 2),
                ("scale_gradient", lambda a=(x, dy, of[5], e): s.scale_gradient(*a, 0), 2),
                ("bias_gradient", lambda a=(dy, of[5], e): s.bias_gradient(*a, 0), 1),
                ("prelu_forward", lambda a=(x, of[0], y, planes): p.prelu_forward(*a), 2),
                ("prelu_backward", lambda a=(x, of[0], dy, y, planes): p.prelu_backward(*a), 3),
                ("prelu_sums", lambda a=(x, dy, of[4], planes): p.prelu_sums(*a), 2),
            ):
                yield f"{kernel} {name}", call, arrays * moved

    def elements(self) -> Iterator[Case]:
        count = 1 << 21
        a, e, x = (self.device.bind(family) for family in (activation, eltwise, exponential))
        u, v, w, z = (self.array(count) for _ in range(4))
        mask = self.device.zeros((count,), np.int32)
        for name, call, arrays in (
            ("relu_forward", lambda: a.relu_forward(u, v, 0.0), 2),
            ("relu_backward", lambda: a.relu_backward(u, v, w, 0.0), 3),
            ("sigmoid_forward", lambda: a.sigmoid_forward(u, v), 2),
            ("sigmoid_backward", lambda: a.sigmoid_backward(u, v, w), 3),
            ("tanh_forward", lambda: a.tanh_forward(u, v), 2),
            ("elu_forward", lambda: a.elu_forward(u, v, 1.0), 2),
            ("swish_forward", lambda: a.swish_forward(u, v, w, 1.0), 3),
            ("bnll_forward", lambda: a.bnll_forward(u, v), 2),
            ("bnll_backward", lambda: a.bnll_backward(u, v, w), 3),
            ("exp_forward", lambda: x.exp_forward(u, v, 1.0, 1.0), 2),
            ("log_forward", lambda: x.log_forward(z, v, 0.0, 2.0, 1.0), 2),
            ("sum_pair", lambda: e.sum_pair(u, v, w, 1.0, 1.0, 0), 3),
            ("sum_backward", lambda: e.sum_backward(u, v, w, 1.0, 0, 0), 2),
            ("product_pair", lambda: e.product_pair(u, v, w, 0), 3),
            ("max_pair", lambda: e.max_pair(u, v, w, mask, 0), 4),
            ("max_backward", lambda: e.max_backward(u, mask, w, 0, 0), 3),
        ):
            yield name, call, arrays * self.size * count
        k, n, d = self.device.bind(recurrent), 64, 256
        g = recurrent.TimeStep(n, d, 1)
        gates, dgates = self.array(n, 4 * d), self.array(n, 4 * d)
        cont, before, c, h, kept, dh, dc = self.array(2 * n), *(self.array(n, d) for _ in range(6))
        yield (
            "lstm_forward",
            lambda: k.lstm_forward(gates, cont, before, c, h, kept, g),
            12 * self.size * n * d,
        )
        call = lambda: k.lstm_backward(gates, cont, before, c, dh, kept, dc, dgates, g)  # noqa: E731
        yield "lstm_backward", call, 14 * self.size * n * d

    def chance(self) -> Iterator[Case]:
        count = 1 << 20
        twister, numbers = Twister(1), np.empty(count, np.float32)
        yield "Gaussian numbers", lambda: twister.normal(0, 1, numbers), 4 * count
        yield "uniform numbers", lambda: twister.uniform(0, 1, (count,), np.float32), 4 * count


def least(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """The least time of each in seconds; they take turns."""
    clock = time.thread_time if numba.get_num_threads() == 1 else time.perf_counter
    best = [np.inf] * len(calls)
    for _ in range(rounds + 1):  # the first compiles
        for i, call in enumerate(calls):
            begun = clock()
            call()
            best[i] = min(best[i], clock() - begun)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="parts of names, separated by commas")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    parser.add_argument("--double", action="store_true", help="float64")
    parser.add_argument("--plain", action="store_true", help="the compiled loops as well")
    options = parser.parse_args()
    numba.set_num_threads(options.threads)
    dtype, parts = (np.float64 if options.double else np.float32), options.only.split(",")
    forms = ["composite", "plain"] if options.plain else ["composite"]
    columns = [list(Cases(CpuDevice(dtype, kernels=form)).all()) for form in forms]
    rows = [row for row in zip(*columns) if row[0][0] == "triad" or any(part in row[0][0] for part in parts)]
    times_s = iter(least([call for row in rows for _, call, _ in row], options.rounds))
    print(f"{np.dtype(dtype).name}, {numba.get_num_threads()} threads, least of {options.rounds} rounds\n")
    print(f"{'':34}" + "".join(f"{'ms':>9}{'GB/s':>8}{'of triad':>10}  {form:10}" for form in forms))
    rate_of_triad = 0.0
    for row in rows:
        line = f"{row[0][0]:34}"
        for _, _, nbytes in row:
            seconds = next(times_s)
            rate_of_triad = rate_of_triad or nbytes / seconds
            line += (
                f"{1e3 * seconds:9.3f}{nbytes / seconds / 1e9:8.1f}{nbytes / seconds / rate_of_triad:10.2f}"
            )
            line += " " * 12
        print(line.rstrip())


if __name__ == "__main__":
    main()
