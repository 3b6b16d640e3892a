"""Parts of a captured body on streams side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Turn

MOST = 4  # branches; each has a workspace of its own, and one of cuBLAS's


class Branching:
    """The streams that a GPU's work is queued on. All is queued on `streams[0]`, but for the parts of a
    body that a capture records: those are on the stream of their branch.

    branch     the one in use
    recording  a capture is under way
    """

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        self.streams = [cupy.cuda.Stream(non_blocking=True)]
        self.branch = 0
        self.recording = False

    @property
    def stream(self) -> Any:
        return self.streams[self.branch if self.recording else 0]

    def event(self) -> Any:
        """Reached when all is done that is queued so far on the stream in use."""
        event = self.cupy.cuda.Event(disable_timing=True)
        event.record(self.stream)
        return event


class SideBySide:
    """What Device.branches gives: entered, it is called before every part with its number; on leaving, what
    follows waits for all parts.

    Outside captures the parts run one after the other, but each with the workspace of its branch, which is
    there then when a capture needs it.
    """

    def __init__(self, device: Any, turns: Mapping[int, Turn]) -> None:
        self.device, self.turns = device, turns
        self.branching: Branching = device.branching
        self.now: Turn | None = None
        self.part = -1
        self.done: dict[int, Any] = {}  # events, by the part that they stand behind
        self.last: dict[int, int] = {}  # by branch: its last part so far

    def __enter__(self) -> SideBySide:
        most = max(turn.branch for turn in self.turns.values())
        self.device.open_branches(most + 1)
        if self.branching.recording:
            self.fork = self.branching.event()
        return self

    def __call__(self, part: int) -> None:
        turn = self.turns.get(part)
        if turn is None:  # it launches nothing
            return
        self._mark()
        self.device.use_branch(turn.branch)
        if self.branching.recording:
            first = turn.branch and turn.branch not in self.last
            behind = [self.fork] if first and not turn.waits else [self.done[other] for other in turn.waits]
            for event in behind:
                self.branching.stream.wait_event(event)
        self.now, self.part = turn, part
        self.last[turn.branch] = part

    def _mark(self) -> None:
        if self.now is not None and self.now.awaited and self.branching.recording:
            self.done[self.part] = self.branching.event()

    def __exit__(self, kind: Any, *error: Any) -> None:
        if kind is None:
            self._mark()
        self.device.use_branch(0)
        if kind is None and self.branching.recording:
            for branch, part in self.last.items():
                if branch:
                    self.branching.stream.wait_event(self.done[part])
