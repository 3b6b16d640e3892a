"""Pictures of curves: what is in them, read off the figure."""

from __future__ import annotations

import builtins
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError
from minicaffe.runs.curves import Curves, Row
from minicaffe.runs.plot_series import MOST, RATE, Points, panels

matplotlib = pytest.importorskip("matplotlib")
from minicaffe.runs.plot import _shown, draw, figure  # noqa: E402  (after the skip)
from minicaffe.runs.plot_labels import apart  # noqa: E402

numbers = st.floats()


def run(name: str = "run", *, losses=(3.0, 2.0, 1.0), rates=(0.1, 0.1, 0.1), acc=(0.2, 0.8)) -> Curves:
    train = [Row(10 * i, 1.0 * i, lr, loss) for i, (loss, lr) in enumerate(zip(losses, rates))]
    tests = [Row(20 * i, 2.0 * i, outputs={"loss": [1.0], "acc": [a]}) for i, a in enumerate(acc)]
    return Curves(name, train, {0: tests} if tests else {})


def titles(picture) -> list[str]:
    return [ax.get_title(loc="left") for ax in picture.axes]


def lines(ax) -> list[tuple[list[float], list[float]]]:
    """The lines of data of a panel; not the marks of gaps and not what is empty."""
    return [
        (list(line.get_xdata()), list(line.get_ydata()))
        for line in ax.lines
        if len(line.get_xdata()) and line.get_transform() == ax.transData
    ]


def marks(ax) -> list[list[float]]:
    """x of the crosses and bars of a panel, which stand at a height of the panel."""
    return [list(line.get_xdata()) for line in ax.lines if line.get_transform() != ax.transData]


def test_panels_of_a_run():
    picture = figure([run()])
    loss, acc, rate = picture.axes
    assert titles(picture) == ["loss", "acc", "learning rate"]
    assert lines(loss) == [([0, 10, 20], [3, 2, 1]), ([0, 20], [1, 1])]
    assert lines(acc) == [([0, 20], [0.2, 0.8])]
    assert lines(rate) == [([0, 10, 20], [0.1] * 3)]
    assert picture.get_suptitle() == "run" and not picture.legends
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["train", "test"]
    assert rate.get_xlabel() == "iteration"


def test_panels_that_all_have_labels_are_as_wide_as_their_curves():
    picture = figure([run()], shown=[panel for panel in panels([run()], "iteration") if panel.title != RATE])
    for ax in picture.axes:
        (low, high), (first, *_, last) = ax.get_xlim(), lines(ax)[0][0]
        assert low < first < last < high
        assert ax.get_ylim() != (0, 1)


def test_several_runs_have_colours_and_names_as_they_are():
    picture = figure([run("_a$"), run("b")], title="both")
    assert [text.get_text() for text in picture.legends[0].get_texts()] == ["_a$", "b"]
    colours = [handle.get_color() for handle in picture.legends[0].legend_handles]
    assert len(set(colours)) == 2
    assert [line.get_color() for line in picture.axes[0].lines if len(line.get_xdata()) == 3] == colours
    assert picture.get_suptitle() == "both"


def test_runs_that_are_the_same_can_all_be_seen():
    picture = figure([run("a"), run("b", losses=(9, 9, 9)), run("c")])
    acc, rate = picture.axes[1:]
    assert np.ptp([line.get_linewidth() for line in acc.lines]) > 1
    widths = [line.get_linewidth() for line in rate.lines if len(line.get_xdata())]
    assert widths == pytest.approx([3.8, 2.6, 1.4])


def test_more_runs_than_colours_are_dashed():
    picture = figure([run(str(i)) for i in range(10)])
    handles = picture.legends[0].legend_handles
    assert len({(h.get_color(), h.get_linestyle(), h.get_marker()) for h in handles}) == 10
    dashes = [line.get_linestyle() for line in picture.axes[1].lines[:2]]
    assert len(set(dashes)) == 2, "neighbours differ without colours too"


def test_a_log_without_tests_shows_the_outputs_of_training():
    curves = run(acc=())
    for row in curves.train:
        row.outputs = {"loss": [1.0], "top1": [0.5]}
    picture = figure([curves])
    assert titles(picture) == ["loss", "top1", "learning rate"]
    assert lines(picture.axes[1]) == [([0, 10, 20], [0.5] * 3)]


def test_one_row():
    picture = figure([run(losses=[2.0], rates=[0.1], acc=())])
    assert ([0], [2.0]) in lines(picture.axes[0])
    dots = [line for line in picture.axes[0].lines if line.get_marker() == "." and len(line.get_xdata())]
    assert len(dots) == 1, "a line of one point shows nothing"


