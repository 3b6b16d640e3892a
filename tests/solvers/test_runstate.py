"""Run states that are not what a run wrote: refused in one line or harmless, and nothing else is touched."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest

from minicaffe.errors import MiniCaffeError, WeightsError
from minicaffe.solvers import runstate, snapshot
from minicaffe.solvers.solver import Solver

from ..support.solving import change_run_state, tiny_solver

SETTINGS = """snapshot_prefix: "run/p" test_iter: 1 test_interval: 2 snapshot: 2 keep_last: 1 average_loss: 2
keep_best { output: "accuracy" } early_stop { output: "loss" patience: 90 } ema { decay: 0.5 } max_iter: 8 """


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda handle: None)


def snapshotted() -> Path:
    solver = tiny_solver(SETTINGS)
    solver.step(2)
    return Path("run/p_iter_2.runstate")


def resume(solver: Solver | None = None) -> None:
    """From iteration 2 to 4, up to a snapshot that removes the one before."""
    solver = solver or tiny_solver(SETTINGS)
    solver.restore("run/p_iter_2.solverstate")
    solver.step(2)


VICTIMS = ("victim.solverstate", "run/other_iter_2.caffemodel", "run/p_iter_20.caffemodel", "run/notes")


@pytest.mark.parametrize(
    "change",
    [
        lambda run, name: run["sha256"].update({f"../{name}": "0" * 64}),
        lambda run, name: run["sha256"].update({str(Path(name).absolute()): "0" * 64}),
        lambda run, name: run["sha256"].update({Path(name).name: "0" * 64}),
        lambda run, name: run["callbacks"]["keep"].update(written=[[f"2/../../{name}", True], [0, True]]),
    ],
    ids=["up", "absolute", "beside", "an iteration that is a path"],
)
@pytest.mark.parametrize("summed", [True, False], ids=["checksum", "no checksum"])
def test_only_files_of_the_snapshot_are_removed(change, summed):
    written = snapshotted()
    for name in VICTIMS:
        Path(name).write_text("a user's")
    change_run_state(written, lambda run: [change(run, name) for name in VICTIMS])
    if not summed:
        run = json.loads(written.read_text())
        del run["checksum"]
        written.write_text(json.dumps(run))
    try:
        resume()
    except WeightsError as error:
        assert "\n" not in str(error) and "damaged; hint: delete it to resume without it" in str(error)
    assert [Path(name).read_text() for name in VICTIMS] == ["a user's"] * len(VICTIMS)


@pytest.mark.parametrize("name", ["gone\0", "x" * 5000, "/", "..", "", "run"])
def test_weights_that_no_file_can_be(name):
    snapshotted()
    state = snapshot.read_state("run/p_iter_2.solverstate")
    state.learned_net = name
    if name:
        with pytest.raises(WeightsError, match=r"its weights .* are neither beside it nor there"):
            snapshot.find_weights(state, "run/p_iter_2.solverstate")
    else:
        assert snapshot.find_weights(state, "run/p_iter_2.solverstate") is None


def test_folders_that_are_named_like_torn_files_stay():
    """And files whose process cannot have been one."""
    snapshotted()
    for name in (".p_iter_2.caffemodel.999999999-0a.part", ".p_iter_3.x.12345678901234567890-0a.part"):
        (Path("run") / name).mkdir()
    assert snapshot.newest("run/p") == Path("run/p_iter_2.solverstate")
    assert len(list(Path("run").glob(".*"))) == 2


def test_a_trial_of_the_prefix_touches_nothing():
    for name in ("p_iter_0.tempfile", "target"):
        Path(name).write_text("a user's")
    Path("q_iter_0.tempfile").symlink_to("target")
    before = sorted(Path().iterdir())
    for prefix in ("p", "q"):
        snapshot.check_writable(prefix)
    assert sorted(Path().iterdir()) == before and Path("p_iter_0.tempfile").read_text() == "a user's"


# -- a fuzzer

ODD = [
    *(
        None,
        True,
        -1,
        0,
        2,
        2**31,
        2**63,
        10**400,
        0.5,
        1e400,
        -1e400,
        float("nan"),
        "",
        "x",
        "../x",
        "\ud800",
    ),
    *([], [[]], [1], [None], ["a", 1], {}, {"x": 1}, {"passes": 1, "carried": {}}, [[1, True]], "a" * 5000),
]


def mutate(value, rng: random.Random):
    """One place in it has become odd, is gone, or is there twice."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.8:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        if rng.random() < 0.1:
            del value[key]
        elif rng.random() < 0.1 and isinstance(value, dict):
            value["odd"] = value[key]
        else:
            value[key] = mutate(value[key], rng)
        return value
    return copy.deepcopy(rng.choice(ODD))


def bytes_of(run: dict, seed: int) -> bytes:
    """A mutant: most with a right checksum, so that it is looked at; some damaged as bytes."""
    rng = random.Random(seed)
    whole = copy.deepcopy(run)
    if seed % 8 == 0:
        data = bytearray(json.dumps(run, indent=1).encode())
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)
    del whole["checksum"]
    for _ in range(rng.choice((1, 1, 2))):
        whole = mutate(whole, rng)
    if not isinstance(whole, dict):
        return json.dumps(whole).encode()
    return json.dumps({**whole, "checksum": runstate.checksum(whole)}).encode()


def fuzz(first: int, count: int) -> dict[str, int]:
    """Resume from mutants; how many did, and how many were refused."""
    runstate_file = snapshotted()
    run = json.loads(runstate_file.read_text())
    files = {path: path.read_bytes() for path in Path("run").iterdir()}
    victim = Path("x")
    solver = tiny_solver(SETTINGS)
    ends = {"resumed": 0, "refused": 0}
    for seed in range(first, first + count):
        for path, content in files.items():
            path.write_bytes(content)
        runstate_file.write_bytes(bytes_of(run, seed))
        victim.write_text("a user's")
        try:
            resume(solver)
            ends["resumed"] += 1
        except MiniCaffeError as error:
            assert len(str(error)) < 500 and "\n" not in str(error), seed
            ends["refused"] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error
        assert victim.exists(), seed
        for path in Path("run").iterdir():
            path.unlink()
    return ends


def test_mutants_resume_or_are_refused_in_one_line():
    ends = fuzz(0, 60)
    assert min(ends.values()) > 5, ends


@pytest.mark.slow
def test_many_more_mutants():
    fuzz(100, 20_000)
