"""What training will take, before it begins: memory, work, an idea of the time; and what is wrong with it.

Runs in the worker process "check": the texts come from the page, and may be anything.

The time is a rough one.  An iteration is taken to compute at COMPUTED multiply-adds a second, to move MOVED
bytes a second and to lose LAUNCHED at every layer, with which the steps of GoogLeNet, AlexNet and LeNet that
docs/benchmarks.md records for two cores come out within a third.  The page replaces it by what the run
measures as soon as there is one.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..checking.check import check
from ..checking.finding import Finding

COMPUTED, MOVED, LAUNCHED = 75e9, 8e9, 30e-6
BACKWARD = 2  # times as much as forward: the gradients of bottoms and of parameters


def estimate(net: str, solver: str) -> dict[str, Any]:
    """The answer about one run, whose net the solver names as net.prototxt.

    parameters, multiply_adds   of the training net, forward
    bytes, parts                that training and tests take; by purpose
    step_s, test_s, total_s     about how long an iteration, a test and all of it take; None if not known
    findings                    as in checking.finding, what keeps it from running and what to think over
    """
    with TemporaryDirectory(prefix="minicaffe-estimate-") as folder:
        path = Path(folder, "solver.prototxt")
        path.with_name("net.prototxt").write_text(net)
        path.write_text(solver.replace('net: "net.prototxt"', f'net: "{folder}/net.prototxt"'))
        report = check(str(path), cpu=True)
        found = [_plain(finding, folder) for finding in report.findings if finding.rule != "no_snapshots"]
    train = next((state for state in report.states if state.name == "TRAIN" and state.bytes), None)
    tests = [state for state in report.states if state is not train and state.bytes]
    answer: dict[str, Any] = {"findings": found, "ok": report.ok, "step_s": None, "test_s": None}
    if train is None or train.bytes is None:
        return answer
    held = train.bytes.total + sum(state.bytes.own + state.bytes.planned for state in tests if state.bytes)
    step = _seconds((1 + BACKWARD) * train.multiply_adds, 3 * train.bytes.data, 2 * len(train.layers))
    once = sum(_seconds(s.multiply_adds, s.bytes.data, len(s.layers)) for s in tests if s.bytes)
    return answer | {
        "parameters": train.parameters,
        "multiply_adds": train.multiply_adds,
        "bytes": held,
        "parts": train.bytes._asdict(),
        "step_s": step,
        "test_s": once,
    }


def _seconds(multiply_adds: float, moved: float, layers: int) -> float:
    return multiply_adds / COMPUTED + moved / MOVED + layers * LAUNCHED


def _plain(finding: Finding, folder: str) -> dict[str, str]:
    clean = {key: str(value).replace(f"{folder}/", "") for key, value in finding._asdict().items()}
    return {key: clean[key] for key in ("severity", "rule", "where", "layer", "what", "remedy")}
