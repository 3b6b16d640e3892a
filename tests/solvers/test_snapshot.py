"""Files of snapshots: whole or absent, checked, and the newest whole one is found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minicaffe.errors import MiniCaffeError, WeightsError
from minicaffe.solvers import snapshot

from ..support.running import ROOT
from ..support.solving import tiny_solver

FORMS = ["BINARYPROTO", "HDF5"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(iterations: int, form: str = "BINARYPROTO") -> list[Path]:
    solver = tiny_solver(f'snapshot_prefix: "p[1]" snapshot_format: {form}')
    paths = []
    for _ in range(iterations):
        solver.step(1)
        paths.append(solver.snapshot())
    return paths


@pytest.mark.parametrize("form", FORMS)
def test_the_newest_is_found(form):
    paths = written(11, form)  # 11 is newer than 9, whatever the letters say
    assert snapshot.newest("p[1]") == paths[-1]
    assert snapshot.newest("p") is None and snapshot.newest("gone/p") is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", ["solverstate", "caffemodel", "runstate"])
@pytest.mark.parametrize("fault", ["flipped", "cut", "empty", "gone"])
def test_damaged_ones_are_passed_over(form, part, fault, caplog):
    """Every kind of damage, in every file; a runstate that is gone is no damage."""
    paths = written(2, form)
    target = next(path for path in snapshot.files_of(snapshot.stem_of(paths[1])) if part in path.name)
    content = bytearray(target.read_bytes())
    if fault == "flipped":
        content[len(content) * 2 // 3] ^= 1
    elif fault == "cut":
        del content[-1:]
    target.write_bytes(b"" if fault == "empty" else content)
    if fault == "gone":
        target.unlink()
    found = snapshot.newest("p[1]")
    assert found == (paths[1] if (part, fault) == ("runstate", "gone") else paths[0])
    if part != "runstate" and fault != "gone":
        assert f"Passing over {paths[1]}" in caplog.text


def test_nothing_is_whole():
    """To begin anew would overwrite what may still be of use."""
    (path,) = written(1)
    path.write_bytes(b"")
    with pytest.raises(
        WeightsError, match=r"none of the 1 snapshots p\[1\]_iter_N is whole .*; hint: move them"
    ):
        snapshot.newest("p[1]")


def test_a_prefix_may_end_in_a_folder():
    Path("run").mkdir()
    solver = tiny_solver('snapshot_prefix: "run/"')
    assert snapshot.newest("run/") is None
    solver.snapshot()
    assert snapshot.newest("run/") == Path("run/_iter_0.solverstate")


def test_moved_copied_and_begun_anew():
    """The weights beside a state count, not those that now stand where its run was."""
    (path,) = written(1)
    Path("moved").mkdir()
    for file in Path().glob("p*"):
        file.rename(Path("moved") / file.name)
    other = tiny_solver('snapshot_prefix: "p[1]" random_seed: 4')
    other.step(1)
    other.snapshot()
    assert snapshot.newest("moved/p[1]") == Path("moved") / path.name
    resumed = tiny_solver()
    resumed.restore(Path("moved") / path.name)
    assert (resumed.net.parameters.data != other.net.parameters.data).any()


def test_the_run_state_guards_itself():
    (path,) = written(1)
    runstate = Path("p[1]_iter_1.runstate")
    content = runstate.read_text()
    runstate.write_text(content.replace('"passes": 1', '"passes": 3'))
    assert content != runstate.read_text()
    with pytest.raises(WeightsError, match="runstate: damaged; hint: delete it to resume without it"):
        tiny_solver().restore(path)


@pytest.mark.parametrize(
    "content",
    ['{"format": 1}', '{"format": 1, "losses": null}', '{"format": 1, "train": {"passes": "x"}}', "[1]", "1"],
)
def test_run_states_that_make_no_sense(content):
    (path,) = written(1)
    Path("p[1]_iter_1.runstate").write_text(content)
    solver = tiny_solver()
    with pytest.raises(WeightsError):
        solver.restore(path)
    assert solver.iteration == 0


def test_damaged_averages_make_a_snapshot_no_whole_one():
    solver = tiny_solver('snapshot_prefix: "p" ema { }')
    solver.step(1)
    first = solver.snapshot()
    solver.step(1)
    solver.snapshot()
    weights = Path("p_iter_2_ema.caffemodel")
    content = bytearray(weights.read_bytes())
    content[-20] ^= 1
    weights.write_bytes(content)
    assert snapshot.newest("p") == first
    weights.unlink()
    assert snapshot.newest("p") == first


def test_without_checksums_weights_must_be_readable():
    paths = written(2)
    for path in Path().glob("*.runstate"):
        path.unlink()
    Path("p[1]_iter_2.caffemodel").write_bytes(b"\x0a\xff")
    assert snapshot.newest("p[1]") == paths[0]


def test_writing_the_same_again_touches_nothing():
    solver = tiny_solver('snapshot_prefix: "p"')
    solver.step(1)
    solver.snapshot()
    before = {path: path.stat().st_ino for path in Path().iterdir()}
    solver.snapshot()
    assert {path: path.stat().st_ino for path in Path().iterdir()} == before


def test_what_a_killed_process_left_is_removed():
    written(1)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True)
    for name in (
        f".p[1]_iter_2.caffemodel.{int(dead.stdout)}-0a.part",
        f".p[1]_iter_2.x.{os.getpid()}-0b.part",
    ):
        Path(name).write_text("torn")
    snapshot.newest("p[1]")
    left = [path.name for path in Path().glob(".*")]
    assert left == [f".p[1]_iter_2.x.{os.getpid()}-0b.part"]


FULL = """
import resource, sys
from minicaffe.solvers.callbacks import Callback
from tests.support.solving import tiny_solver
class Disk(Callback):
    def on_begin(self, solver):
        if solver.iteration == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, resource.RLIM_INFINITY))
        if solver.iteration == 4 and AGAIN:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
