"""What a run loses while many ask the studio about it: bursts of parallel requests beside training.

    python benchmarks/studio.py [--parallel 200] [--every 1] [--seconds 10] [--turns 3]

`minicaffe studio` serves a folder in which LeNet learns the embedded digits. In a burst, `--parallel` clients
ask at the same moment, one question each, of the kind that an open page asks: new metrics, the state, the
list of runs, new events, new log. Busy turns take turns with quiet ones. Reported are answers, errors, how
long answers took and what they cost the server in processor time, which means something on a busy machine
too; and iterations a second in quiet and in busy turns, as metrics.jsonl has them. The clients, all in one
process, compete with the run as well: they ask politely (nice 19).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

QUESTIONS = ("metrics?after={after}", "", "events", "log?after={log}", "metrics?points=1200")
FORM = {"template": "digits/train_test", "learning_rate": 0.001, "name": "run", "val_interval": 0}


class Studio:
    """A server of its own, in a process, for a folder."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "minicaffe", "studio", str(folder), "--port", "0", "--no-browser"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        address, _, token = self.process.stdout.readline().strip().partition("/#token=")
        self.host = urlsplit(address).netloc
        self.headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def processor_s(self) -> float:
        """The processor time of the server so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, method: str, path: str, body: dict | None = None) -> tuple[int, dict]:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body and json.dumps(body), self.headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


class Crowd:
    """Clients that ask in bursts."""

    def __init__(self, studio: Studio, parallel: int) -> None:
        self.studio, self.parallel = studio, parallel
        self.pool = ThreadPoolExecutor(parallel)
        self.barrier = threading.Barrier(parallel)
        self.took: list[float] = []
        self.cost_s = 0.0  # of the server
        self.errors: list[str] = []

    def burst(self, after: int, log: int) -> None:
        before = self.studio.processor_s()
        list(self.pool.map(lambda i: self._ask(i, after, log), range(self.parallel)))
        self.cost_s += self.studio.processor_s() - before

    def _ask(self, i: int, after: int, log: int) -> None:
        question = QUESTIONS[i % len(QUESTIONS)].format(after=after, log=log)
        path = f"/api/jobs/run/{question}".rstrip("/") if i % 7 else "/api/jobs"
        self.barrier.wait(60)
        begun = time.perf_counter()
        try:
            status, _ = self.studio.ask("GET", path)
            if status != 200:
                self.errors.append(f"{path}: {status}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.errors.append(f"{path}: {error}")
        self.took.append(time.perf_counter() - begun)


def pace(rows: list[dict]) -> float:
    """Iterations a second; 0 where there are too few displays to tell."""
    if len(rows) < 2:
        return 0.0
    return (rows[-1]["iteration"] - rows[0]["iteration"]) / (rows[-1]["seconds"] - rows[0]["seconds"])


def displays(folder: Path) -> list[dict]:
    lines = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["phase"] == "train"]


def turn(folder: Path, crowd: Crowd | None, seconds: float, every: float) -> float:
    """Iterations a second during so many seconds."""
    begun, end = len(displays(folder)), time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if crowd is not None:
            crowd.burst(*((folder / "run" / name).stat().st_size for name in ("metrics.jsonl", "log.txt")))
        time.sleep(min(every, max(0.0, left)))
    return pace(displays(folder)[begun:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parallel", type=int, default=200)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between bursts")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a turn")
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studio = Studio(folder)
        try:
            solver = 'base_lr: 0.001 lr_policy: "fixed" max_iter: 10000000 display: 10 snapshot: 0'
            status, made = studio.ask(
                "POST", "/models/images/classification.json", {**FORM, "solver": solver}
            )
            assert status == 200, made
            while not (folder / "run" / "metrics.jsonl").exists() or len(displays(folder)) < 5:
                time.sleep(0.2)
            os.nice(19)
            crowd, quiet, busy = Crowd(studio, args.parallel), [], []
            for _ in range(args.turns):
                quiet.append(turn(folder, None, args.seconds, args.every))
                busy.append(turn(folder, crowd, args.seconds, args.every))
            report(crowd, quiet, busy)
        finally:
            studio.ask("POST", "/models/run/abort")
            studio.process.terminate()
            studio.process.wait()


def report(crowd: Crowd, quiet: list[float], busy: list[float]) -> None:
    took = sorted(crowd.took)
    half, most = statistics.median(took), took[int(0.99 * (len(took) - 1))]
    print(f"answers {len(took):,}, errors {len(crowd.errors)}", *crowd.errors[:3], sep="\n  ")
    print(f"an answer took {1e3 * half:.0f} ms (median), {1e3 * most:.0f} ms (99 of 100)")
    print(f"an answer cost the server {1e3 * crowd.cost_s / len(took):.2f} ms of a processor")
    still, loud = statistics.median(quiet), statistics.median(busy)
    share = f"{loud / still:.3f} of it" if still else "the turns are too short to tell"
    print(f"iterations a second: quiet {still:.1f}, busy {loud:.1f}: {share}")


if __name__ == "__main__":
    main()