def test_gaps_are_marked():
    losses = (3, math.nan, math.inf, 2, math.nan, 1, 1)
    picture = figure([run(losses=losses, rates=[0.1] * 7)])
    assert marks(picture.axes[0]) == [[10, 20], [10], [40, 40], [40]]
    assert "not finite" in [text.get_text() for text in picture.axes[0].get_legend().get_texts()]
    lone = [list(line.get_xdata()) for line in picture.axes[0].lines if line.get_marker() == "."]
    assert lone == [[0, 30]]


def test_nothing_finite():
    picture = figure([run(losses=[math.nan] * 3, acc=())])
    assert [text.get_text() for text in picture.axes[0].texts] == ["no finite value"]


def test_logarithmic_axes():
    assert figure([run()], log=True).axes[0].get_yscale() == "log"
    assert figure([run(losses=(0, 0, 0))], log=True).axes[0].get_yscale() == "log"  # the loss of tests
    assert figure([run(losses=(0, -1, 0), acc=())], log=True).axes[0].get_yscale() == "linear"
    assert figure([run(rates=(1, 0.5, 0.1))]).axes[-1].get_yscale() == "log"
    assert figure([run(rates=(1, 0.5, 0.2))]).axes[-1].get_yscale() == "linear"
    assert figure([run(rates=(1, 0.5, 0.0))]).axes[-1].get_yscale() == "linear"


@pytest.mark.parametrize(
    "seconds, label, last", [(10, "seconds", 20), (100, "minutes", 200 / 60), (9e3, "hours", 5)]
)
def test_time_has_a_fitting_unit(seconds, label, last):
    curves = run(acc=())
    for i, row in enumerate(curves.train):
        row.seconds = i * seconds
    picture = figure([curves], x="seconds")
    assert picture.axes[-1].get_xlabel() == f"{label} of training"
    assert lines(picture.axes[0])[0][0][-1] == pytest.approx(last)


def test_smoothing_keeps_the_displays_behind():
    train, smoothed, _ = lines(figure([run()], smooth=2).axes[0])
    assert train == ([0, 10, 20], [3, 2, 1]) and smoothed == ([0, 10, 20], [2.5, 1.5, 1])
    picture = figure([run()], smooth=2)
    assert [t.get_text() for t in picture.axes[0].get_legend().get_texts()][:2] == [
        "train",
        "train, mean of 2",
    ]


def test_means_pass_over_gaps_and_do_not_fill_them():
    points = Points(np.arange(5.0), np.array([1, math.nan, 3, 5, 7]))
    np.testing.assert_array_equal(points.smoothed(3).y, [1, math.nan, 4, 5, 6])
    np.testing.assert_array_equal(points.smoothed(10**9).y, [4, math.nan, 4, 4, 4])


def test_a_huge_loss_does_not_spoil_later_means():
    points = Points(np.arange(4.0), np.array([1e30, 1, 2, 4]))
    np.testing.assert_array_equal(points.smoothed(2).y[1:], [1.5, 3, 4])


def test_losses_of_several_nets_and_names_have_markers():
    tests = {net: [Row(0, outputs={"loss1": [1.0 + net], "loss2": [2.0]})] for net in (0, 1)}
    tests[1][0].loss = 7.0
    picture = figure([Curves("a", [Row(0, loss=3.0)], tests)])
    labels = [text.get_text() for text in picture.axes[0].get_legend().get_texts()]
    assert labels == ["train", "test, loss1 of net 0", "test, loss2 of net 0", "test, loss of net 1"]
    shown = [line for line in picture.axes[0].lines if line.get_marker() in "os^"]
    assert [(line.get_marker(), list(line.get_ydata())) for line in shown] == [
        ("o", [1]),
        ("s", [2]),
        ("^", [7]),
    ]


def test_elements_and_their_mean():
    tests = [Row(i, outputs={"acc": [0.2, 0.4]}) for i in range(2)]
    (ax,) = figure([Curves("a", [], {0: tests})]).axes
    assert ax.get_title(loc="left") == "acc, mean of 2 elements"
    assert [y for _, y in lines(ax)] == [[0.2] * 2, [0.4] * 2, pytest.approx([0.3] * 2)]


