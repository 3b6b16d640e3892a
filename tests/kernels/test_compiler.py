"""Compiling elsewhere: the run that compiles computes the same bits as every later run."""

import subprocess
import sys
from pathlib import Path

import numba
import pytest

from minicaffe.kernels import compiler
from minicaffe.kernels.cpu import jit

from ..support.running import ROOT

RUN = """
import hashlib, sys
from pathlib import Path
from minicaffe.kernels import cache
cache.folder = lambda: Path(sys.argv[1])
from minicaffe.kernels import compiler, cpu, update
asked = []
ask = compiler.Child.compile
compiler.Child.compile = lambda child, *request: asked.append(request[1]) or ask(child, *request)

import numpy as np
from minicaffe.device.cpu import CpuDevice
kernels = cpu.bind(update, CpuDevice())
rng = np.random.default_rng(0)
w, dw, history = (rng.standard_normal(1 << 16, dtype=np.float32) for _ in range(3))
rates, decays = (rng.random(1 << 10, dtype=np.float32) for _ in range(2))
hyper = rng.random(update.HYPER, dtype=np.float32)
kernels.sgd_update(w, dw, history, rates, decays, hyper, w.size, 0)
print(asked, hashlib.sha256(w.tobytes()).hexdigest())
"""


def run(folder: Path) -> tuple[str, str]:
    """What was compiled elsewhere, and the digest of the updated weights."""
    command = [sys.executable, "-c", RUN, str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    asked, digest = result.stdout.rsplit(None, 1)
    return asked, digest


def test_the_run_that_compiles_computes_what_later_runs_compute(tmp_path):
    first, later = run(tmp_path), run(tmp_path)
    assert first[0] == "['sgd_update']" and later[0] == "[]"
    assert first[1] == later[1]


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
