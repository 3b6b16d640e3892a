"""Verdicts on a solver: what it says of its nets, and what training refuses before it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..data import datasets
from ..data.absent import is_here
from ..device.cpu import CpuDevice
from ..device.gpus import check_number, count_gpus, import_cupy, or_cpu
from ..errors import DataError, MiniCaffeError
from ..proto import text
from ..proto.schema import SolverParameter
from ..solvers import extras, nets, settings, snapshot
from .finding import ADVICE, ERROR, WARNING, Finding, from_error
from .reading import Subject

ADAPTIVE = ("AdaDelta",)  # finds its own rate: base_lr is 1 there


def of_solver(subject: Subject, path: str) -> Iterator[Finding]:
    """What a solver says of the nets."""
    solver = subject.solver
    assert solver is not None

    def finding(severity: str, rule: str, what: str, remedy: str) -> Finding:
        return Finding(severity, rule, path, "", what, remedy)

    if not solver.base_lr:
        yield finding(WARNING, "no_rate", "base_lr is 0: nothing is learned", "base_lr: 0.01")
    if solver.base_lr >= 1 and solver.type not in ADAPTIVE:
        what = f"base_lr is {solver.base_lr:g}: with {solver.type} the loss will hardly stay finite"
        yield finding(WARNING, "high_rate", what, "base_lr: 0.01")
    if solver.max_iter <= 0:
        yield finding(WARNING, "no_iterations", "max_iter is 0: training ends at once", "set max_iter")
    tests = [state for state in subject.states if not state.trains]
    for state, iterations in zip(tests, solver.test_iter):
        for i in state.of_type("Data"):
            conf = state.layers[i].data_param
            if samples := _samples(conf.source):
                seen = iterations * conf.batch_size
                if seen != samples:
                    what = f"a test sees {seen} samples: test_iter {iterations} times batch_size"
                    what += f" {conf.batch_size}; {conf.source} has {samples}"
                    remedy = "let the product be the number of samples"
                    yield finding(ADVICE, "part_of_test_set", what, remedy)


def _samples(source: str) -> int | None:
    """Those of a named source; None for others, and for a range that it lacks, which the layer refuses."""
    try:
        return datasets.samples(source)
    except DataError:
        return None


def refusals(subject: Subject, path: str, *, cpu: bool) -> Iterator[Finding]:
    """What `train` would refuse to begin with; nothing is written to find out."""
    solver = subject.solver
    assert solver is not None

    def snapshots() -> None:
        if solver.snapshot_after_train and not solver.snapshot:
            snapshot.check_writable(solver.snapshot_prefix, trial=False)

    def device() -> None:
        if solver.HasField("solver_mode") and solver.solver_mode == SolverParameter.GPU and not cpu:
            asked = "solver_mode: GPU"
            with or_cpu():
                check_number(solver.device_id, count_gpus(import_cupy(asked), asked), asked)

    def weights() -> None:
        for entry in solver.weights:
            for name in (word.strip() for word in entry.split(",")):
                if not is_here(nets.find(name, path)):
                    raise DataError(f"cannot read {name}: No such file or directory")

    def watched() -> None:
        tests = [state.net for state in subject.states if not state.trains]
        built = [net for net in tests if net is not None]
        if len(built) == len(tests):
            extras.of(solver, built, CpuDevice(kernels="python"))

    checks: list[tuple[str, Callable[[], None], str]] = [
        ("bad_solver", lambda: settings.check(solver, trial=False), ""),
        ("no_snapshots", snapshots, ""),
        ("bad_solver", watched, ""),
        ("no_gpu", device, "solver_mode"),
        ("no_weights", weights, "weights"),
    ]
    for rule, passes, field in checks:
        try:
            with text.in_file(path, field):
                passes()
        except MiniCaffeError as error:
            yield from_error(error, path, rule)._replace(severity=ERROR)
