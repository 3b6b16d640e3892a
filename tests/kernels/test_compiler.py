"""Compiling elsewhere: the run that compiles computes the same bits as every later run."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest

from minicaffe.kernels import cache, compiler, sources
from minicaffe.kernels.cpu import jit
from minicaffe.kernels.kept import CHECK_BYTES, Full

from ..support.running import ROOT

RUN = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from minicaffe.kernels import cache
cache.folder = lambda: Path(sys.argv[1])
from minicaffe.kernels import compiler, cpu, update
asked = []
ask = compiler.Child.compile
compiler.Child.compile = lambda child, request, **how: asked.append(request[1]) or ask(child, request, **how)

import numpy as np
from minicaffe.device.cpu import CpuDevice
for dtype in map(np.dtype, sys.argv[3:]):
    kernels = cpu.bind(update, CpuDevice(dtype))
    rng = np.random.default_rng(0)
    w, dw, history = (rng.standard_normal(1 << 16, dtype=dtype) for _ in range(3))
    rates, decays = (rng.random(1 << 10, dtype=dtype) for _ in range(2))
    hyper = rng.random(update.HYPER, dtype=dtype)
    kernels.sgd_update(w, dw, history, rates, decays, hyper, w.size, 0)
    print(asked, hashlib.sha256(w.tobytes()).hexdigest())
"""


