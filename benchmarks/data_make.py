"""How fast a data set is made of image files, beside what reading and decoding them costs alone.

    python benchmarks/data_make.py [--images 60000] [--side 28] [--form png] [--threads 1,2] [--rounds 3]

The files are grey noise over half of a dark image, about as long as those of MNIST's digits, or, with --form
jpg, coloured.  `decoder` is Pillow's open and load of the files' bytes, in one thread; `files` is opening and
reading them.  Processor time counts all threads, so that it means something on a busy machine too: it is what
one processor would need; wall time does not.  Memory is what the process has taken at most, less what it had
before.  Rounds take turns.
"""

from __future__ import annotations

import argparse
import io
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from minicaffe.data.images import contents
from minicaffe.data.making import Options, make

CLASSES = 10


def files(folder: Path, count: int, side: int, form: str) -> list[Path]:
    """`count` files of ten classes."""
    rng = np.random.default_rng(0)
    quarter = side // 6
    paths = []
    for number in range(count):
        image = np.zeros((side, side, 3 if form == "jpg" else 1), np.uint8)
        inner = image[quarter : side - quarter, quarter : side - quarter]
        inner[...] = rng.integers(0, 256, inner.shape, np.uint8) * (rng.random(inner.shape) > 0.6)
        path = folder / str(number % CLASSES) / f"{number}.{form}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).save(path)
        paths.append(path)
    return paths


def timed(work: Callable[[], object], count: int) -> tuple[float, float]:
    """Images per second of wall time, and microseconds of processor time per image."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return count / (time.perf_counter() - wall), (time.process_time() - cpu) / count * 1e6


def decode(blobs: list[bytes]) -> None:
    for blob in blobs:
        with Image.open(io.BytesIO(blob)) as image:
            image.load()


def main() -> None:
    p = argparse.ArgumentParser()
    p.add_argument("--images", type=int, default=60_000)
    p.add_argument("--side", type=int, default=28)
    p.add_argument("--form", choices=("png", "jpg"), default="png")
    p.add_argument("--size", type=int, help="side that images are resized to (default: as they are)")
    p.add_argument("--kind", default="idx")
    p.add_argument("--threads", default="1,2")
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        paths = files(Path(scratch, "files"), args.images, args.side, args.form)
        print(f"{len(paths)} files, {statistics.mean(path.stat().st_size for path in paths):.0f} bytes each")
        some = [contents(path) for path in paths[:: max(1, len(paths) // 6000)]]
        size = (args.size, args.size) if args.size else None
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found: dict[str, list[tuple[float, float]]] = {}
        for number in range(args.rounds):
            found.setdefault("files", []).append(timed(lambda: [contents(q) for q in paths], len(paths)))
            found.setdefault("decoder", []).append(timed(lambda: decode(some), len(some)))
            for threads in map(int, args.threads.split(",")):
                options = Options(kind=args.kind, size=size, val=10, threads=threads)
                out = Path(scratch, f"{number}-{threads}")
                rate = timed(lambda out=out, o=options: make(Path(scratch, "files"), out, o), len(paths))
                found.setdefault(f"make, {threads} threads", []).append(rate)
        for name, rates in found.items():
            wall, cpu = (statistics.median(values) for values in zip(*rates))
            print(f"{name:16} {cpu:8.1f} us of a processor per image, {wall:8.0f} images/s")
        taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"memory           {taken / 1024:8.1f} MiB more than before")


if __name__ == "__main__":
    main()