def test_many_panels_stand_in_two_columns():
    outputs = {f"o{i}": [1.0] for i in range(5)}
    rows = [Row(0, outputs=outputs), Row(9, outputs=outputs)]
    picture = figure([Curves("a", [Row(0, lr=1.0, loss=1.0)], {0: rows, 1: rows[:1]})])
    assert titles(picture)[:3] == ["loss", "o0 (test net 0)", "o1 (test net 0)"] and len(picture.axes) == 12
    assert [i for i, ax in enumerate(picture.axes) if ax.get_xlabel()] == [0, 10, 11]


def test_what_nobody_could_read_is_not_drawn(caplog):
    many = {f"o{i}": [1.0] for i in range(3000)} | {f"loss{i}": [1.0] for i in range(3000)}
    picture = figure([Curves("a", [], {0: [Row(0, outputs=many)], 1: [Row(0, outputs=many)]})])
    assert len(picture.axes) == 1 + MOST and len(lines(picture.axes[0])) == MOST
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"of 6000 {what} the first {MOST} are drawn" for what in ("test losses", "outputs")]
    wide = [Row(i, outputs={"acc": [*[0.5] * 3000, math.nan, 0.1]}) for i in range(2)]
    (ax,) = figure([Curves("a", [], {0: wide})]).axes
    assert ax.get_title(loc="left") == "acc, mean of 3002 elements"
    assert [y for _, y in lines(ax)][:2] == [[0.1] * 2, [0.5] * 2]


def test_a_span_is_shaded():
    curves = Curves("a", [Row(i, loss=1.0, span=(0.5, 2.0)) for i in range(3)])
    assert len(figure([curves]).axes[0].collections) == 1


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(numbers, numbers, st.lists(numbers, max_size=2)), min_size=1, max_size=4),
    st.booleans(),
)
def test_any_numbers_can_be_drawn(rows, log):
    train = [Row(i, lr=lr, loss=loss) for i, (loss, lr, _) in enumerate(rows)]
    tests = [Row(i, outputs={"acc": acc}) for i, (_, _, acc) in enumerate(rows) if acc]
    figure([Curves("a", train, {0: tests}), run()], log=log, smooth=2).savefig(io.BytesIO(), dpi=30)


@pytest.mark.parametrize("ending, start", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("SVG", b"<?xml")])
@pytest.mark.parametrize("count", [1, 6])
def test_files(tmp_path, ending, start, count):
    path = tmp_path / f"curves.{ending}"
    draw([run(f"run {i}", losses=(3, math.nan, i + 1)) for i in range(count)], path, smooth=2, log=True)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def settled(accuracies, name="run", **more) -> Curves:
    return Curves(
        name, [], {0: [Row(10 * i, outputs={"acc": [a], **more}) for i, a in enumerate(accuracies)]}
    )


def test_the_axis_of_an_output_begins_where_the_runs_have_settled():
    values = (0.1, 0.9, 0.97, 0.98, 0.985, 0.984, 0.99, 0.991)
    (panel,) = panels([settled(values)], "iteration")
    low, high = panel.focus
    assert 0.9 < low < 0.97 and 0.991 < high < 1
    (ax,) = figure([settled(values)]).axes
    assert ax.get_ylim() == pytest.approx((low, high))
    assert ax.get_title(loc="center") == "axis cut: the beginning, from 0.1000, is not shown"
    # of several runs the lowest decides, of several panels each has its own
    two = panels([settled(values), settled([0.1, 0.2, 0.5, 0.5, 0.5, 0.5])], "iteration")[0]
    assert two.focus is None
    assert panels([settled(values), settled([0.1, 0.93, 0.9, 0.92, 0.9])], "iteration")[0].focus[0] < 0.9
    both = figure([Curves("a", [Row(0, loss=3.0)], settled(values).tests)])
    assert both.axes[1].get_title(loc="right").startswith("axis cut") and not both.axes[0].get_title(
        loc="right"
    )


@pytest.mark.parametrize(
    "values",
    [
        (0.1, 0.9, 0.95),  # too few to say where it settles
        (0.1, 0.4, 0.6, 0.7, 0.8, 0.9),  # it spreads evenly
        (0.5,) * 8,
        (math.nan,) * 8,
        (0.99, 0.98, 0.5, 0.1, 0.1, 0.1),  # it falls: that must be seen
    ],
)
def test_an_axis_that_need_not_be_cut_is_not(values):
    assert panels([settled(values)], "iteration")[0].focus is None


def test_a_beginning_above_is_cut_too_and_a_run_that_is_flat_has_room():
    falling = [
        Row(i, outputs={"error": [e]}) for i, e in enumerate((0.9, 0.3, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02))
    ]
    (panel,) = panels([Curves("a", [], {0: falling})], "iteration")
    assert panel.falls and panel.focus[0] < 0.02 < panel.focus[1] < 0.3


