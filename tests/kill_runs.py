"""Kill training with SIGKILL at random moments, many times, and check every snapshot it leaves.

    python -m tests.kill_runs [--runs 200] [--seed 1]

Each run resumes the one before.  Every snapshot on the disk must be readable and hold, bit for bit, what an
uninterrupted run holds at that iteration.  The bounded form is in tests/cli/test_kill.py.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile

from .support.killing import kill_runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        read, reached = kill_runs(args.runs, random.Random(args.seed), lambda text: print(text, flush=True))
        os.chdir("/")
    print(f"{args.runs} runs killed, {read} snapshots read, iteration {reached}: all whole, all exact")


if __name__ == "__main__":
    main()
