"""The emulated CUDA's captures: what may be recorded across streams, and the orders in which it runs."""

from __future__ import annotations

import numpy as np
import pytest

from ..support.emulator.capture import CUDARuntimeError
from ..support.emulator.cupy import EmulatedCupy


@pytest.fixture
def cupy() -> EmulatedCupy:
    return EmulatedCupy()


def streams(cupy, count: int = 3) -> list:
    return [cupy.cuda.Stream(non_blocking=True) for _ in range(count)]


def marked(cupy, stream):
    event = cupy.cuda.Event(disable_timing=True)
    event.record(stream)
    return event


def fan(cupy, *, joined: bool = True):
    """A graph of four nodes: 0, then 1 and 2 in any order, then 3; and the list in which they say so."""
    main, left, right = streams(cupy)
    seen: list[int] = []
    main.begin_capture()
    main.enqueue(lambda: seen.append(0))
    fork = marked(cupy, main)
    for number, stream in ((1, left), (2, right)):
        stream.wait_event(fork)
        stream.enqueue(lambda number=number: seen.append(number))
        if joined:
            main.wait_event(marked(cupy, stream))
    main.enqueue(lambda: seen.append(3))
    return main, seen


def test_every_allowed_order_and_no_other(cupy):
    main, seen = fan(cupy)
    graph = main.end_capture()
    assert seen == []
    found = set()
    for _ in range(12):
        graph.launch(main)
        found.add(tuple(seen))
        seen.clear()
    assert found == {(0, 1, 2, 3), (0, 2, 1, 3)}


def test_what_is_not_joined_is_an_error(cupy):
    main, _ = fan(cupy, joined=False)
    with pytest.raises(CUDARuntimeError, match="CaptureUnjoined"):
        main.end_capture()
    assert all(stream.recording is None for stream in cupy.streams.values())


def test_a_stream_that_launched_nothing_needs_no_join(cupy):
    main, side, _ = streams(cupy)
    main.begin_capture()
    side.wait_event(marked(cupy, main))
    assert main.end_capture().nodes == [] and side.recording is None


def test_streams_execute_again_when_the_capture_is_over(cupy):
    main, seen = fan(cupy)
    main.end_capture()
    for stream in cupy.streams.values():
        stream.enqueue(lambda: seen.append(9))
    assert seen == [9] * 3


def test_events_from_outside(cupy):
    main, side, _ = streams(cupy)
    event = marked(cupy, side)
    main.begin_capture()
    with pytest.raises(CUDARuntimeError, match="CaptureIsolation"):
        main.wait_event(event)
    with pytest.raises(CUDARuntimeError, match="CaptureInvalidated"):
        main.enqueue(lambda: None)
    with pytest.raises(CUDARuntimeError, match="CaptureInvalidated"):
        main.end_capture()


def test_events_of_captures_are_for_their_captures(cupy):
    main, side, third = streams(cupy)
    main.begin_capture()
    event = marked(cupy, main)
    with pytest.raises(CUDARuntimeError, match="CapturedEvent"):
        event.synchronize()
    with pytest.raises(CUDARuntimeError, match="CaptureInvalidated"):
        main.end_capture()
    with pytest.raises(CUDARuntimeError, match="CaptureInvalidated"):
        side.wait_event(event)
    side.begin_capture()
    other = marked(cupy, side)
    third.begin_capture()
    with pytest.raises(CUDARuntimeError, match="CaptureMerge"):
        third.wait_event(other)
    for stream in (side, third):
        with pytest.raises(CUDARuntimeError, match="CaptureInvalidated"):
            stream.end_capture()


def test_only_where_it_began_it_ends(cupy):
    main, side, _ = streams(cupy)
    main.begin_capture()
    side.wait_event(marked(cupy, main))
    with pytest.raises(CUDARuntimeError, match="CaptureUnsupported"):
        side.synchronize()
    with pytest.raises(CUDARuntimeError, match="CaptureUnmatched"):
        side.end_capture()
    with pytest.raises(CUDARuntimeError, match="CaptureInvalidated"):
        main.end_capture()


def test_a_missing_dependency_shows(cupy):
    """y = 1, then 2: two branches that write one number, and nothing between them."""
    main, side, _ = streams(cupy)
    y = np.zeros(1)

    def write(value: float):
        return lambda: y.fill(value)

    main.begin_capture()
    fork = marked(cupy, main)
    main.enqueue(write(1))
    side.wait_event(fork)
    side.enqueue(write(2))
    main.wait_event(marked(cupy, side))
    graph = main.end_capture()
    found = set()
    for _ in range(3):
        graph.launch(main)
        found.add(y[0])
    assert found == {1, 2}