def written(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_last_and_best_values_stand_at_the_ends():
    values = (0.1, 0.9, 0.97, 0.98, 0.991, 0.99)
    (ax,) = figure([settled(values)]).axes
    assert written(ax) == ["0.9900, best 0.9910"]
    assert [tuple(offsets) for offsets in ax.collections[0].get_offsets()] == [(40, 0.991)]
    picture = figure([run("a"), run("b", acc=(0.2, 0.7, math.nan))])
    loss, acc, rate = picture.axes
    assert written(acc) == ["a 0.8000", "b 0.7000"] and written(rate) == []
    assert written(loss) == ["a 1.0000", "b 1.0000"]
    assert written(figure([run(acc=())]).axes[0]) == ["1.0000"]  # of training alone


def test_an_error_is_best_where_it_is_lowest():
    rows = [Row(i, outputs={"top-1 error": [e], "loss": [2 * e]}) for i, e in enumerate((0.3, 0.1, 0.2))]
    loss, error = figure([Curves("a", [], {0: rows})]).axes
    assert written(error) == ["0.2000, best 0.1000"] and written(loss) == ["0.4000, best 0.2000"]


def test_labels_lie_apart_and_in_order():
    places = apart([0.5, 0.5, 0.9, 0.51, 0.0], 0.1)
    assert places == pytest.approx([0.4033, 0.5033, 0.9, 0.6033, 0.0], abs=1e-3)
    assert apart([1.0, 1.0, 1.0], 0.1) == pytest.approx([0.8, 0.9, 1.0])
    assert apart([], 0.1) == []


@given(st.lists(st.floats(0, 1), max_size=10))
def test_places_are_apart_and_keep_their_order(places):
    found = apart(places, 0.1)
    order = sorted(range(len(places)), key=lambda i: places[i])
    gaps = np.diff([found[i] for i in order])
    assert (gaps >= 0.1 - 1e-9).all() and all(-1e-9 <= place <= 1 + 1e-9 for place in found)


def test_more_labels_than_fit_are_not_written():
    picture = figure([run(str(i)) for i in range(13)])
    assert not any(written(ax) for ax in picture.axes)


def test_the_same_runs_give_the_same_file_and_letters_stay_letters(tmp_path):
    for name in ("a.svg", "b.svg"):
        draw([run("one"), run("two")], tmp_path / name, theme="dark")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (
        "learning rate" in (tmp_path / "a.svg").read_text() and "#0d1117" in (tmp_path / "a.svg").read_text()
    )


def test_themes():
    assert figure([run()]).get_facecolor()[:3] == (1, 1, 1)
    assert sum(figure([run()], theme="dark").get_facecolor()[:3]) < 0.3
    with pytest.raises(ConfigError, match="theme must be one of light, dark; got 'blue'"):
        figure([run()], theme="blue")


def test_matplotlib_is_left_as_it_was(tmp_path):
    import sys

    before, loaded = dict(matplotlib.rcParams), "matplotlib.pyplot" in sys.modules
    draw([run()], tmp_path / "a.png")
    assert dict(matplotlib.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_mistakes(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot draw a\.jpg; hint: the name must end in \.png or \.svg"):
        draw([run()], "a.jpg")
    with pytest.raises(DataError, match=r"cannot write .*a\.png: No such file"):
        draw([run()], tmp_path / "nowhere" / "a.png")
    with pytest.raises(ConfigError, match="nothing to draw: name one run"):
        figure([])
    with pytest.raises(ConfigError, match="smooth must be at least 1; got 0"):
        figure([run()], smooth=0)
    with pytest.raises(DataError, match="a does not say when its lines were written; hint: --x iteration"):
        figure([Curves("a", [Row(0, loss=1.0)])], x="seconds")
    with pytest.raises(DataError, match="a: no loss, output or learning rate to draw"):
        figure([Curves("a", [Row(0)])])
    with pytest.raises(ConfigError, match="x must be iteration or seconds; got 'epoch'"):
        panels([run()], "epoch")


def test_without_matplotlib(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"needs matplotlib, .*; hint: pip install 'minicaffe\[plot\]'"):
        figure([run()])


def test_long_names_are_shown_without_their_middle():
    assert _shown("a" * 200) == "a" * 200
    assert _shown("a" * 150 + "\x1b" + "b" * 100_000) == "a" * 100 + " ... " + "b" * 100
