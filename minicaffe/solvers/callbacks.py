"""Callbacks: what other code is told while a solver runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .solver import Solver


class Callback:
    """Base of callbacks; override what is of interest.  They run on the solver's thread, between
    iterations."""

    def on_start(self, solver: Solver) -> None:
        """Before the first iteration of `solve`."""

    def on_iteration(self, solver: Solver) -> None:
        """After an update; solver.iteration counts the updates made."""

    def on_test(self, solver: Solver, index: int, results: dict[str, list[float]]) -> None:
        """After a test of test net `index`: the mean of every output element, by blob."""

    def on_snapshot(self, solver: Solver, path: Path) -> None:
        """After a snapshot; `path` is its solver state."""

    def on_stop(self, solver: Solver) -> None:
        """When `solve` ends, for whatever reason."""
