"""Train the nets that are compared with published systems, and write docs/results.md.

    python tools/make_results.py                    every row; hours
    python tools/make_results.py lenet --pytorch PYTHON
    python tools/make_results.py --render           the page alone, from docs/results/*.json
    python tools/make_results.py --short            seconds a row: whether all of them still learn

A row is described in tools/results/rows.py.  Its numbers go to docs/results/ROW.json, its pictures to
docs/images/results/, and its part of the page is made of both.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from minicaffe.files import write_atomic, write_together
from tools.results import page, pictures, running
from tools.results.rows import ROWS, Row


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join(ROWS)} (default: all)")
    parser.add_argument(
        "--render", action="store_true", help="write the page from the numbers that are there"
    )
    parser.add_argument("--short", action="store_true", help="a shortened run of each, that leaves nothing")
    parser.add_argument(
        "--runs", metavar="DIR", help="keep the runs there, and go on with those that are there"
    )
    parser.add_argument(
        "--pytorch", metavar="PYTHON", help="an interpreter that has PyTorch: steps are compared"
    )
    args = parser.parse_args()
    rows = [ROWS[name] for name in args.rows or ROWS]
    if args.short:
        learnt = [short(row) for row in rows if row.short]  # all of them, whatever the first does
        return int(not all(learnt))
    for row in rows if not args.render else []:
        with working_in(args.runs):
            run(row, args.pytorch)
    write_atomic(page.PAGE, page.rendered(page.PAGE.read_text(), page.results()).encode())
    return 0


@contextmanager
def working_in(folder: str | None) -> Iterator[None]:
    """Inside, it is the working folder, or a temporary one is if none is named."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(folder or temporary)
        place.mkdir(parents=True, exist_ok=True)
        os.chdir(place)
        try:
            yield
        finally:
            os.chdir(before)


def short(row: Row) -> bool:
    """Whether a shortened run learns; prints what came of it."""
    begun = time.process_time()
    with working_in(None):
        accuracy = running.shortened(row, Path("run")).evaluation.accuracy.value
    learns = accuracy >= row.short.at_least
    took = f"{time.process_time() - begun:.1f} s"
    verdict = "ok" if learns else "TOO LOW"
    print(f"{row.name:22}{accuracy:8.4f} of {row.short.at_least:.2f} {took:>8}  {verdict}", flush=True)
    return learns


def run(row: Row, pytorch: str | None) -> None:
    """Train a row with all its seeds, in the working folder, and write its numbers and pictures."""
    running.prepare(row)
    running.compile_first(row)
    runs = []
    for seed in row.seeds or (None,):
        home = Path(row.name if seed is None else f"{row.name}_{seed}")
        running.train(row, home, seed=seed)
        runs.append(running.judged(row, home, batches=row.batches))
    first = runs[0]
    result = {
        "row": row.name,
        "runs": [running.numbers(row, each) for each in runs],
        "inference_ms": running.inference_ms(first),
        "machine": running.machine(first.job),
        "pytorch": running.beside_pytorch(row, pytorch) if pytorch else _earlier(row),
    }
    drawn = pictures.of(row, [each.curves for each in runs], first.evaluation)
    for place in (page.NUMBERS, page.PICTURES):
        place.mkdir(parents=True, exist_ok=True)
    contents = {page.PICTURES / f"{row.name}_{name}.png": png for name, png in drawn.items()}
    contents[page.NUMBERS / f"{row.name}.json"] = (json.dumps(result, indent=1) + "\n").encode()
    write_together(contents)
    print(f"{row.name}: {page.accuracy(result):.4f}, to reach: {row.goal:.4f}", flush=True)


def _earlier(row: Row):
    """The comparison with PyTorch that was made when it was last asked for."""
    return page.results().get(row.name, {}).get("pytorch")


if __name__ == "__main__":
    sys.exit(main())
