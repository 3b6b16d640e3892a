"""Callbacks: other code that is told while a solver trains, and may keep something in its snapshots."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..device.base import Device
    from ..errors import WeightsError
    from ..net import Net
    from ..proto.schema import NetParameter, SolverParameter
    from .display import Shown
    from .policy import Policy
    from .snapshot import State
    from .update_rules import UpdateRule

Results = Sequence[Mapping[str, list[float]]]  # per test net: the mean of every output element, by blob


class Training(Protocol):
    """What callbacks, snapshots and the search for bad values see of a solver.

    param             the SolverParameter; what is set in it counts from the next iteration on
    source            the file that it came from, empty if none did
    device            where the nets run
    net               the net that is trained
    test_nets         the nets that are tested, on the same parameters
    seed              of all random numbers
    rule              the update rule
    policy            the learning-rate policy
    history           rule.slots arrays on the device, each as long as the block of parameters
    iteration         updates made
    rate              the learning rate of the last update, None before the first
    losses            the last ones, at most average_loss of them; their mean is displayed
    shown             what was displayed last, another object for each display; None before the first
    tested            the iteration whose scheduled test is done, None if there is none
    requests          "stop" and "snapshot", which callbacks and signal handlers append, and which are
                      answered between iterations
    stopped           a stop was requested during the present or last call of `solve` or `step`
    snapshot_error    why the last snapshot could not be written, None if it was
    nonfinite_effect  what a value that is not finite does: "stop", "report" or "none"
    callbacks         all that are told, in this order
    """

    param: SolverParameter
    source: str
    device: Device
    net: Net
    test_nets: list[Net]
    seed: int
    rule: UpdateRule
    policy: Policy
    history: list[Any]
    iteration: int
    rate: float | None
    losses: deque[float]
    shown: Shown | None
    tested: int | None
    requests: deque[str]
    stopped: bool
    snapshot_error: WeightsError | None
    nonfinite_effect: str
    callbacks: list[Callback]

    def confirm(self) -> bool:
        """Make sure of the iterations behind, before something happens that must not be undone; False if one
        had to be made again: then `iteration` has stepped back to the one after it."""

    def take_requests(self) -> bool:
        """Answer the requests: `stopped` is set for a stop; returns whether a snapshot was requested."""

    def try_snapshot(self) -> None:
        """Write a snapshot; if that fails, log why and set `snapshot_error`."""


class Callback:
    """Base of callbacks; override what is of interest.  They run on the solver's thread, between iterations.

    key      the name under which snapshots hold what `state` returns; empty for callbacks that keep nothing
    may_lag  True if on_iteration may be called for updates that turn out not to have been made, because
             nobody waited for the GPU: the callback neither keeps nor reports anything of iterations that
             were not displayed
    """

    key = ""
    may_lag = False

    # -- events

    def on_start(self, solver: Training) -> None:
        """Called before the first iteration of `solve`, after resuming."""

    def on_begin(self, solver: Training) -> None:
        """Called before the passes of an iteration, after its test."""

    def on_gradients(self, solver: Training) -> bool:
        """Called between the passes of an iteration and its update; returns whether it changed gradients."""
        return False

    def on_iteration(self, solver: Training) -> None:
        """Called after an update; solver.iteration counts the updates made."""

    def on_test(self, solver: Training, results: Results) -> None:
        """Called after a test of all test nets."""

    def on_snapshot(self, solver: Training, path: Path | None) -> None:
        """Called after a snapshot; `path` is its solver state, None if it could not be written: then
        solver.snapshot_error says why."""

    def on_stop(self, solver: Training) -> None:
        """Called when `solve` ends, for whatever reason."""

    # -- what a resumed run needs

    def state(self) -> dict[str, Any]:
        """Return what the next decisions depend on, in types that JSON has."""
        return {}

    def restore(self, solver: Training, state: dict[str, Any], stored: State) -> None:
        """Go on from what `state` returned; `stored` is the snapshot that holds it."""

    def weights(self, solver: Training) -> dict[str, NetParameter]:
        """Return further weights for the snapshot, by what their file names have behind the iteration."""
        return {}

    def testing(self, solver: Training) -> AbstractContextManager:
        """Return a context that surrounds a test: inside it the net has the weights to test."""
        return nullcontext()

    def training(self, solver: Training) -> AbstractContextManager:
        """Return a context that surrounds a snapshot, also one in the middle of a test: inside it the net has
        the weights to train."""
        return nullcontext()
