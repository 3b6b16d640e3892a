"""Callbacks: what other code is told while a solver runs, and may keep in its snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..proto.schema import NetParameter
    from .snapshot import State
    from .solver import Solver

Results = Sequence[Mapping[str, list[float]]]  # per test net: the mean of every output element, by blob


class Callback:
    """Base of callbacks; override what is of interest.  They run on the solver's thread, between iterations.

    key      the name under which snapshots hold what `state` returns; empty for callbacks that keep nothing
    may_lag  True if on_iteration may be told of updates that turn out not to have been made, because a GPU
             was not waited for: it neither keeps nor reports anything of iterations that were not displayed
    """

    key = ""
    may_lag = False

    # -- events

    def on_start(self, solver: Solver) -> None:
        """Before the first iteration of `solve`, after resuming."""

    def on_begin(self, solver: Solver) -> None:
        """Before the passes of an iteration, behind its test."""

    def on_gradients(self, solver: Solver) -> bool:
        """Between the passes of an iteration and its update; returns whether it changed gradients."""
        return False

    def on_iteration(self, solver: Solver) -> None:
        """After an update; solver.iteration counts the updates made."""

    def on_test(self, solver: Solver, results: Results) -> None:
        """After a test of all test nets."""

    def on_snapshot(self, solver: Solver, path: Path | None) -> None:
        """After a snapshot; `path` is its solver state, None if it could not be written: then
        solver.snapshot_error says why."""

    def on_stop(self, solver: Solver) -> None:
        """When `solve` ends, for whatever reason."""

    # -- what a resumed run needs

    def state(self) -> dict[str, Any]:
        """What the next decisions depend on, as JSON has it."""
        return {}

    def restore(self, solver: Solver, state: dict[str, Any], stored: State) -> None:
        """Go on from what `state` returned; `stored` is the snapshot that holds it."""

    def weights(self, solver: Solver) -> dict[str, NetParameter]:
        """Further weights for the snapshot, by what their file names have behind the iteration."""
        return {}

    def testing(self, solver: Solver) -> AbstractContextManager:
        """Surrounds a test: inside it the net has the weights to test."""
        return nullcontext()

    def training(self, solver: Solver) -> AbstractContextManager:
        """Surrounds a snapshot, in the middle of a test too: inside it the net has the weights to train."""
        return nullcontext()
