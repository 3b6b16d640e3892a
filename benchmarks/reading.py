"""How many characters `minicaffe read` gets right, on photos drawn by program from digits held out of
training.

    python benchmarks/reading.py [--photos 200] [--first 0] [--wrong]
                                 [--kinds photos,hard,arithmetic,table,empty,texture]

A character is right if it is read in its place: lines are paired in order, and in each pair the longest
common sequence counts, so that what was left out or put in shifts nothing.  "put in" are the characters read
beyond those.  Needs MNIST (minicaffe data get mnist) and a checkout.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minicaffe.reading.read import read
from minicaffe.reading.recognizer import Recognizer

KINDS = ("photos", "hard", "arithmetic", "table", "empty", "texture")


class Score(NamedTuple):
    """Of characters."""

    right: int
    written: int
    put_in: int


def common(a: Sequence, b: Sequence, score=lambda x, y: int(x == y)) -> int:
    """The largest sum of scores of pairs in order, one from each: of equal characters the longest common
    subsequence."""
    best = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            best[i + 1, j + 1] = max(best[i, j + 1], best[i + 1, j], best[i, j] + score(x, y))
    return int(best[-1, -1])


def score(written: Sequence[str], read_as: Sequence[str]) -> Score:
    right = common(written, read_as, common)
    return Score(right, sum(map(len, written)), sum(map(len, read_as)) - right)


def main() -> None:
    from tools import photos

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--wrong", action="store_true", help="list the photos that are not read rightly")
    args = parser.parse_args()
    recognizer = Recognizer()
    for kind in args.kinds.split(","):
        total, whole, seconds, megapixels = Score(0, 0, 0), 0, [], []
        for seed in range(args.first, args.first + args.photos):
            photo = photos.draw(seed, kind)
            start = time.process_time()
            page = read(photo.image, recognizer=recognizer)
            seconds.append(time.process_time() - start)
            megapixels.append(photo.image.shape[0] * photo.image.shape[1] / 1e6)
            got = [line.text.replace(" ", "") for line in page.lines]
            one = score(photo.lines, got)
            total = Score(*(a + b for a, b in zip(total, one)))
            whole += got == photo.lines
            if args.wrong and got != photo.lines:
                print(f"  {seed}: {photo.lines} read as {[line.marked for line in page.lines]}")
        share = f"{total.right / total.written:.2%} of {total.written} right" if total.written else "empty"
        cpu_s, size = statistics.median(seconds), statistics.median(megapixels)
        print(
            f"{kind:10} {args.photos} photos: {share}, {total.put_in} put in, {whole} photos without a fault;"
            f" {cpu_s:.2f} s of CPU a photo of {size:.1f} megapixels",
            flush=True,
        )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
