"""Compiling elsewhere: the run that compiles computes the same bits as every later run."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest

from minicaffe.kernels import compiler
from minicaffe.kernels.cpu import jit

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
compiler.Child.compile = lambda child, *request: asked.append(request[1]) or ask(child, *request)

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
    assert [asked for asked, _ in first] == 2 * ["['sgd_update']"]
    assert [asked for asked, _ in later] == 2 * ["[]"]
    assert [digest for _, digest in first] == [digest for _, digest in later]
    assert not (here / "executed").exists()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("minicaffe.kernels.cache.folder", lambda: tmp_path)
    compiler.child.cache_clear()
    yield tmp_path
    compiler.child.cache_clear()


def twice(x):
    return 2 * x


def plus_text(x):
    return x + "text"


def test_what_the_child_cannot_find_is_compiled_here(folder):
    """`twice` is no dispatcher in its module, so that the child cannot compile it."""
    assert jit(twice)(21) == 42
    assert compiler.child(folder).process.poll() is None, "it goes on to the next request"


def test_a_damaged_cache_is_made_anew(folder, caplog):
    """Files are without their content after a power cut."""
    function = jit(twice)
    assert function(21) == 42
    index = Path(function._cache._cache_file._index_path)
    index.write_bytes(b"")
    assert jit(twice)(21) == 42
    assert caplog.messages.count("The cached code of tests.kernels.test_compiler.twice is damaged and made"
                                 " anew: Ran out of input") == 1  # fmt: skip
    assert index.stat().st_size


def test_code_that_cannot_be_cached_runs(folder, monkeypatch, caplog):
    @contextmanager
    def no_locks(path):
        raise OSError(37, "No locks available")
        yield

    monkeypatch.setattr("minicaffe.kernels.cache.alone", no_locks)
    assert jit(twice)(21) == 42
    assert f"Kernels cannot be cached in {folder}: No locks available" in caplog.messages


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
        child.compile(__name__, "twice", ())
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
        assert not child.compile(__name__, "nothing", ())
        child.process.kill()
        child.process.wait()
    assert jit(twice)(21) == 42
