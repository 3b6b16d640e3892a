"""A contender in another process: what it says arrives, and what ends it becomes an error that says why."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from minicaffe.bench.worker import RivalError, Worker, installed

GOOD = """
import numpy, sys
print("a library that talks")
def make(job):
    made = []
    return {
        "version": job["options"]["said"],
        "step": lambda: made.append(1),
        "outputs": lambda: {"a/b": numpy.arange(job["threads"])},
        "layers": lambda count: {"ip": {"forward": [float(len(made))] * count, "backward": []}},
    }
"""
JOB = {"threads": 3, "options": {"said": "mine 1.0"}}


@pytest.fixture
def worker(tmp_path):
    made = []

    def start(source, python=sys.executable):
        path = tmp_path / "rival.py"
        path.write_text(source)
        made.append(Worker("mine", path, python, JOB, tmp_path))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_a_worker_answers(worker):
    mine = worker(GOOD)
    assert mine.version == "mine 1.0" and mine.times_layers
    np.testing.assert_array_equal(mine.outputs["a/b"], [0, 1, 2])
    ran = mine.run(2, 3)
    assert len(ran.seconds) == 3 and all(0 <= s < 1 for s in ran.seconds) and ran.processor_s >= 0
    assert mine.layers(2) == {"ip": {"forward": [5.0, 5.0], "backward": []}}


@pytest.mark.parametrize(
    "source, said",
    [
        ("import no_such_framework", "ModuleNotFoundError: No module named 'no_such_framework'"),
        ("def make(job): raise ValueError('layer 7')", "ValueError: layer 7"),
        ("import os; os._exit(3)", "ended with status 3"),
        ("def make(job): return {}", "KeyError: 'step'"),
        (
            "import sys; sys.stderr.write('out of memory\\n'); sys.stderr.flush(); import os; os._exit(9)",
            "out of",
        ),
    ],
)
def test_what_goes_wrong_is_told(worker, source, said):
    with pytest.raises(RivalError, match=said):
        worker(source).run(1, 1)


def test_one_that_dies_later(worker):
    mine = worker("import os\ndef make(job): return {'step': lambda: os._exit(5)}")
    with pytest.raises(RivalError, match="ended with status 5"):
        mine.run(1, 1)
    with pytest.raises(RivalError, match="ended with status 5"):
        mine.run(1, 1)


def test_an_interpreter_that_is_none(worker):
    with pytest.raises(RivalError, match="cannot run /no/python"):
        worker(GOOD, "/no/python")
    with pytest.raises(RivalError, match=r"--python /no/python: it is no Python interpreter"):
        installed("/no/python", ["numpy"])
    assert installed(sys.executable, ["numpy", "no_such_framework"]) == {
        "numpy": True,
        "no_such_framework": False,
    }
