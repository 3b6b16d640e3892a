"""keep_best and keep_last: which snapshots stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from minicaffe.errors import ConfigError
from minicaffe.solvers import snapshot

from ...support.solving import params, tiny_solver

SETTINGS = 'snapshot_prefix: "p" test_iter: 1 test_interval: 1 snapshot_after_train: false '
BEST = 'keep_best { output: "accuracy" }'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(settings: str, scores: list[float], **options):
    """A solver whose test at iteration i gives scores[i]."""
    settings += "" if "max_iter" in settings else " max_iter: 8"
    solver = tiny_solver(SETTINGS + settings, **options)
    solver.test = lambda index: {"accuracy": [scores[solver.iteration]], "loss": [0.0]}
    solver.solve()
    return solver


def kept() -> list[int]:
    return sorted(int(path.stem.rsplit("_", 1)[1]) for path in Path().glob("p_iter_*.solverstate"))


def test_keep_last_keeps_the_newest_alone():
    train("snapshot: 2 keep_last: 2 max_iter: 9", [0] * 10)
    assert kept() == [6, 8]
    assert len(list(Path().iterdir())) == 2 * 3


def test_keep_best_makes_a_snapshot_of_every_best_and_removes_the_former():
    train(BEST, [0.1, 0.5, 0.4, 0.6, 0.2, 0.6, 0.1, 0.1, 0.1])
    assert kept() == [3]
    assert Path("p_best.caffemodel").read_bytes() == Path("p_iter_3.caffemodel").read_bytes()


def test_snapshots_that_were_due_anyway_stay():
    train(BEST + " snapshot: 2", [0.1, 0.5, 0.9, 0.1, 0.2, 0.6, 0.1, 0.1, 0.1])
    assert kept() == [2, 4, 6, 8]


def test_the_best_outlives_the_last_ones():
    train(BEST + " snapshot: 2 keep_last: 1", [0.1, 0.9, 0.2, 0.1, 0.2, 0.6, 0.1, 0.1, 0.1])
    assert kept() == [1, 8]


def test_losses_are_better_when_lower():
    solver = tiny_solver(SETTINGS + 'max_iter: 8 keep_best { output: "loss" }')
    solver.test = lambda index: {"accuracy": [0.0], "loss": [[3, 2, 4, 5, 1, 6, 7, 8, 9][solver.iteration]]}
    solver.solve()
    assert kept() == [4]


def test_a_resumed_run_goes_on_where_it_was():
    scores = [0.1, 0.5, 0.4, 0.3, 0.2, 0.6, 0.1, 0.1, 0.1]
    train(BEST + " snapshot: 3 keep_last: 1 max_iter: 4", scores)
    assert kept() == [1, 3]
    solver = tiny_solver(SETTINGS + BEST + " snapshot: 3 keep_last: 1 max_iter: 8")
    solver.test = lambda index: {"accuracy": [scores[solver.iteration]], "loss": [0.0]}
    solver.solve("p_iter_3.solverstate")
    assert kept() == [5, 6]


def test_what_others_wrote_is_left_alone():
    first = tiny_solver(SETTINGS)
    first.step(1)
    first.snapshot()
    train("snapshot: 3 keep_last: 1", [0] * 9)
    assert kept() == [1, 6]


def test_nothing_is_removed_when_the_new_one_fails(monkeypatch):
    train("snapshot: 4 keep_last: 1", [0] * 9)
    assert kept() == [8]
    solver = tiny_solver(SETTINGS + "snapshot: 4 keep_last: 1 max_iter: 20")
    solver.restore("p_iter_8.solverstate")
    monkeypatch.setattr("minicaffe.solvers.snapshot.write_together", full)
    solver.iteration = 10
    solver.try_snapshot()
    assert kept() == [8] and "No space left" in str(solver.snapshot_error)


def full(contents) -> None:
    raise OSError(28, "No space left on device")


def test_the_best_snapshot_does_not_repeat_its_test():
    """A snapshot that a test asked for stands behind the test."""
    scores = [0.1, 0.9, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    whole = train(BEST + " max_iter: 2", scores)
    tested: list[int] = []
    second = tiny_solver(SETTINGS + BEST + " max_iter: 2")
    second.test = lambda index: (tested.append(second.iteration), {"accuracy": [0.0], "loss": [0.0]})[1]
    second.solve("p_iter_1.solverstate")
    assert tested == [2]
    for key, value in params(whole).items():
        assert (value == params(second)[key]).all()


@pytest.mark.parametrize(
    "settings, message",
    [
        ("keep_last: 0", "keep_last must be at least 1; got 0"),
        (BEST.replace("}", "patience: 2 }"), "keep_best takes no patience"),
        ("keep_best { }", 'keep_best needs an output, as in keep_best { output: "accuracy" }'),
        (
            'keep_best { output: "acuracy" }',
            "test net #0 has no output 'acuracy'; hint: did you mean 'accuracy'",
        ),
        ('keep_best { output: "loss" test_net: 1 }', "watches test net #1: there are 1"),
    ],
)
def test_errors(settings, message):
    with pytest.raises(ConfigError) as error:
        tiny_solver(SETTINGS + settings)
    assert message in str(error.value)


def test_it_needs_a_prefix_and_a_test():
    with pytest.raises(ConfigError, match="keep_best needs snapshot_prefix"):
        tiny_solver(BEST)
    with pytest.raises(ConfigError, match="there is none; set test_iter and test_interval"):
        tiny_solver('snapshot_prefix: "p"' + BEST)


def test_without_links_the_best_is_copied(monkeypatch):
    def refuse(source, target):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    train(BEST, [0.1, 0.5, *[0.1] * 7])
    assert Path("p_best.caffemodel").read_bytes() == Path("p_iter_1.caffemodel").read_bytes()
    assert kept() == [1]


def test_a_best_that_cannot_be_written_is_warned_of(caplog):
    Path("p_best.caffemodel").mkdir()
    with caplog.at_level("INFO", "minicaffe"):
        train(BEST, [0.1, 0.5, *[0.1] * 7])
    assert "cannot write p_best.caffemodel: Is a directory" in caplog.text and kept() == [1]


def test_the_best_stays_until_a_better_one_is_on_the_disk(monkeypatch):
    """At 3 the best is seen, but its snapshot fails."""
    solver = tiny_solver(SETTINGS + BEST + " snapshot: 4 keep_last: 1 max_iter: 8")
    scores = [0.1, 0.5, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1]
    solver.test = lambda index: {"accuracy": [scores[solver.iteration]], "loss": [0.0]}
    right = snapshot.write_together
    monkeypatch.setattr(
        snapshot, "write_together", lambda files: full(files) if solver.iteration == 3 else right(files)
    )
    solver.solve()
    assert kept() == [1, 8]
    assert Path("p_best.caffemodel").read_bytes() == Path("p_iter_1.caffemodel").read_bytes()


def test_a_run_that_branches_off_leaves_the_other_alone():
    Path("a").mkdir()
    Path("b").mkdir()
    settings = "test_iter: 1 test_interval: 1 snapshot_after_train: false keep_last: 2 snapshot: 1 "
    first = tiny_solver(settings + 'snapshot_prefix: "a/p" max_iter: 3 ' + BEST)
    first.solve()
    before = sorted(Path("a").iterdir())
    second = tiny_solver(settings + 'snapshot_prefix: "b/p" max_iter: 8 ' + BEST)
    second.solve(Path("a/p_iter_3.solverstate"))
    assert sorted(Path("a").iterdir()) == before
    Path("a").rename("old")
    Path("a").mkdir()
    other = tiny_solver(settings + 'snapshot_prefix: "a/p" max_iter: 3 random_seed: 9 ' + BEST)
    other.solve()
    before = sorted(Path("a").iterdir())
    moved = tiny_solver(settings + 'snapshot_prefix: "old/p" max_iter: 8 ' + BEST)
    moved.solve(Path("old/p_iter_3.solverstate"))
    assert sorted(Path("a").iterdir()) == before
    left = {path.name for path in Path("old").glob("*.solverstate")}
    assert {"p_iter_7.solverstate", "p_iter_8.solverstate"} <= left and len(left) <= 3


def test_files_of_another_run_with_the_same_name_stay():
    """A snapshot is the files that its run state lists, whatever else has its name."""
    for name in ("p_iter_1.caffemodel.h5", "p_iter_1_ema.caffemodel", "p_iter_1.solverstate.h5"):
        Path(name).write_text("another run's")
    train("snapshot: 1 keep_last: 1", [0] * 9)
    assert kept() == [8] and Path("p_iter_1_ema.caffemodel").read_text() == "another run's"


def test_a_second_snapshot_of_an_iteration_counts_once():
    first = tiny_solver(SETTINGS + "snapshot: 2 keep_last: 3 max_iter: 4")
    first.solve()
    first.snapshot()
    second = tiny_solver(SETTINGS + "snapshot: 2 keep_last: 3 max_iter: 6")
    second.solve("p_iter_4.solverstate")
    assert kept() == [2, 4, 6]
