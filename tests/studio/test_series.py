"""Metrics as series: which rows count, nothing lost in thinning, positions."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.runs import metric_rows
from minicaffe.runs.jsonlines import finite, read
from minicaffe.studio.series import Series

VALUES = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(1e30))
TRAIN = st.fixed_dictionaries(
    {
        "phase": st.just("train"),
        "iteration": st.integers(0, 30),
        "seconds": st.integers(0, 50),
        "loss": VALUES,
    },
    optional={"lr": st.floats(0, 1), "outputs": st.fixed_dictionaries({"loss": VALUES})},
)
TEST = st.fixed_dictionaries(
    {"phase": st.just("test"), "net": st.integers(0, 1), "iteration": st.integers(0, 30)},
    optional={"outputs": st.fixed_dictionaries({"accuracy": st.lists(VALUES, min_size=2, max_size=2)})},
)
START = st.fixed_dictionaries({"phase": st.just("start"), "iteration": st.integers(0, 30)})
OTHER = st.just({"what": "else"})
ROWS = st.lists(st.one_of(TRAIN, TRAIN, TEST, START, OTHER), max_size=60)


def write(path, entries, mode="w"):
    with open(path, mode) as file:
        file.writelines(json.dumps(finite(entry)) + "\n" for entry in entries)


def of(path, rows) -> Series:
    write(path, rows)
    series = Series(path)
    series.read()
    return series


def same(one, other) -> bool:
    return len(one) == len(other) and all(a == b or (a != a and b != b) for a, b in zip(one, other))


@given(rows=ROWS)
def test_the_rows_that_count_are_those_of_the_curves(tmp_path, rows):
    series = of(tmp_path / "metrics.jsonl", rows)
    curves = metric_rows.curves(read(series.path), "run")
    for name, value in (("loss", lambda row: row.loss), ("lr", lambda row: row.lr)):
        expected = [(row.iteration, value(row)) for row in curves.train if value(row) is not None]
        got = series.since(0, 5000).get(f"train/{name}", {"x": [], "y": []})
        assert got["x"] == [x for x, _ in expected] and same(got["y"], [y for _, y in expected])
    for net in (0, 1):
        for i in (0, 1):
            with_output = [row for row in curves.tests.get(net, []) if row.outputs]
            got = series.since(0, 5000).get(f"test{net}/accuracy {i}", {"x": [], "y": []})
            assert got["x"] == [row.iteration for row in with_output]
            assert same(got["y"], [row.outputs["accuracy"][i] for row in with_output])
    seconds = [row.seconds for row in curves.train if row.loss is not None]
    assert same(series.since(0, 5000).get("train/loss", {"seconds": []})["seconds"], seconds)


@given(rows=ROWS, cuts=st.lists(st.integers(0, 60), max_size=4))
def test_read_in_pieces_it_is_the_same(tmp_path, rows, cuts):
    whole = of(tmp_path / "whole.jsonl", rows)
    path = tmp_path / "metrics.jsonl"
    path.write_text("")
    series, begun = Series(path), 0
    for cut in [*sorted(cuts), len(rows)]:
        write(path, rows[begun:cut], "a")
        with open(path, "a") as file:
            file.write('{"phase": ')  # a line that is being written
        series.read()
        path.write_bytes(path.read_bytes().removesuffix(b'{"phase": '))
        begun = max(begun, cut)
    assert json.dumps(series.since(0, 99)) == json.dumps(whole.since(0, 99))
    assert series.process == whole.process and series.offset == path.stat().st_size


@given(values=st.lists(VALUES, min_size=1, max_size=200), points=st.integers(1, 40))
def test_thinning_loses_no_point_and_no_spike(tmp_path, values, points):
    rows = [{"phase": "train", "iteration": i, "loss": value} for i, value in enumerate(values)]
    found = of(tmp_path / "metrics.jsonl", rows).since(0, points)["train/loss"]
    assert len(found["x"]) <= points and found["x"][-1] == len(values) - 1
    assert sum(found.get("rows", [1] * len(found["x"]))) == len(values)
    good = [value for value in values if value is not None]
    assert sum(found.get("bad", [0])) == len(values) - len(good)
    if good:
        low, high = found.get("low", found["y"]), found.get("high", found["y"])
        assert min(v for v in low if math.isfinite(v)) == min(good)
        assert max(v for v in high if math.isfinite(v)) == max(good)
    ends = [-1, *found["x"]]
    for i, y in enumerate(found["y"]):
        inside = [v for v in values[ends[i] + 1 : ends[i + 1] + 1] if v is not None]
        mean = pytest.approx(sum(inside) / len(inside), rel=1e-9, abs=1e-6) if inside else None
        assert math.isnan(y) if not inside else y == mean


@given(count=st.integers(1, 60), cut=st.integers(0, 60))
def test_two_answers_hold_what_one_holds(tmp_path, count, cut):
    rows = [{"phase": "train", "iteration": i, "loss": 1 / (1 + i)} for i in range(count)]
    path = tmp_path / "metrics.jsonl"
    series = of(path, rows[:cut])
    first, position = series.since(0, 100), series.offset
    write(path, rows[cut:], "a")
    series.read()
    second = series.since(position, 100)
    joined = [first.get("train/loss", {"y": []}), second.get("train/loss", {"y": []})]
    assert joined[0]["y"] + joined[1]["y"] == [row["loss"] for row in rows]


def test_a_file_that_became_shorter_is_another(tmp_path):
    path = tmp_path / "metrics.jsonl"
    series = of(path, [{"phase": "train", "iteration": i, "loss": 1.0} for i in range(9)])
    write(path, [{"phase": "train", "iteration": 3, "loss": 2.0}])
    assert series.read() and series.since(0, 9)["train/loss"]["y"] == [2.0]
    path.unlink()
    series.read()
    assert series.offset == 0 and not series.since(0, 9)


def test_a_window_shows_its_points_alone(tmp_path):
    rows = [{"phase": "train", "iteration": i, "loss": float(i)} for i in range(100)]
    series = of(tmp_path / "metrics.jsonl", rows)
    assert series.since(0, 10, (20, 29))["train/loss"]["y"] == [float(i) for i in range(20, 30)]
    assert series.since(0, 10, (200, 300)) == {}


def test_what_was_merged_keeps_its_ends(tmp_path):
    row = {
        "phase": "train",
        "iteration": 9,
        "count": 3,
        "loss": 2.0,
        "outputs": {"loss": 2.0, "two": [1.0, 2.0]},
    }
    row |= {"min": {"loss": 1.0, "outputs": {"loss": 0.5, "two": [0.0, 1.0]}}}
    row |= {"max": {"loss": 3.0, "outputs": {"loss": 9.0, "two": [5.0, 6.0]}}}
    found = of(tmp_path / "metrics.jsonl", [row]).since(0, 9)
    assert (found["train/loss"]["low"], found["train/loss"]["high"]) == ([1.0], [3.0])
    assert found["train/outputs/loss"]["high"] == [9.0]
    assert (found["train/outputs/two 1"]["low"], found["train/outputs/two 1"]["high"]) == ([1.0], [6.0])


def test_lines_that_are_no_rows_are_passed_over(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(
        b'[1]\n{"phase":"train","iteration":"x"}\n\xff\xfe\n{"phase":"train","iteration":1,"loss":4}\n'
    )
    series = Series(path)
    series.read()
    assert series.since(0, 9)["train/loss"]["y"] == [4.0]


def test_outputs_of_many_elements_are_their_mean_and_their_ends(tmp_path):
    row = {"phase": "test", "iteration": 1, "outputs": {"many": [float(i) for i in range(40)]}}
    found = of(tmp_path / "metrics.jsonl", [row]).since(0, 9)["test0/many"]
    assert (found["y"], found["low"], found["high"]) == ([19.5], [0.0], [39.0])
