"""Curves from logs and metrics: Caffe's recorded logs, and everything its own parsers get wrong."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.errors import DataError
from minicaffe.log import number as spelled
from minicaffe.runs import caffe_log, curve_files
from minicaffe.runs.curves import Curves, Row
from minicaffe.runs.metrics import Metrics
from minicaffe.solvers.display import Shown

GOLDEN = Path(__file__).parent.parent / "golden"
LOGS = sorted(GOLDEN.glob("solvers/log_*.txt"))


def of_log(*lines: str) -> Curves:
    return caffe_log.read("".join(f"{line}\n" for line in lines).encode(), "log")


def stamped(when: str, message: str) -> str:
    return f"I{when}.000000  4711 solver.cpp:239] {message}"


def of_rows(path: Path, *rows: dict) -> Curves:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return curve_files.read(path)


def of_train(iteration: int, loss: float | None = 1.0, **more) -> dict:
    return {"phase": "train", "iteration": iteration, "seconds": iteration / 10, "loss": loss} | more


def of_test(iteration: int, **more) -> dict:
    row = {"phase": "test", "net": 0, "iteration": iteration, "seconds": iteration / 10}
    return row | {"outputs": {"acc": 0.5}} | more


# -- Caffe's own logs


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_golden_solvers(path):
    curves = curve_files.read(path)
    assert [row.iteration for row in curves.train] == list(range(12))
    assert [row.iteration for row in curves.tests[0]] == [0, 5, 10]
    assert all(set(row.outputs) == {"acc", "loss"} for row in curves.tests[0])
    assert all(None not in (row.lr, row.loss, row.seconds) for row in curves.train)
    assert curves.losses == {"loss"}
    # the log says what the recorded trajectory holds, in six digits
    recorded = np.load(path.with_name(f"traj_{path.stem.removeprefix('log_')}.npz"))
    if "loss" in recorded:
        np.testing.assert_allclose([row.loss for row in curves.train], recorded["loss"][:12], rtol=1e-5)


def test_golden_lenet():
    curves = curve_files.read(GOLDEN / "lenet" / "train.log")
    assert curves.name == "train"
    assert [row.iteration for row in curves.train] == list(range(0, 2001, 100))
    assert curves.train[1] == Row(100, 3.88736, 0.00992565, 0.247592, {"loss": [0.247592]})
    assert curves.train[-1] == Row(
        2000, 51.927748, None, 0.0176906
    )  # the last display has no rate, no outputs
    assert [row.iteration for row in curves.tests[0]] == [0, 500, 1000, 1500, 2000]
    assert curves.tests[0][1].outputs == {"accuracy": [0.9697], "loss": [0.0924601]}
    assert curves.tests[0][0].seconds == pytest.approx(24.927093 - 23.312686 + 0.0025, abs=0.01)


# -- lines


def test_nvidia_lines():
    curves = of_log(
        "Iteration 100 (25.1 iter/s, 3.98s/100 iter), loss = 0.5",
        "    Train net output #0: loss = 0.4 (* 1 = 0.4 loss)",
        "Iteration 100, lr = 0.01, m = 0.9, wd = 0.0005, gs = 1",
        "Iteration 200 (25.1 iter/s, 3.98s/100 iter), 1.2/13.0ep, loss = 0.25",
    )
    assert curves.train == [Row(100, None, 0.01, 0.5, {"loss": [0.4]}), Row(200, None, None, 0.25)]


@pytest.mark.parametrize(
    "text, value",
    [
        ("nan", math.nan),
        ("-nan", math.nan),
        ("-nan(ind)", math.nan),
        ("-1.#IND", math.nan),
        ("1.#QNAN", math.nan),
        ("inf", math.inf),
        ("-inf", -math.inf),
        ("-1.#INF", -math.inf),
        ("1.#INF", math.inf),
        ("1.3e-05", 1.3e-05),
        ("-1e+20", -1e20),
        ("12", 12.0),
    ],
)
def test_values(text, value):
    curves = of_log(
        "Iteration 0, Testing net (#0)",
        f"    Test net output #0: loss = {text} (* 1 = {text} loss)",
        f"Test loss: {text}",
        f"Iteration 0 (-1.35926e-43 iter/s, 0s/1 iters), loss = {text}",
        f"    Train net output #0: loss = {text} (* 1 = {text} loss)",
        f"Iteration 0, lr = {text}",
    )
    (row,), (tested,) = curves.train, curves.tests[0]
    found = [row.loss, row.lr, *row.outputs["loss"], tested.loss, *tested.outputs["loss"]]
    np.testing.assert_array_equal(found, [value] * 5)


def test_elements_of_an_output_are_told_apart():
    curves = of_log(
        "Iteration 5, Testing net (#0)",
        *(f"    Test net output #{i}: per class = 0.{i}" for i in range(3)),
        "    Test net output #3: with = sign = 7",
    )
    assert curves.tests[0][0].outputs == {"per class": [0.0, 0.1, 0.2], "with = sign": [7.0]}


def test_a_lost_line_leaves_a_hole_among_the_elements():
    curves = of_log("Iteration 5, loss = 1", *(f"Train net output #{i}: acc = {i}" for i in (0, 2)))
    np.testing.assert_array_equal(curves.train[0].outputs["acc"], [0, math.nan, 2])


def test_several_test_nets():
    curves = of_log(
        "Iteration 5, Testing net (#0)",
        "    Test net output #0: acc = 0.1",
        "Iteration 5, Testing net (#1)",
        "    Test net output #0: acc = 0.2",
    )
    assert {net: rows[0].outputs for net, rows in curves.tests.items()} == {
        0: {"acc": [0.1]},
        1: {"acc": [0.2]},
    }
    assert curves.train == []


def test_an_interrupted_test_is_none():
    curves = of_log("Iteration 5, loss = 1", "Iteration 6, Testing net (#0)", "Test interrupted.")
    assert curves.tests == {}


def test_smoothed_loss_and_output_differ():
    curves = of_log("Iteration 5, loss = 1", "    Train net output #0: loss = 3 (* 2 = 6 loss)")
    assert (curves.train[0].loss, curves.train[0].outputs) == (1.0, {"loss": [3.0]})


def test_a_loss_is_known_by_its_weight_or_its_name():
    curves = of_log("Iteration 5, loss = 1", "    Train net output #0: l2 = 3 (* 1 = 3 loss)")
    assert curves.is_loss("l2") and curves.is_loss("Loss1") and not curves.is_loss("accuracy")


def test_junk_is_passed_over():
    curves = of_log(
        "Train net output #0: loss = 9",  # the log begins in the middle
        "Test loss: 9",
        "\x00\x01\xff garbage \x1b[0m",
        'name: "Iteration"',
        "MultiStep Status: Iteration 5000, step = 1",
        "Iteration: 3 forward-backward time: 12 ms.",
        "progress 50%\rI1121 00:00:01.000000 1 solver.cpp:1] Iteration 7, loss = 0.25\x1b[0m",
        "Iteration 8, loss = 0.1I1121 00:00:02.000000 1 solver.cpp:1] Iteration 9, loss = 0.5",
        "Iteration 10, loss = 0.1.2.3",
        "Gradient clipping: scaling down gradients (L2 norm 12 > 5) by scale factor 0.416667",
    )
    assert [(row.iteration, row.loss) for row in curves.train] == [(7, 0.25), (9, 0.5)]


def test_a_line_that_is_being_written_is_left_out():
    curves = caffe_log.read(b"Iteration 1, loss = 0.5\nIteration 2, loss = 1", "log")
    assert [row.iteration for row in curves.train] == [1]


def test_utf16_as_powershell_writes_it():
    curves = caffe_log.read("Iteration 1, loss = 0.5\r\n".encode("utf-16"), "log")
    assert curves.train == [Row(1, None, None, 0.5)]


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data):
    caffe_log.read(b"Iteration 1, loss = 1\n" + data + b"\nIteration 2, loss = 1\n", "log")


numbers = st.floats(width=32)
outputs = st.dictionaries(
    st.text("abcdelos_/-", min_size=1), st.lists(numbers, min_size=1, max_size=3), max_size=3
)


@settings(max_examples=50)
@given(st.lists(st.tuples(numbers, numbers, outputs), min_size=1, max_size=4))
def test_what_our_solver_writes_is_read_back(rows):
    lines = []
    for i, (loss, rate, shown) in enumerate(rows):
        lines.append(f"Iteration {i} (1 iter/s, 1s/1 iters), loss = {spelled(loss)}")
        elements = [(name, value) for name, values in shown.items() for value in values]
        lines += [f"    Train net output #{k}: {n} = {spelled(v)}" for k, (n, v) in enumerate(elements)]
        lines.append(f"Iteration {i}, lr = {spelled(rate)}")
    read = of_log(*lines).train
    assert len(read) == len(rows)
    for row, (loss, rate, shown) in zip(read, rows):
        np.testing.assert_allclose([row.loss, row.lr], [loss, rate], rtol=1e-5)
        assert list(row.outputs) == list(shown)
        for name, values in shown.items():
            np.testing.assert_allclose(row.outputs[name], values, rtol=1e-5)


# -- time


@pytest.mark.parametrize(
    "stamps, seconds",
    [
        (["1121 10:00:00", "1121 10:00:07"], 7),
        (["20261121 10:00:00", "20261121 10:01:00"], 60),
        (["1231 23:59:59", "0101 00:00:01"], 2),  # the year rolls over
        (["20261231 23:59:59", "20270101 00:00:01"], 2),
        (["0228 23:59:59", "0301 00:00:00"], 1),  # a year of which nothing says that it is a leap year
        (["0228 12:00:00", "0229 12:00:00", "0301 12:00:00"], 2 * 86400),
        (["1231 12:00:00", "0229 12:00:00"], 60 * 86400),
        (["1121 10:00:05", "1121 10:00:00", "1121 10:00:02"], 2),  # the clock was set back
        (["1121 10:00:00", "1341 10:00:00", "1121 10:00:02"], 2),  # no such date
    ],
)
def test_seconds(stamps, seconds):
    lines = [stamped(when, f"Iteration {i}, loss = 1") for i, when in enumerate(stamps)]
    assert of_log(*lines).train[-1].seconds == seconds


def test_seconds_count_from_solving_and_pauses_do_not_count():
    curves = of_log(
        stamped("1121 10:00:00", "Initializing net"),
        stamped("1121 10:00:10", "Solving LeNet"),
        stamped("1121 10:00:11", "Iteration 0, loss = 4"),
        stamped("1121 10:00:15", "Iteration 100, loss = 3"),
        stamped("1121 12:00:00", "Solving LeNet"),
        stamped("1121 12:00:02", "Iteration 100, loss = 2"),
        stamped("1121 12:00:06", "Iteration 200, loss = 1"),
    )
    assert [(row.iteration, row.seconds, row.loss) for row in curves.train] == [
        (0, 1, 4),
        (100, 7, 2),
        (200, 11, 1),
    ]


def test_seconds_between_pause_and_resume_do_not_count():
    def at(second: int, message: str) -> str:
        return stamped(f"1121 10:00:{second:02}", message)

    lines = [at(0, "Solving net"), at(2, "Iteration 0, loss = 4"), at(3, "Control: pause at iteration 5")]
    lines += [at(4, "Control: pause at iteration 5"), at(23, "Control: resume at iteration 5")]
    lines += [at(24, "Control: resume at iteration 5"), at(25, "Iteration 10, loss = 3")]
    again = [
        at(30, "Control: pause at iteration 15"),
        at(40, "Solving net"),
        at(41, "Iteration 10, loss = 2"),
    ]
    assert [(row.iteration, row.seconds) for row in of_log(*lines).train] == [(0, 2), (10, 5)]
    assert [row.seconds for row in of_log(*lines, *again).train] == [2, 6]


def test_a_number_of_an_output_that_cannot_be_makes_no_room():
    curves = of_log(
        "Iteration 0, loss = 1",
        "    Train net output #0: x = 1",
        "    Train net output #999999: x = 2",
        "    Train net output #2: x = 3",
    )
    assert curves.train[0].outputs == {"x": pytest.approx([1, math.nan, 3], nan_ok=True)}


# -- resumes


def test_resumed_runs_overrule_what_they_repeat():
    def process(begin: int, end: int, loss: int) -> list[str]:
        lines = ["Solving net"]
        for i in range(begin, end, 10):
            if i % 50 == 0:
                lines += [f"Iteration {i}, Testing net (#0)", f"Test net output #0: acc = {loss}"]
            lines += [f"Iteration {i}, loss = {loss}", f"Iteration {i}, lr = 0.1"]
        return lines

    curves = of_log(*process(0, 110, 1), *process(60, 90, 2), *process(80, 130, 3))
    assert [(row.iteration, row.loss) for row in curves.train] == [
        *((i, 1) for i in range(0, 60, 10)),
        *((i, 2) for i in (60, 70)),
        *((i, 3) for i in range(80, 130, 10)),
    ]
    assert [(row.iteration, row.outputs["acc"]) for row in curves.tests[0]] == [
        (0, [1]),
        (50, [1]),
        (100, [3]),
    ]


def test_what_a_shorter_resume_does_not_reach_does_not_count():
    curves = of_log(*(f"Iteration {i}, loss = 1" for i in (0, 10, 20, 30, 10)))
    assert [row.iteration for row in curves.train] == [0, 10]


# -- metrics.jsonl


def test_metrics_as_the_solver_writes_them(tmp_path):
    times = iter(x / 2 for x in range(100))
    metrics = Metrics(tmp_path / "metrics.jsonl", clock=lambda: next(times))
    solver = SimpleNamespace(rate=0.1, iteration=0, shown=None)
    for i in range(3):
        solver.iteration = i
        metrics.on_test(solver, [{"acc": [i / 10]}, {"acc": [0.5, math.nan]}])
        solver.shown = Shown(i, 2.0 - i, {"loss": np.array([2.0]), "bad": np.array([math.inf])})
        metrics.on_iteration(solver)
    metrics.on_stop(solver)
    curves = curve_files.read(tmp_path)
    assert [(row.iteration, row.lr, row.loss) for row in curves.train] == [
        (0, 0.1, 2),
        (1, 0.1, 1),
        (2, 0.1, 0),
    ]
    assert curves.train[0].outputs["loss"] == [2.0] and math.isnan(curves.train[0].outputs["bad"][0])
    assert [row.outputs["acc"] for row in curves.tests[0]] == [[0.0], [0.1], [0.2]]
    np.testing.assert_array_equal(curves.tests[1][0].outputs["acc"], [0.5, math.nan])
    assert all(row.seconds is not None for row in curves.train)


def test_null_is_nan_and_what_is_missing_is_none(tmp_path):
    curves = of_rows(
        tmp_path / "m", of_train(0, None, lr=None), {"phase": "train", "iteration": 1}, of_test(1, loss=0.3)
    )
    assert math.isnan(curves.train[0].loss) and math.isnan(curves.train[0].lr)
    assert curves.train[1] == Row(1)
    assert curves.tests[0][0].loss == 0.3


def test_numbers_beyond_floats_are_infinite(tmp_path):
    curves = of_rows(tmp_path / "m", of_train(0, -(10**400), lr=10**400, seconds=math.inf))
    assert curves.train == [Row(0, None, math.inf, -math.inf)]


def test_merged_rows_have_a_span(tmp_path):
    curves = of_rows(tmp_path / "m", of_train(4, 1.5, count=3, min={"loss": 1.0}, max={"loss": 2.0}))
    assert curves.train[0].span == (1.0, 2.0)


def test_resumed_metrics(tmp_path):
    """Seconds go on; iterations that are repeated are overruled, even where a test reaches the file behind a
    display that came after it."""
    rows = [of_test(0), of_train(0), of_train(10), of_train(20), of_test(20), of_train(30)]
    again = [
        of_train(10, 2.0, seconds=0.5),
        of_train(20, 2.0, seconds=1.5),
        of_test(20, seconds=1.4, outputs={"acc": 0.7}),
    ]
    curves = of_rows(tmp_path / "m", *rows, *again)
    assert [(r.iteration, r.loss, r.seconds) for r in curves.train] == [(0, 1, 0), (10, 2, 3.5), (20, 2, 4.5)]
    assert [(r.iteration, r.outputs["acc"][0], r.seconds) for r in curves.tests[0]] == [
        (0, 0.5, 0),
        (20, 0.7, 4.4),
    ]


def test_the_first_test_of_a_resumed_run_counts(tmp_path):
    """It stands before the first display, and nothing but the start says whose it is."""
    start = {"phase": "start", "iteration": 600, "seconds": 0.0, "count": 0}
    first = [start | {"iteration": 0}, of_train(500), of_train(600)]
    again = [start, of_test(600, seconds=0.2), of_train(600, 2.0, seconds=0.3)]
    curves = of_rows(tmp_path / "m", *first, *again)
    assert [(row.iteration, row.seconds) for row in curves.tests[0]] == [(600, 60.2)]
    assert [(row.iteration, row.seconds) for row in curves.train] == [(500, 50), (600, 60.3)]


def test_a_test_that_the_resumed_run_does_not_repeat_counts(tmp_path):
    """Its snapshot was made after the test, as keep_best makes them, and says that it is done."""
    start = {"phase": "start", "iteration": 600, "seconds": 0.0, "count": 0}
    first = [
        start | {"iteration": 0},
        of_train(500),
        of_test(600),
        of_train(600),
        of_train(650),
        of_test(700),
    ]
    again = [start, of_train(600, 2.0, seconds=0.3), of_train(650, 2.0, seconds=0.4)]
    curves = of_rows(tmp_path / "m", *first, *again)
    assert [(row.iteration, row.seconds) for row in curves.tests[0]] == [(600, 60)]
    assert [(row.iteration, row.loss) for row in curves.train] == [(500, 1), (600, 2), (650, 2)]
    shown = [f"Iteration {i}, loss = 1" for i in (500, 600, 650)]
    tested = ["Iteration 600, Testing net (#0)", "    Test net output #0: acc = 0.7"]
    curves = of_log("Solving net", shown[0], *tested, *shown[1:], "Solving net", *shown[1:])
    assert [(row.iteration, row.outputs) for row in curves.tests[0]] == [(600, {"acc": [0.7]})]


def test_a_process_that_repeats_nothing_is_seen_by_its_time(tmp_path):
    curves = of_rows(tmp_path / "m", of_train(10), of_train(20, seconds=0.0), of_train(30, seconds=0.5))
    assert [row.seconds for row in curves.train] == [1.0, 1.0, 1.5]


def test_a_torn_last_row_and_other_objects_are_passed_over(tmp_path):
    path = tmp_path / "m"
    path.write_text(
        json.dumps(of_train(1)) + '\n[1]\n{"event": "end"}\nnoise\n{"phase":"train","iteration":2}'
    )
    assert [row.iteration for row in curve_files.read(path).train] == [1]


@pytest.mark.parametrize(
    "row, complaint",
    [
        (of_train(-1), "object 2: iteration must be an integer, 0 or above; got -1"),
        (of_train(0) | {"iteration": 10**400}, "object 2: iteration must be an integer, 0 or above"),
        (of_train(1, lr="x"), "object 2: lr must be a number or null; got 'x'"),
        (of_train(1, loss=True), "object 2: loss must be a number or null; got True"),
        (of_train(1, outputs=[1]), r"object 2: outputs must be an object; got \[1\]"),
        (of_train(1, outputs={"a": [{}]}), "object 2: output 'a' must be a number or null; got {}"),
        (of_test(1, net="0"), "object 2: net must be an integer, 0 or above; got '0'"),
    ],
)
def test_rows_of_a_wrong_kind(tmp_path, row, complaint):
    with pytest.raises(DataError, match=f"m: {complaint}"):
        of_rows(tmp_path / "m", of_train(0), row)


# -- files


def test_a_folder_is_read_by_its_metrics_or_else_its_log(tmp_path):
    (tmp_path / "log.txt").write_text("Iteration 1, loss = 1\n")
    assert curve_files.read(tmp_path).train[0].iteration == 1
    (tmp_path / "metrics.jsonl").write_text(json.dumps(of_train(2)) + "\n")
    curves = curve_files.read(tmp_path)
    assert curves.train[0].iteration == 2 and curves.name == tmp_path.name


def test_a_byte_order_mark_is_passed_over(tmp_path):
    for name, line in (("log.txt", "Iteration 1, loss = 1"), ("metrics.jsonl", json.dumps(of_train(2)))):
        (tmp_path / name).write_text(line + "\n", "utf-8-sig")
        assert len(curve_files.read(tmp_path / name).train) == 1
        (tmp_path / name).write_text(line + "\n", "utf-16")  # as PowerShell writes it
        with pytest.raises(DataError, match=f"{name}: UTF-16 text; expected UTF-8"):
            curve_files.read(tmp_path / name)
    with pytest.raises(DataError, match="cannot read /dev/zero: it is a device"):
        curve_files.read("/dev/zero")


def test_files_that_are_no_logs(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*nowhere: No such file"):
        curve_files.read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"not the folder of a run: it holds no metrics\.jsonl, no log\.txt"):
        curve_files.read(tmp_path)
    path = tmp_path / "solver.prototxt"
    path.write_text("base_lr: 1\nmax_iter: 5\n")
    with pytest.raises(
        DataError, match=r"solver\.prototxt: expected lines like .* none of its 2 lines is one; hint:"
    ):
        curve_files.read(path)


@pytest.mark.parametrize(
    "paths, names",
    [
        (["x/train.log"], ["train"]),
        (["runs/a/metrics.jsonl", "runs/b/metrics.jsonl"], ["a", "b"]),
        (["log_adam.txt", "old/log_sgd.txt"], ["log_adam", "log_sgd"]),
        (["new/a.txt", "old/a.txt", "b.log"], ["new/a", "old/a", "b"]),
        (["a.txt", "a.txt"], ["a (1)", "a (2)"]),
        (["a.txt", "a.log"], ["a.txt", "a.log"]),
        (["v1.0", "v1.1"], ["v1.0", "v1.1"]),
    ],
)
def test_short_names(paths, names):
    assert curve_files.short_names(paths) == names


def test_the_name_of_a_file_in_a_run_is_that_of_the_run(tmp_path):
    (tmp_path / "job.json").write_text("{}")
    assert curve_files.short_names([tmp_path / "metrics.jsonl"]) == [tmp_path.name]


@pytest.mark.parametrize(
    "line",
    [
        "Iteration 1, loss = " + "1" * 4000 + "x",
        "Iteration 1, lr = " + "1" * 4000 + "x",
        "Iteration 1 ())" * 270,
        "Iteration 1 (" * 300 + ", loss = 1x",
        "Train net output #0: a = 1 (* " + "1" * 4000 + " = 1 losx",
        "Iteration 1 (" + ")" * 300_000,
    ],
)
def test_no_line_takes_long(line):
    begun = time.monotonic()
    assert caffe_log.read(f"{line}\n".encode(), "x").train == []
    assert time.monotonic() - begun < 1


def test_holes_in_a_log_are_passed_over(tmp_path):
    (tmp_path / "x.log").write_bytes(b"\0" * 5000 + b"Iteration 1, loss = 0.5\n" + b"\0" * 5000)
    assert curve_files.read(tmp_path / "x.log").train == [Row(1, loss=0.5)]