def start(folder: Path, *dtypes: str, cwd: Path) -> subprocess.Popen:
    command = [sys.executable, "-I", "-c", RUN, str(folder), str(ROOT), *dtypes]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> list[list[str]]:
    """What was compiled elsewhere, and the digest of the updated weights, for each type."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return [line.rsplit(None, 1) for line in out.splitlines()]


def test_the_run_that_compiles_computes_what_later_runs_compute(tmp_path):
    """Though two compile at once into one index, in a folder with modules of names that Python imports."""
    kernels, here = tmp_path / "kernels", tmp_path / "here"
    kernels.mkdir()
    here.mkdir()
    for name in ("pickle", "numba", "json", "minicaffe"):
        (here / f"{name}.py").write_text(f"open('executed', 'a').write({name!r})")
    both = "float32", "float64"
    first = [row for p in [start(kernels, dtype, cwd=here) for dtype in both] for row in finish(p)]
    later = finish(start(kernels, *both, cwd=here))
    assert [asked for asked, _ in first] == 2 * ["['run', 'serve', 'sgd_update']"]
    assert [asked for asked, _ in later] == 2 * ["[]"]
    assert [digest for _, digest in first] == [digest for _, digest in later]
    assert not (here / "executed").exists()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("minicaffe.kernels.cache.folder", lambda: tmp_path)
    monkeypatch.setattr(Full, "said", False)
    compiler.child.cache_clear()
    yield tmp_path
    compiler.child(tmp_path).close()
    compiler.child.cache_clear()


def twice(x):
    return 2 * x


def plus_text(x):
    return x + "text"


thrice = jit(lambda x: 3 * x)
thrice.py_func.__name__ = "thrice"


def test_what_the_child_cannot_find_is_compiled_here(folder):
    """`twice` is no dispatcher in its module, so that the child cannot compile it."""
    assert jit(twice)(21) == 42
    assert compiler.child(folder).process.poll() is None, "it goes on to the next request"


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-1] + b"?"])
def test_a_damaged_cache_is_made_anew(damage, folder, caplog, monkeypatch):
    """Files are without all of their content after a power cut."""
    monkeypatch.setattr(compiler, "order", lambda *args: False)
    assert jit(twice)(21) == 42
    (path,) = folder.rglob("*.code")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert jit(twice)(21) == 42
    assert caplog.messages == [f"{path} is damaged and made anew: its check sum is wrong"]
    assert hashlib.sha256(path.read_bytes()[CHECK_BYTES:]).digest() == path.read_bytes()[:CHECK_BYTES]
    assert [*folder.rglob("*.tmp")] == []


def test_code_that_cannot_be_stored_runs_and_one_line_says_so(folder, monkeypatch, caplog):
    """Of two functions, the first of which the child was asked for."""
    sources.place(folder, __name__).write_text("a file in the place of a folder")
    kept = compiler.child(folder).compile((__name__, "thrice", (numba.int64,)))
    assert kept == "full: File exists"
    compiler.compile_all(folder, 5 * [(__name__, "thrice", (numba.int64,))])
    assert jit(twice)(21) == 42 and jit(thrice.py_func)(2) == 6
    told = f"Compiled kernels cannot be kept in {folder}: File exists; every process compiles them"
    assert [message for message in caplog.messages if "Compiling" not in message] == [told]


def test_what_another_process_compiles_is_left_to_it(folder):
    child, request = compiler.child(folder), (__name__, "thrice", (numba.int64,))
    with cache.alone(folder / f"{__name__}.thrice.lock"):
        assert child.compile(request, wait=False) == "busy"
    assert child.compile(request, wait=False) == "stored"
    (path,) = folder.rglob("*.code")
    before = path.stat().st_mtime_ns
    assert child.compile(request) == "stored" and path.stat().st_mtime_ns == before


def test_all_is_compiled_by_all_and_said(folder, monkeypatch, caplog):
    """What another process is busy with is asked for again, and waited for.  The child that stays is one of
    all, if it runs."""

    class Helper:
        runs = False

        def __init__(self, folder):
            helpers.append(self)

        def compile(self, request, *, wait):
            by.add(self)
            number = request[2][0]
            asked.append((number, wait))
            return "busy" if number == 1 and not wait else "stored"

        def close(self):
            helpers.remove(self)

    helpers, asked, by = [], [], set()
    monkeypatch.setattr(compiler, "Child", Helper)
    monkeypatch.setattr(compiler, "REPORT_S", 0)
    monkeypatch.setattr(compiler, "usable_processors", lambda: 3)
    compiler.compile_all(folder, [])
    assert asked == [] and caplog.messages == []
    caplog.set_level("INFO", "minicaffe")
    requests = [("module", "name", (number,)) for number in range(7)]
    compiler.compile_all(folder, requests)
    assert sorted(asked) == sorted([*((n, False) for n in range(7)), (1, True)])
    staying = compiler.child(folder)
    assert helpers == [staying] and staying not in by
    assert caplog.messages[0].startswith("Compiling 7 kernels for this processor")
    assert caplog.messages[1:] == [f"Compiling kernels: {done} of 7 done" for done in range(1, 7)]
    staying.runs = True
    compiler.compile_all(folder, requests)
    assert helpers == [staying] and staying in by


def test_an_interrupted_request_leaves_no_reply_behind(folder, monkeypatch):
    """The next one would take it for its own."""

    def interrupted():
        raise KeyboardInterrupt

    class Process(SimpleNamespace):
        stdin = SimpleNamespace(write=lambda content: None)
        stdout = SimpleNamespace(readline=interrupted)
        killed = False

        def kill(self):
            self.killed = True

    child, process = compiler.child(folder), Process()
    monkeypatch.setattr(child, "start", lambda: process)
    with pytest.raises(KeyboardInterrupt):
        child.compile((__name__, "twice", ()))
    assert process.killed and child.process is None


def test_what_does_not_compile_is_reported_by_numba_here(folder):
    with pytest.raises(numba.TypingError, match="unicode"):
        jit(plus_text)(1)


@pytest.mark.parametrize("death", ["before", "between", "no interpreter"])
def test_without_a_child_the_process_compiles_itself(death, folder, monkeypatch):
    child = compiler.child(folder)
    if death == "no interpreter":
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
    elif death == "before":
        monkeypatch.setattr(
            child, "start", lambda: subprocess.Popen(["false"], stdin=-1, stdout=-1, bufsize=0)
        )
    else:
        assert child.compile((__name__, "nothing", ())) == "failed"
        child.process.kill()
        child.process.wait()
    assert jit(twice)(21) == 42
