"""Pictures of training curves: loss, test outputs and learning rate of one run or several (extra `plot`)."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..errors import ConfigError, DataError, extra
from ..files import write_atomic
from ..printable import printable
from . import plot_labels
from .curves import Curves
from .plot_series import LOSS, RATE, Drawn, Panel, Points, panels
from .plot_theme import THEMES, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
# Runs are told apart by dashes and markers too: where curves lie on each other, and without colours.
DASHES: tuple[Any, ...] = ("-", (0, (7, 2)), (0, (2, 1.5)), (0, (7, 2, 2, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P")
HEIGHTS = {LOSS: 3.2, RATE: 1.5}  # inches
OTHER_HEIGHT = 2.3
WIDTH, WIDE = 8.0, 12.0
MOST_IN_A_COLUMN = 4
MOST_BROADENED = 6
LONGEST_NAME = 200  # characters
RATE_VARIES = 10  # highest to lowest, from which on the axis is logarithmic


class Style(NamedTuple):
    """How a run is drawn in a panel; `place` is its own among the runs, `below` the number of later runs with
    the same curve, under which it would vanish if it were not drawn broader."""

    colour: str
    dash: Any
    marker: str
    place: int
    below: int


def draw(
    runs: Sequence[Curves],
    path: str | os.PathLike,
    *,
    title: str = "",
    x: str = "iteration",
    log: bool = False,
    smooth: int = 1,
    shown: Sequence[Panel] | None = None,
    theme: str = "light",
) -> None:
    """Draw runs into a .png or .svg file.

    x       iteration, or seconds of training
    log     a logarithmic axis for losses
    smooth  training curves are means over this many displays; the displays themselves show faintly behind
    shown   the panels to draw, along x; all that the runs fill if left out
    theme   light or dark

    At the end of a curve of tests stands its last value, and the best, which has a ring.  The axis of an
    output begins where the last three quarters of the run lie, if its beginning would press them together.
    Values that are not finite are gaps; a cross at the top of the panel marks where each begins, a bar how
    long it lasts.

    Raises ConfigError without matplotlib, for another ending of the name, another theme and smooth < 1;
    DataError if the file cannot be written, or times are asked for and missing.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"cannot draw {path}", hint=f"the name must end in {' or '.join(FORMATS)}")
    picture = figure(runs, title=title, x=x, log=log, smooth=smooth, shown=shown, theme=theme)
    from matplotlib import rc_context

    buffer = io.BytesIO()
    form = path.suffix.lower().lstrip(".")
    # The same runs give the same file; letters stay letters, which are smaller than their outlines.
    with rc_context({"svg.hashsalt": "minicaffe", "svg.fonttype": "none"}):
        picture.savefig(buffer, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
    try:
        write_atomic(path, buffer.getvalue())
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


def figure(
    runs: Sequence[Curves],
    *,
    title: str = "",
    x: str = "iteration",
    log: bool = False,
    smooth: int = 1,
    shown: Sequence[Panel] | None = None,
    theme: str = "light",
) -> Figure:
    """The picture of `draw`, as a figure that belongs to no window and no global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError("drawing needs matplotlib, which is not installed", hint=extra("plot")) from None
    if not runs:
        raise ConfigError("there is nothing to draw: name one run at least")
    if smooth < 1:
        raise ConfigError(f"smooth must be at least 1; got {smooth}")
    if theme not in THEMES:
        raise ConfigError(f"theme must be one of {', '.join(THEMES)}; got {theme!r}")
    colours = THEMES[theme]
    names = [run.name for run in runs]
    shown = panels(runs, x) if shown is None else shown
    picture = Figure(layout="constrained", facecolor=colours.ground)
    scale, unit = _unit(shown, x)
    axes = _lay_out(picture, shown, unit, colours)
    for ax, panel in zip(axes, shown):
        for i, run in enumerate(panel.runs):
            below = min(sum(run.same(other) for other in panel.runs[i + 1 :]), MOST_BROADENED)
            style = Style(*_look(i, colours), i, below)
            if panel.title == RATE:
                _draw_rate(ax, run, style, scale)
            else:
                markers = dict(zip(panel.tests, cycle(MARKERS)))
                if len(markers) == 1:
                    markers = dict.fromkeys(markers, style.marker)
                _draw_run(ax, run, style, scale, smooth, markers, colours)
        _dress(ax, panel, colours, logarithmic=log and panel.title == LOSS)
    _explain(axes[0], shown, smooth, colours)
    height_in = picture.get_size_inches()[1]
    for ax, panel in zip(axes, shown):
        _focus(ax, panel, colours)
        ends = plot_labels.labels(panel, names, [_look(i, colours)[0] for i in range(len(runs))])
        plot_labels.write(ax, ends, scale, height_in * ax.get_position().height)
    _name(picture, names, title or (names[0] if len(names) == 1 else ""), colours)
    return picture


def _lay_out(picture: Figure, shown: Sequence[Panel], unit: str, theme: Theme) -> list[Axes]:
    """One below the other; when there are many in two columns, below the first, which is as wide as both."""
    count = len(shown)
    if count <= MOST_IN_A_COLUMN:
        places = [(i, slice(None)) for i in range(count)]
        heights = [HEIGHTS.get(panel.title, OTHER_HEIGHT) if count > 1 else HEIGHTS[LOSS] for panel in shown]
        width, labelled = WIDTH, [count - 1]
    else:
        places = [(0, slice(None)), *[(1 + i // 2, slice(i % 2, i % 2 + 1)) for i in range(count - 1)]]
        heights = [HEIGHTS[LOSS], *[OTHER_HEIGHT] * (count // 2)]
        width, labelled = WIDE, [0, count - 2, count - 1]  # the wide one, and the lowest of each column
    picture.set_size_inches(width, sum(heights) + 0.8)
    grid = picture.add_gridspec(len(heights), 1 if width == WIDTH else 2, height_ratios=heights)
    axes: list[Axes] = []
    for i, place in enumerate(places):
        ax = picture.add_subplot(grid[place], sharex=axes[0] if axes else None, facecolor=theme.ground)
        if i in labelled:
            ax.set_xlabel(unit, color=theme.faint, fontsize=9)
        else:
            ax.tick_params(labelbottom=False)
        axes.append(ax)
    return axes


def _unit(shown: Sequence[Panel], x: str) -> tuple[float, str]:
    """What x is divided by, and the label of the axis."""
    if x == "iteration":
        return 1, "iteration"
    longest = max((float(p.x.max()) for panel in shown for p in panel.series if p.x.size), default=0)
    if longest >= 3 * 3600:
        return 3600, "hours of training"
    return (60, "minutes of training") if longest >= 180 else (1, "seconds of training")


def _draw_run(
    ax: Axes,
    run: Drawn,
    style: Style,
    scale: float,
    smooth: int,
    markers: Mapping[str, str],
    theme: Theme,
) -> None:
    """Training thin, tests with markers, one element of several faintly."""
    colour, dash, _, place, below = style
    if run.span is not None:
        low, high = run.span
        ax.fill_between(low.x / scale, low.y, high.y, color=colour, alpha=0.15, linewidth=0)
    tested = bool(run.tests)
    if run.train.x.size:
        line = run.train
        if smooth > 1:
            _line(ax, line, scale, colour, dash, width=0.7, alpha=0.25)
            line = line.smoothed(smooth)
        _line(ax, line, scale, colour, dash, width=1.0, alpha=0.75 if tested else 1.0)
        _mark_gaps(ax, run.train, scale, colour, place)
    for element in run.elements:
        _line(ax, element, scale, colour, dash, width=0.6, alpha=0.35)
    for name, points in run.tests.items():
        ax.plot(
            points.x / scale,
            points.y,
            color=colour,
            linestyle=dash,
            linewidth=1.8 + 1.2 * below,
            marker=markers[name],
            markersize=(5 if points.x.size <= 30 else 3) + 2.4 * below,
            markeredgecolor=theme.ground,
            markeredgewidth=0.6,
            zorder=3,
        )
        _mark_gaps(ax, points, scale, colour, place)


def _draw_rate(ax: Axes, run: Drawn, style: Style, scale: float) -> None:
    width = 1.4 + 1.2 * style.below
    _line(ax, run.train, scale, style.colour, style.dash, width=width, alpha=1.0)
    _mark_gaps(ax, run.train, scale, style.colour, style.place)


def _look(run: int, theme: Theme) -> tuple[str, Any, str]:
    """Colour, dashes and marker of a run by its number; dashes move on when the colours begin again."""
    count = len(theme.curves)
    dash = DASHES[(run + run // count) % len(DASHES)]
    return theme.curves[run % count], dash, MARKERS[run % len(MARKERS)]


def _line(
    ax: Axes, points: Points, scale: float, colour: str, dash: Any, *, width: float, alpha: float
) -> None:
    look: dict[str, Any] = {"color": colour, "alpha": alpha, "solid_capstyle": "butt"}
    ax.plot(points.x / scale, points.y, linestyle=dash, linewidth=width, **look)
    alone = points.alone
    if alone.x.size:
        ax.plot(alone.x / scale, alone.y, linestyle="none", marker=".", markersize=4 + width, **look)


def _mark_gaps(ax: Axes, points: Points, scale: float, colour: str, place: int) -> None:
    """A cross where values cease to be finite and a bar as long as they do, below the top of the panel."""
    height = 0.96 - 0.045 * (place % 12)
    where = ax.get_xaxis_transform()  # x as the data, y as the panel
    for first, last in points.gaps:
        ends = [first / scale, last / scale]
        ax.plot(ends, [height] * 2, transform=where, color=colour, linewidth=1.5, alpha=0.5)
        ax.plot(
            ends[:1], [height], transform=where, color=colour, marker="x", markersize=6, markeredgewidth=1.8
        )


def _dress(ax: Axes, panel: Panel, theme: Theme, *, logarithmic: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = [float(y) for points in panel.series for y in points.y[points.finite]]
    positive = [y for y in values if y > 0]
    varies = (
        panel.title == RATE and len(positive) == len(values) > 0 and max(values) >= RATE_VARIES * min(values)
    )
    if varies or (logarithmic and positive):
        ax.set_yscale("log", nonpositive="mask")
    elif values:
        ax.yaxis.set_major_locator(MaxNLocator(nbins=5 if panel.title != RATE else 3))
    if not values:
        ax.set_yticks([])
        place: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center"}
        ax.text(0.5, 0.5, "no finite value", color=theme.faint, **place)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ax.set_title(
        _shown(_titled(panel)), loc="left", fontsize=10, fontweight="bold", color=theme.ink, parse_math=False
    )
    ax.grid(color=theme.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.margins(x=0.02)
    ax.tick_params(which="both", colors=theme.faint, labelsize=8, length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(theme.edge)


def _focus(ax: Axes, panel: Panel, theme: Theme) -> None:
    """Let the axis begin where the curves have settled, and say so."""
    focus = panel.focus
    if focus is None:
        return
    ax.set_ylim(*focus)
    values = [float(y) for points in panel.series for y in points.y[points.finite]]
    beyond = min(values) if min(values) < focus[0] else max(values)
    said = f"axis cut: the beginning, from {plot_labels.value(beyond)}, is not shown"
    free: Literal["right", "center"] = "right" if ax.get_legend() is None else "center"
    ax.set_title(said, loc=free, fontsize=8, color=theme.faint)


def _titled(panel: Panel) -> str:
    widths = {run.width for run in panel.runs if run.elements}
    return f"{panel.title}, mean of {max(widths)} elements" if widths else panel.title


def _explain(ax: Axes, shown: Sequence[Panel], smooth: int, theme: Theme) -> None:
    """A legend of what lines and markers mean, in grey as it holds for every run."""
    from matplotlib.lines import Line2D

    drawn = [run for panel in shown if panel.title != RATE for run in panel.runs]
    entries: list[tuple[str, dict[str, Any]]] = []
    trained = any(run.train.x.size for run in drawn)
    if trained and smooth > 1:
        entries.append(("train", {"linewidth": 0.8, "alpha": 0.4}))
        entries.append((f"train, mean of {smooth}", {"linewidth": 1.2}))
    elif trained:
        entries.append(("train", {"linewidth": 1.2}))
    tests = shown[0].tests or [name for panel in shown for name in panel.tests][:1]
    for name, marker in zip(tests, cycle(MARKERS)):
        label = f"test, {name}" if len(tests) > 1 else "test"
        entries.append((label, {"marker": marker, "markersize": 5, "linewidth": 1.8}))
    if any(points.gaps for panel in shown for points in panel.series):
        entries.append(("not finite", {"marker": "x", "markersize": 6, "linestyle": "none"}))
    if not entries:  # rates alone
        return
    handles = [Line2D([], [], color=theme.faint, **look) for _, look in entries]
    legend = ax.legend(
        handles,
        [str(i) for i in range(len(entries))],
        fontsize=8,
        frameon=False,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(entries),
        borderaxespad=0.2,
        handlelength=1.8,
        columnspacing=1.4,
    )
    _set_texts(legend, [label for label, _ in entries], theme.faint)


def _name(picture: Figure, names: Sequence[str], title: str, theme: Theme) -> None:
    """The title, and which colour is which run."""
    from matplotlib.lines import Line2D

    if title:
        picture.suptitle(
            _shown(title),
            x=0.01,
            ha="left",
            fontsize=12,
            fontweight="bold",
            color=theme.ink,
            parse_math=False,
        )
    if len(names) == 1:
        return
    handles = []
    for i in range(len(names)):
        colour, dash, marker = _look(i, theme)
        look: dict[str, Any] = {"color": colour, "linestyle": dash, "marker": marker, "markersize": 5}
        handles.append(Line2D([], [], linewidth=2, markeredgecolor=theme.ground, **look))
    width = picture.get_size_inches()[0]
    fitting = int(
        width * 11 / (8 + max(len(_shown(name)) for name in names))
    )  # letters of this size per inch
    legend = picture.legend(
        handles,
        [str(i) for i in range(len(names))],
        loc="outside lower left",
        fontsize=9,
        frameon=False,
        ncols=max(1, min(len(names), fitting)),
        handlelength=2.6,
        columnspacing=1.6,
    )
    _set_texts(legend, names, theme.ink)


def _shown(name: str) -> str:
    """A name as the picture shows it: a long one without its middle."""
    text = printable(name)
    half = LONGEST_NAME // 2
    return text if len(text) <= LONGEST_NAME else f"{text[:half]} ... {text[-half:]}"


def _set_texts(legend: Any, labels: Sequence[str], colour: str) -> None:
    """Labels set afterwards: matplotlib leaves out those that begin with _ and reads $ as mathematics."""
    for text, label in zip(legend.get_texts(), labels):
        text.set_text(_shown(label))
        text.set_parse_math(False)
        text.set_color(colour)
