"""Workers: what goes in and comes out, and what becomes of calls that take too much."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError
from minicaffe.studio import answers, frames, worker
from minicaffe.studio.worker import Workers

SOON_S = 60

texts = st.text(st.characters(codec="utf-8"), max_size=8)
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.binary(max_size=20)
)
plain = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.lists(plain, max_size=2))
def test_what_is_packed_is_unpacked(data):
    file = io.BytesIO(b"".join(map(frames.pack, data)))
    assert [frames.unpack(file) for _ in data] == data
    with pytest.raises(EOFError):
        frames.unpack(file)


@given(plain, st.data())
def test_a_frame_that_is_cut_is_none(data, draw):
    frame = frames.pack(data)
    with pytest.raises(EOFError):
        frames.unpack(io.BytesIO(frame[: draw.draw(st.integers(0, len(frame) - 1))]))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def workers(scratch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "PACKAGE", "tests.studio.errands")
        patch.setattr(worker, "MOST_BYTES", {"check": 1 << 32, "image": 1 << 32})
        made = Workers(scratch)
        yield made
        made.close()


def call(workers, name, timeout_s=SOON_S, worker="check", **arguments):
    return workers.call(worker, f"tests.studio.errands:{name}", arguments, timeout_s)


def pid(workers) -> int:
    return call(workers, "echo")["pid"]


def test_bytes_travel_inside_of_plain_data_and_the_process_is_kept(workers, scratch):
    data = {"image": b"\x00\xff", "list": [1, {"deep": b"x"}], "text": "é"}
    first = call(workers, "echo", data=data)
    assert first["data"] == data
    assert pid(workers) == first["pid"] != os.getpid()
    assert call(workers, "echo", worker="image")["pid"] != first["pid"]
    assert "said on stdout" in (scratch / "check.log").read_text()


@pytest.mark.parametrize("missing", [False, True])
def test_errors_come_back_as_they_were(workers, missing):
    with pytest.raises(answers.Missing if missing else ConfigError) as caught:
        call(workers, "blame", missing=missing)
    told = answers.error(caught.value)
    assert told == {
        "where": "net.prototxt:7:3: layer 'conv1' (Convolution)",
        "expected": "no kernel of this size",
        "got": "0",
        "do": "take 3",
        "field": "kernel_size",
        "line": 7,
        "column": 3,
    }


def test_a_fault_of_ours_is_logged_where_it_arose(workers, scratch):
    with pytest.raises(RuntimeError, match="ZeroDivisionError: of ours"):
        call(workers, "fail")
    assert 'errands.py", line' in (scratch / "check.log").read_text()


def test_what_takes_too_long_is_stopped_and_the_next_call_works(workers):
    before = pid(workers)
    begun = time.monotonic()
    with pytest.raises(DataError, match=r"longer than 0\.3 s"):
        call(workers, "sleep", 0.3, seconds=60)
    assert time.monotonic() - begun < 10
    assert not is_alive(before)
    assert pid(workers) != before


def test_what_takes_too_much_memory_is_refused(workers):
    with pytest.raises(DataError, match="more memory than it may"):
        call(workers, "take", nbytes=1 << 33)
    assert pid(workers)


def test_a_process_that_dies_is_told_and_replaced(workers):
    with pytest.raises(DataError, match="died"):
        call(workers, "die")
    idle = pid(workers)
    os.kill(idle, signal.SIGKILL)
    while is_alive(idle):
        time.sleep(0.01)
    assert pid(workers) != idle


def test_who_waits_too_long_for_others_is_told(workers):
    pid(workers)
    other = threading.Thread(target=call, args=(workers, "sleep"), kwargs={"seconds": 1.0})
    other.start()
    time.sleep(0.2)
    with pytest.raises(answers.Busy, match="other requests"):
        call(workers, "echo", 0.1)
    other.join()


@pytest.mark.parametrize(
    "function", ["os:system", "tests.studio.errands:_Layer", "minicaffe.files:read_text"]
)
def test_nothing_but_the_studios_own_functions_is_called(workers, function):
    with pytest.raises(ValueError, match="not for workers"):
        workers.call("check", function, {})


def test_close_ends_them(scratch, monkeypatch):
    monkeypatch.setattr(worker, "PACKAGE", "tests.studio.errands")
    made = Workers(scratch)
    one = pid(made)
    made.close()
    assert not is_alive(one)


def is_alive(pid: int) -> bool:
    """Whether a process, or a thread of it, runs: until the last is gone nobody is told of its end."""
    try:
        dead = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return not dead or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False
