"""docs/results.md is what its numbers make of it; every row still learns."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from minicaffe import zoo
from minicaffe.cli import bench_net
from minicaffe.data import datasets
from minicaffe.proto import upgrade
from minicaffe.solvers import nets
from tools import make_results
from tools.results import page, pictures
from tools.results.rows import ROWS, SYSTEMS, Published, Row, Short

SHORT = [
    pytest.param(row, id=name, marks=[pytest.mark.slow] if row.short.slow else [])
    for name, row in ROWS.items()
    if row.short
]
DIGITS = Row(
    "digits",
    "S5",
    "The embedded digits",
    "As a test.",
    ("digits",),
    published=Published(0.9),
    goal=0.98,
    short=Short(100, 4, 0.8),
)
RESULT = {
    "row": "lenet",
    "runs": [
        {
            "seed": 1,
            "iterations": 10000,
            "seconds": 94.6,
            "seconds_to_published": 71.0,
            "right": 9910,
            "samples": 10000,
            "interval": [0.9889, 0.9927],
            "top5": 0.9999,
        }
    ],
    "inference_ms": {"alone": 0.21, "in batches of 100": 0.04},
    "machine": {
        "processor": "P",
        "threads": "2",
        "minicaffe": "0",
        "python": "3",
        "numpy": "2",
        "numba": "1",
    },
    "pytorch": {
        "version": "2",
        "contenders": {
            "minicaffe": {"median_ms": 6.45, "ratio": 1.0},
            "torch": {"median_ms": 13.5, "ratio": 2.08},
            "torch channels_last": {"median_ms": 8.9, "ratio": 1.34},
        },
    },
}


@pytest.fixture
def mnist():
    if datasets.find(datasets.MNIST, datasets.MNIST.splits["train"]) is None:
        pytest.skip("MNIST is not here: set MINICAFFE_DATA, or run minicaffe data get mnist")


def test_the_page_is_what_its_numbers_make_of_it():
    text = page.PAGE.read_text()
    assert text == page.rendered(text, page.results()), "run python tools/make_results.py --render"


def test_every_result_belongs_to_a_row():
    rows = set(page.results())
    assert {path.stem for path in page.NUMBERS.glob("*")} == rows
    names = {re.sub(r"_(curve|confusion|mistakes)$", "", path.stem) for path in page.PICTURES.glob("*")}
    assert names <= rows  # one that was judged apart has none
    assert all(path.stat().st_size <= pictures.LARGEST_BYTES for path in page.PICTURES.glob("*"))


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_row_names_what_there_is(row):
    """Its solver, with one test net that has the output that is judged; its net in the benchmark."""
    solver = zoo.find(row.train[0], "solver")
    ((net, _),) = nets.testing(upgrade.read_solver(solver), solver)
    assert row.output in {top for layer in net.layer for top in layer.top}
    assert not row.contest or Path(zoo.find(bench_net.parser().parse(row.contest).what, "net")).is_file()
    assert row.system in SYSTEMS and row.goal >= 0.96 and row.name == row.name.lower()


@pytest.mark.parametrize("row", SHORT)
def test_a_shortened_run_learns(row, mnist, capsys):
    assert make_results.short(row), capsys.readouterr().out


def test_a_part_of_the_page():
    text = page.part(ROWS["lenet"], RESULT)
    for line in (
        "    minicaffe train lenet",
        "| accuracy | 0.9910 | 0.9910: 9,910 of 10,000; 95 % interval 0.9889 to 0.9927 |",
        "| training | | 95 s, 10,000 iterations |",
        "| until the accuracy published | | 71 s |",
        "| an image | | 0.21 ms alone; 0.04 ms in batches of 100 |",
        "| a step in PyTorch 2 | | takes 2.08 (usual layout), 1.34 (channels_last) times as long as here,"
        " 6.45 ms |",
    ):
        assert line in text.splitlines()
    several = page.part(
        ROWS["lenet"], RESULT | {"runs": [RESULT["runs"][0] | {"right": n} for n in (9900, 9920)]}
    )
    assert "0.9910, the mean of 0.9900, 0.9920 |" in several
    assert "Not run yet." in page.part(ROWS["lenet"], None)
    summary = page.summary({"lenet": RESULT}).splitlines()
    assert "| S5 | `minicaffe train lenet` | 0.9910 | **0.9910** | | 95 s | 0.21 ms |" in summary
    assert len(summary) == 2 + len(ROWS)


def test_a_page_without_a_row_is_refused():
    with pytest.raises(ValueError, match="parts of the page"):
        page.rendered("<!-- made by tools/make_results.py: lenet -->\n<!-- end -->\n", {})


@pytest.mark.parametrize(
    "seconds, text", [(7.24, "7.2 s"), (94.6, "95 s"), (1446, "24 min 6 s"), (8123, "2 h 15 min")]
)
def test_durations(seconds, text):
    assert page.duration(seconds) == text


@pytest.mark.slow
def test_a_row_from_end_to_end(tmp_path, monkeypatch, capsys):
    """Trained with two seeds, judged, drawn and written; and again, from the runs that were kept."""
    monkeypatch.setattr(page, "NUMBERS", tmp_path / "numbers")
    monkeypatch.setattr(page, "PICTURES", tmp_path / "pictures")
    row = DIGITS._replace(seeds=(1, 2))
    with make_results.working_in(str(tmp_path / "runs")):
        make_results.run(row, None)
    result = json.loads((tmp_path / "numbers" / "digits.json").read_text())
    assert [run["seed"] for run in result["runs"]] == [1, 2] and page.accuracy(result) > 0.97
    assert all(0 < run["seconds_to_published"] <= run["seconds"] for run in result["runs"])
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        f"digits_{name}.png" for name in ("curve", "confusion", "mistakes")
    }
    with make_results.working_in(str(tmp_path / "runs")):
        make_results.run(row, None)
    again = json.loads((tmp_path / "numbers" / "digits.json").read_text())
    assert again["runs"] == result["runs"]
