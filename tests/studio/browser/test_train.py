"""Journeys of the Train page in a browser: a run from the form to 0.97, watched, steered, compared."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.runs.home import Home

from ..fake_runs import add_row, make_run, trainer, wait_for

SLOW_MS = 40_000  # a worker that starts on a busy machine
pytestmark = pytest.mark.browser

VALUES = st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda value: round(value, 3)))


def rows(folder: Path, phase: str) -> list[dict]:
    lines = Home(folder).metrics.read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["phase"] == phase]


def drawn(page, chart: str, key: str) -> list[list]:
    """The points that a chart holds of a curve: x and y."""
    script = """([chart, key]) => document.querySelector(`[data-chart="${chart}"]`).chart
        .lines.get(key).curve.points.map(p => [p.x, p.y, p.rows])"""
    return page.evaluate(script, [chart, key])


def until_drawn(page, count: int) -> None:
    """Until the loss has so many points."""
    script = """count => document.querySelector('[data-chart="Loss"]').chart.lines.get("train/loss0")
        .curve.points.length === count"""
    page.wait_for_function(script, arg=count, timeout=20_000)


def go(page, address: str) -> None:
    page.evaluate("address => { location.hash = address; }", address)


def open_form(page) -> None:
    go(page, "train/new")
    page.wait_for_selector(".train .facts dd", timeout=SLOW_MS)


def fill(page, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f".train [name={name}]", value)


def state(page, *wanted: str, timeout_s: float = 60) -> None:
    choice = ",".join(f'.job-head .state[data-state="{name}"]' for name in wanted)
    page.wait_for_selector(choice, timeout=1000 * timeout_s)


def test_lenet_learns_the_digits_and_the_charts_are_the_file(page, server):
    open_form(page)
    page.select_option(".train [name=lr_policy]", "cosine")
    fill(page, train_epochs="12", learning_rate="0.03", name="lenet", random_seed="1")
    assert 'lr_policy: "cosine"' in page.input_value(".train [name=solver]")
    page.wait_for_selector(".train dd:has-text('270')")  # iterations
    page.click("text=Start training")
    state(page, "finished", timeout_s=90)
    folder = server.folder / "lenet"
    train, test = rows(folder, "train"), rows(folder, "test")
    page.wait_for_function(
        f"""() => document.querySelector('[data-chart="Loss"]').chart.lines.get("train/loss0")
            .curve.points.at(-1).x === {train[-1]["iteration"]}"""
    )
    assert drawn(page, "Loss", "train/loss0") == [[row["iteration"], row["loss"], 1] for row in train]
    assert drawn(page, "Learning rate", "train/lr0") == [
        [r["iteration"], r["lr"], 1] for r in train if "lr" in r
    ]
    accuracy = [[row["iteration"], row["outputs"]["accuracy"], 1] for row in test]
    assert drawn(page, "Accuracy", "test0/accuracy0") == accuracy
    best = max(value for _, value, _ in accuracy)
    assert best >= 0.97
    assert f"best {float(f'{best:.4g}'):g}" in page.inner_text('[data-chart="Accuracy"] .bests')
    assert drawn(page, "Images per second", "speed0")
    go(page, "train")
    assert "finished" in page.inner_text('[data-run="lenet"]')


def test_a_run_is_steered(page, server):
    home = make_run(server.folder, "steered", rows=20, end="")
    with trainer(home) as given:
        go(page, "train/steered")
        state(page, "running")
        for op in ("snapshot", "pause"):
            page.click(f"[data-op={op}]")
            page.wait_for_selector(f"text={op}: done at iteration 7")
        state(page, "paused")
        page.fill(".train [name=rate]", "0.005")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=set_lr 0.005: done at iteration 7")
        page.click("[data-op=resume]")
        page.wait_for_selector("text=resume: done at iteration 7")
        state(page, "running")
        page.click("summary:has-text('Events')")
        page.locator('[data-event="control"]').nth(3).wait_for()
        assert [entry["command"] for entry in given] == ["snapshot", "pause", "set_lr", "resume"]
        add_row(home, 20)
        until_drawn(page, 21)


def test_a_server_that_comes_back_has_lost_nothing(page, server):
    home = make_run(server.folder, "going", rows=50, end="")
    with trainer(home):
        go(page, "train/going")
        state(page, "running")
        page.fill(".train [name=rate]", "0.123")
        server.kill()
        for i in range(50, 80):
            add_row(home, i)
        server.again()
        until_drawn(page, 80)
        for i in range(80, 90):
            add_row(home, i)
        until_drawn(page, 90)
        assert drawn(page, "Loss", "train/loss0") == [
            [row["iteration"], row["loss"], 1] for row in rows(home.folder, "train")
        ]
        assert page.input_value(".train [name=rate]") == "0.123"


def test_values_by_keyboard_and_zoom(page, server):
    make_run(server.folder, "read", rows=40)
    go(page, "train/read")
    plot = page.locator('[data-chart="Loss"] .plot')
    page.wait_for_selector('[data-chart="Accuracy"] .plot')
    plot.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=training at 2: 0.3333")
    page.keyboard.press("End")
    page.wait_for_selector("text=training at 39: 0.025")
    page.keyboard.press("+")
    window = page.evaluate("() => document.querySelector('[data-chart=Loss]').chart.group.window")
    assert window[1] == 39 and 15 < window[0] < 25
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.querySelector('[data-chart=Loss]').chart.group.window") is None
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 60, steps=4)
    page.mouse.up()
    low, high = page.evaluate("() => document.querySelector('[data-chart=Accuracy]').chart.group.window")
    assert 0 < low < high < 39
    page.mouse.dblclick(box["x"] + 200, box["y"] + 50)
    log = page.locator('[data-chart="Loss"] button')
    log.click()
    assert log.get_attribute("aria-pressed") == "true"


def test_runs_are_compared(page, server):
    make_run(server.folder, "one", rows=10)
    make_run(server.folder, "two", rows=20)
    go(page, "train")
    for name in ("one", "two"):
        page.check(f'[aria-label="compare {name}"]')
    page.click("text=Compare 2")
    page.wait_for_selector("text=two: training")
    assert len(drawn(page, "Loss", "train/loss0")) + len(drawn(page, "Loss", "train/loss1")) == 30


def test_the_form_and_the_text_say_the_same(page, server):
    open_form(page)
    solver = page.locator(".train [name=solver]")
    fill(page, momentum="0.5", learning_rate="0.02, 0.2")
    assert "momentum: 0.5" in solver.input_value() and "base_lr: 0.02" in solver.input_value()
    page.wait_for_selector("text=Start 2 runs")
    solver.fill(solver.input_value().replace("0.5", "0.75") + 'type: "Nesterov"\n')
    page.wait_for_selector(".train .findings .bad", timeout=SLOW_MS)
    solver.fill('base_lr: 0.1 lr_policy: "inv" gamma: 0.001 power: 0.75 type: "Nesterov"')
    assert (
        page.input_value(".train [name=solver_type]") == "Nesterov"
        and page.input_value(".train [name=power]") == "0.75"
    )
    page.select_option(".train [name=solver_type]", "AdaGrad")
    page.wait_for_selector(".train .facts dd", timeout=SLOW_MS)
    assert "momentum" not in solver.input_value()
    solver.fill("base_lr: high")
    page.wait_for_selector(".train .findings .bad", timeout=SLOW_MS)
    assert (
        "solver.prototxt:1:10" in page.inner_text(".train .findings")
        and page.locator(".train .primary").is_disabled()
    )


def test_names_notes_clone_delete(page, server):
    make_run(server.folder, "old")
    go(page, "train/old")
    page.click("text=Rename")
    page.fill('[aria-label="new name"]', '<img src=x onerror="alert(1)">')
    page.keyboard.press("Enter")
    page.wait_for_selector("h2:has-text('<img')")
    page.click("summary:has-text('Notes')")
    page.fill('[aria-label="notes"]', "slow but sure")
    page.locator(".train h2").click()
    wait_for(lambda: "slow but sure" in (server.folder / "old" / "notes.json").read_text())
    page.click("text=Clone")
    page.wait_for_selector(".train .facts dd", timeout=SLOW_MS)
    assert "LeNet-digits" in page.input_value(
        ".train [name=net_text]"
    ) and "max_iter: 100" in page.input_value(".train [name=solver]")
    go(page, "train/old")
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("text=Delete")
    page.wait_for_selector(".hint:has-text('No run yet')")
    assert not (server.folder / "old").exists()


@given(values=st.lists(VALUES, min_size=1, max_size=120), cap=st.integers(2, 40))
@settings(max_examples=25)
def test_a_full_curve_loses_no_point_and_no_spike(page, values, cap):
    found = page.evaluate(
        """async ([values, cap]) => {
            const {Curve} = await import("/curve.js");
            const curve = new Curve(cap);
            values.forEach((y, i) => curve.add({x: [i], y: [y], seconds: [i]}));
            return {points: curve.points, low: curve.best(true), high: curve.best(false)};
        }""",
        [values, cap],
    )
    points, good = found["points"], [value for value in values if value is not None]
    assert len(points) <= cap and sum(point["rows"] for point in points) == len(values)
    assert sum(point["bad"] for point in points) == len(values) - len(good)
    assert points[0]["first"] == 0 and points[-1]["x"] == len(values) - 1
    if good:
        assert (found["low"]["y"], found["high"]["y"]) == (min(good), max(good))
        total = sum(p["y"] * (p["rows"] - p["bad"]) for p in points if p["y"] is not None)
        assert math.isclose(total, sum(good), rel_tol=1e-6, abs_tol=1e-3)
    else:
        assert found["low"] is None


KEPT = ("# base_lr: 7", 'keep_best { output: "a" }', 'test_state { stage: "val" }')
LINES = st.sampled_from(
    [*KEPT, "base_lr: 0.1", 'type: "SGD"  # old', "stepvalue: 1 stepvalue: 2", "", "gamma:0.5 power : 2"]
)
NAMES = st.sampled_from(["base_lr", "type", "stepvalue", "gamma", "power", "max_iter", "momentum"])


@given(
    lines=st.lists(LINES, max_size=6), name=NAMES, values=st.lists(st.integers(1, 999).map(str), max_size=3)
)
@settings(max_examples=40)
def test_edits_change_their_field_alone(page, lines, name, values):
    text = "\n".join(lines)
    before, after, written = page.evaluate(
        """async ([text, name, values]) => {
            const {fields, write} = await import("/solver.js");
            const plain = t => fields(t).map(f => [f.name, f.value]), next = write(text, name, values);
            return [plain(text), plain(next), next];
        }""",
        [text, name, values],
    )
    assert [f for f in after if f[0] != name] == [f for f in before if f[0] != name]
    assert [f[1] for f in after if f[0] == name] == values
    for kept in KEPT:
        assert written.count(kept) == text.count(kept)
