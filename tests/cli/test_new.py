"""minicaffe new: the nets of the package; and their names in the place of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minicaffe import zoo

from ..support.running import PROTOTXT, run


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_list(capsys):
    result = run(capsys, "new")
    assert result.status == 0 and result.err == ""
    for name, entry in zoo.entries().items():
        assert any(line.split()[0] == name and entry.title in line for line in result.out.splitlines())
    rows = json.loads(run(capsys, "new", "--json").out)
    assert [row["name"] for row in rows] == list(zoo.entries())
    assert "solver_adam.prototxt" in next(row for row in rows if row["name"] == "lenet")["files"]


def test_a_copy(capsys):
    result = run(capsys, "new", "digits")
    assert result.status == 0 and "digits/train_test.prototxt\n" in result.out
    assert "minicaffe train digits/solver.prototxt trains it" in result.out
    assert run(capsys, "check", "digits").out.endswith("digits/solver.prototxt: ok\n")
    again = run(capsys, "new", "digits")
    message = "digits is there already; hint: minicaffe new digits FOLDER names another\n"
    assert again == (1, "", f"minicaffe new: error: {message}")


@pytest.mark.parametrize(
    "words, message",
    [
        (["lenett"], "no net 'lenett' in the package; hint: did you mean 'lenet'?"),
        (["lenet/solver"], "no net 'lenet/solver' in the package"),
        (["lenet", "a", "b"], "surplus argument 'b'"),
        (["lenet", "--json"], "--json is for the list"),
    ],
)
def test_mistakes(words, message, capsys):
    result = run(capsys, "new", *words)
    assert result.status == 1 and message in result.err and result.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_a_net_of_the_package_by_its_name(capsys):
    """Trained, tested, timed and looked at; what is written goes to the working folder."""
    result = run(capsys, "train", "digits", "--iterations", 1)
    assert result.status == 0 and f"digits is {PROTOTXT / 'digits' / 'solver.prototxt'}" in result.err
    assert sorted(path.suffix for path in Path().iterdir()) == [".caffemodel", ".runstate", ".solverstate"]
    assert run(capsys, "test", "digits", "digits_iter_1.caffemodel", "--iterations", 1).status == 0
    assert run(capsys, "time", "digits", "--iterations", 1).status == 0
    assert "131,080" in run(capsys, "summary", "digits").out
    assert run(capsys, "gradcheck", "digits", "--layer", "ip2", "--directions", 1).status == 0
    assert run(capsys, "draw", "digits/deploy", "-o", "net.svg").status == 0
    assert run(capsys, "check", "digits/deploy", "digits").status == 0


def test_a_run_of_the_package_goes_on(capsys):
    assert run(capsys, "train", "digits", "--run", "r", "--iterations", 1).status == 0
    assert run(capsys, "train", "digits", "--run", "r", "--resume", "auto", "--iterations", 2).status == 0
    assert Path("r/snapshots/digits_iter_2.caffemodel").is_file()


def test_a_run_in_the_place_of_net_and_weights(capsys):
    """The net of a run without solver is completed as it was for training, and tested in its stage."""
    words = ("train", "digits/all_in_one", "--source", "digits", "--epochs", 0.1, "--run", "r")
    assert run(capsys, *words).status == 0
    result = run(capsys, "test", "r", "r", "--iterations", 1)
    assert result.status == 0 and "r is r/snapshots/all_in_one_iter_3.caffemodel" in result.err
    again = run(capsys, "test", "digits/all_in_one", "r", "--iterations", 1, "--source", "digits")
    assert again.status == 0 and again.err.splitlines()[-1][30:] == result.err.splitlines()[-1][30:]
    refused = run(capsys, "train", "r")
    assert "r is a run, no solver; hint: minicaffe train --run r --resume auto goes on with it" in refused.err
    Path("r/snapshots").rename("elsewhere")
    assert "r: the run has no snapshot yet" in run(capsys, "test", "r", "r").err
    open_end = run(capsys, "time", "digits/all_in_one", "--iterations", 1)
    assert open_end.status == 1 and "does not say where the training data is" in open_end.err


def test_a_source_that_is_not_there(capsys):
    """Or has no second part; the validation is what is missed first."""
    Path("images").mkdir()
    for source, words in (("phots", "and there is no 'phots'"), ("images", "and 'images' names none")):
        result = run(capsys, "train", "own", "--source", source)
        assert result.status == 1 and words in result.err


def test_a_seed(capsys):
    """In the place of the solver's; it belongs to the beginning of a run."""
    lines = {
        seed: run(capsys, "train", "digits", "--iterations", 1, *words).err.split("loss = ")[-1][:7]
        for seed, words in (("own", ()), ("same", ("--seed", 1701)), ("another", ("--seed", 0)))
    }
    assert lines["own"] == lines["same"] != lines["another"]
    assert run(capsys, "train", "digits", "--seed", 0, "--iterations", 1, "--run", "r").status == 0
    result = run(capsys, "train", "--run", "r", "--resume", "auto", "--seed", 0)
    assert "--seed is for the beginning of a run" in result.err
    assert "must be from 0 to 2^63 - 1" in run(capsys, "train", "digits", "--seed", 2**63).err


def test_a_name_that_is_none(capsys):
    result = run(capsys, "train", "digit")
    assert "cannot read digit: No such file or directory; hint: did you mean 'digits'?" in result.err