solver = tiny_solver('snapshot_prefix: "p" snapshot: 2 max_iter: 5 display: 1', callbacks=[Disk()])
try:
    solver.solve()
except Exception as error:
    print(error)
print(solver.iteration)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
@pytest.mark.parametrize("limit", [0, 400, 900])
@pytest.mark.parametrize("again", [True, False])
def test_a_full_disk_stops_the_snapshot_not_the_training(limit, again):
    """A limit on the size of files stands for the disk: at its start, in the middle, at the end."""
    code = FULL.replace("LARGEST", str(limit)).replace("AGAIN", str(again))
    command = [sys.executable, "-c", "import logging; logging.basicConfig(level=20)\n" + code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "5", done.stderr
    assert "cannot write snapshot p_iter_4: File too large; training goes on without it" in done.stderr
    names = sorted(path.name for path in Path().iterdir())
    wanted = {
        f"p_iter_{n}.{kind}"
        for n in ([2, 5] if again else [2])
        for kind in ("caffemodel", "runstate", "solverstate")
    }
    assert set(names) == wanted
    if not again:
        assert "cannot write snapshot p_iter_5" in done.stdout
    assert snapshot.newest("p") == Path(f"p_iter_{5 if again else 2}.solverstate")


@pytest.mark.parametrize("form", FORMS)
def test_weights_and_state_that_do_not_belong_together(form):
    one, two = written(2, form)
    weights = snapshot.find_weights(snapshot.read_state(two), two)
    other = snapshot.find_weights(snapshot.read_state(one), one)
    Path(weights).write_bytes(Path(other).read_bytes())
    with pytest.raises(WeightsError, match="not the file that was written with this snapshot"):
        tiny_solver().restore(two)


def test_the_state_of_another_solver_type():
    (path,) = written(1)
    with pytest.raises(
        MiniCaffeError, match="the state of a solver of type SGD; this one is of type Nesterov"
    ):
        tiny_solver('type: "Nesterov"').restore(path)


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_no_state(form):
    (path,) = written(1, form)
    weights = Path(str(path).replace("solverstate", "caffemodel"))
    with pytest.raises(WeightsError, match=r"holds no solver state; hint: it holds weights: --weights"):
        snapshot.read_state(weights)
