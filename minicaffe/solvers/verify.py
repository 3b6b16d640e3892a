"""Proof that a run can be resumed: the same iterations in one go, and cut by a snapshot."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ..errors import ConfigError, WeightsError
from ..proto.schema import SolverParameter
from . import resume
from .solver import Solver

BATCHES = 4  # of each test net, at most


def verify_resume(param: SolverParameter, iterations: int = 6, **options) -> str:
    """Train some iterations, make a snapshot half-way, take it up in a second solver, and compare all that
    training and tests depend on, bit for bit.  Returns what was compared, in words.

    options  as for Solver.create

    Raises WeightsError that names the first difference: a layer that keeps a state of its own (a Python layer
    that draws from its own random numbers, say) makes one.  ConfigError for fewer than two iterations.
    """
    if iterations < 2:
        raise ConfigError(f"a resume can be verified from 2 iterations on; got {iterations}")
    half = iterations // 2
    with tempfile.TemporaryDirectory() as folder:
        short = _shortened(param, folder)
        whole = Solver.create(short, **options)
        whole.step(half)
        state = whole.snapshot()
        whole.step(iterations - half)
        whole.test_all()
        second = Solver.create(short, **options)
        second.restore(state)
        second.step(iterations - half)
        second.test_all()
    difference = _difference(whole, second)
    if difference:
        raise WeightsError(
            f"a resume is not exact: after {half} + {iterations - half} iterations {difference}",
            hint="does a Python layer keep a state, or draw random numbers of its own?",
        )
    count = sum(owned.blob.count for owned in whole.net.parameters.owned)
    tests = f", results of {len(whole.test_nets)} test net(s)" if whole.test_nets else ""
    return (
        f"resume is exact: {iterations} iterations equal {half} + {iterations - half} bit for bit in"
        f" {count:,} parameters and their history, losses, data positions{tests}"
    )


def _shortened(param: SolverParameter, folder: str) -> SolverParameter:
    """The solver with its snapshots in `folder`, and tests of a few batches; nothing ends it early, and no
    snapshot but the one compared is made."""
    short = SolverParameter()
    short.CopyFrom(param)
    for field in ("snapshot", "keep_best", "keep_last", "early_stop"):
        short.ClearField(field)
    short.snapshot_prefix = str(Path(folder) / "verify")
    for i, batches in enumerate(param.test_iter):
        short.test_iter[i] = min(batches, BATCHES)
    return short


def _difference(a: Solver, b: Solver) -> str:
    """The first thing that differs, in words; empty if nothing does."""
    for layer, other in zip(a.net.layers, b.net.layers):
        for j, (mine, theirs) in enumerate(zip(layer.params, other.params)):
            values = a.device.get(mine.data), b.device.get(theirs.data)
            if (count := _unequal(*values)) != 0:
                return f"parameter {j} of layer {layer.name!r} differs in {count} of {mine.count} elements"
    for slot, (one, two) in enumerate(zip(a.history, b.history)):
        if (count := _unequal(a.device.get(one), b.device.get(two))) != 0:
            return f"slot {slot} of the history differs in {count} elements"
    states = resume.run_state(a), resume.run_state(b)
    for key in states[0]:
        if states[0][key] != states[1][key]:
            return f"the run state differs in {key!r}"
    for index, (net, twin) in enumerate(zip(a.test_nets, b.test_nets)):
        for name in net.outputs if a.param.test_iter[index] else ():
            if _unequal(net.device.get(net.blobs[name].data), twin.device.get(twin.blobs[name].data)):
                return f"output {name!r} of test net #{index} differs"
    return ""


def _unequal(a: np.ndarray, b: np.ndarray) -> int:
    """How many elements differ in their bits: NaN equals NaN, 0 is not -0."""
    if a.shape != b.shape:
        return max(a.size, 1)
    one, two = (x.reshape(-1).view(np.uint8).reshape(-1, x.itemsize) for x in (a, b))
    return int((one != two).any(axis=1).sum())
