"""CUDA's captures: what streams record, as a graph whose nodes run in any order that it allows."""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

INVALIDATED = "StreamCaptureInvalidated: operation failed due to a previous error during capture"


class CUDARuntimeError(RuntimeError):
    pass


class Capture:
    """What streams record: the nodes of a graph, each with those that it comes behind.

    ends  by stream: the nodes that its next one comes behind
    """

    def __init__(self, origin: Any) -> None:
        self.origin = origin
        self.nodes: list[Node] = []
        self.ends: dict[Any, frozenset[int]] = {origin: frozenset()}
        self.invalid = self.over = False

    def fail(self, code: str, message: str) -> None:
        self.invalid = True
        raise CUDARuntimeError(f"cudaErrorStreamCapture{code}: {message}")

    def check(self) -> None:
        if self.invalid:
            raise CUDARuntimeError(f"cudaError{INVALIDATED}")

    def record(self, stream: Any, action: Callable[[], object]) -> None:
        self.check()
        self.nodes.append(Node(action, self.ends[stream]))
        self.ends[stream] = frozenset({len(self.nodes) - 1})

    def wait(self, stream: Any, event: Any) -> None:
        """The stream takes part from now on, if it did not."""
        self.check()
        if event.capture is None:
            self.fail("Isolation", "an event from outside")
        if event.capture is not self:
            event.capture.invalid = True
            self.fail("Merge", "an event of another capture")
        if self.over:
            raise CUDARuntimeError("cudaErrorCapturedEvent: an event of a capture that is over")
        if self.origin.device_id != stream.device_id:
            self.fail("Unsupported", "streams of two GPUs")
        stream.recording = self
        self.ends[stream] = self.ends.get(stream, frozenset()) | event.ends

    def end(self, stream: Any) -> Graph:
        if stream is not self.origin:
            self.fail("Unmatched", "the capture began on another stream")
        self.over = True
        for one in self.ends:
            one.recording = None
        self.check()
        joined = set(self.ends[stream])
        for i in range(len(self.nodes) - 1, -1, -1):
            if i in joined:
                joined |= self.nodes[i].behind
        if len(joined) < len(self.nodes):
            raise CUDARuntimeError("cudaErrorStreamCaptureUnjoined: the stream does not wait for the others")
        return Graph(self.nodes)


class Node(NamedTuple):
    """Of a graph: what it does, and the nodes that it comes behind."""

    action: Callable[[], object]
    behind: frozenset[int]


class Graph:
    """cupy.cuda.Graph: what a capture recorded.  Every launch executes the nodes in another order, of those
    that they allow."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.launches = 0

    def launch(self, stream: Any) -> None:
        stream.check_device("cudaGraphLaunch")
        for i in self.order():
            stream.enqueue(self.nodes[i].action)

    def order(self) -> list[int]:
        """Of all nodes that may run next the last one recorded; next time the first one; then any, by a
        number drawn for each."""
        kind, draw = self.launches % 3, random.Random(self.launches)
        self.launches += 1
        rank = [(-i, i, draw.random())[kind] for i in range(len(self.nodes))]
        waiting = [len(node.behind) for node in self.nodes]
        followers: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for before in node.behind:
                followers[before].append(i)
        ready = [(rank[i], i) for i, count in enumerate(waiting) if not count]
        heapify(ready)
        found = []
        while ready:
            found.append(heappop(ready)[1])
            for i in followers[found[-1]]:
                waiting[i] -= 1
                if not waiting[i]:
                    heappush(ready, (rank[i], i))
        return found
