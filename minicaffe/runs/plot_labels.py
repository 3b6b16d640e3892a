"""What is written at the ends of curves: which run it is, its last value, and its best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..printable import printable
from .plot_series import LOSS, RATE, Panel, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 8.0  # of letters, in points
GAP = 1.25  # from label to label, in letters
MOST = 12  # labels of a panel: more would not stand beside it
LONGEST = 24  # letters of a name


class Label(NamedTuple):
    """`text` belongs to the curve that ends at (x, y); `best`, if there is one, is a point of it to be
    marked."""

    x: float
    y: float
    text: str
    colour: str
    best: tuple[float, float] | None


def labels(panel: Panel, names: Sequence[str], colours: Sequence[str]) -> list[Label]:
    """The labels of a panel: for each curve of tests, or else of training, its last value and, of tests, the
    best.  Names are those of the runs; they are said where there are several."""
    found = []
    for run, name, colour in zip(panel.runs, names, colours):
        curves = run.tests or {"": run.train}
        for output, points in curves.items():
            last, best = points.last, points.best(panel.falls) if run.tests else None
            if last is None:
                continue
            of = [shortened(name)] if len(panel.runs) > 1 else []
            of += [shortened(output)] if len(curves) > 1 else []
            text = " ".join([*of, value(last[1])])
            if best is not None and best[1] != last[1]:
                text += f", best {value(best[1])}"
            found.append(Label(*last, text, colour, best))
    return found if len(found) <= MOST and panel.title != RATE else []


def write(ax: Axes, shown: Sequence[Label], scale: float, height_in: float) -> None:
    """Write labels beside a panel of this height in inches, near the ends of their curves but not over each
    other, and mark the best points; x is divided by `scale`."""
    ax.autoscale_view()  # which matplotlib puts off
    ax.autoscale(False)  # no label moves the curves
    to_panel = ax.transData + ax.transAxes.inverted()
    lowest = 0.0 if ax.get_yscale() == "log" else -math.inf  # what is not above it has no place
    shown = [label for label in shown if label.y > lowest]
    ends = [float(to_panel.transform((label.x / scale, label.y))[1]) for label in shown]
    gap = SIZE * GAP / (height_in * 72)
    for label, end, place in zip(shown, ends, apart(ends, gap)):
        line = {
            "arrowstyle": "-",
            "color": label.colour,
            "linewidth": 0.6,
            "alpha": 0.6,
            "relpos": (0, 0.5),
            "shrinkA": 0,
            "shrinkB": 2,
        }
        ax.annotate(
            label.text,
            xy=(1, min(max(end, 0.0), 1.0)),
            xycoords="axes fraction",
            xytext=(1.015, place),
            textcoords="axes fraction",
            color=label.colour,
            fontsize=SIZE,
            va="center",
            parse_math=False,
            annotation_clip=False,
            arrowprops=line if abs(place - end) > gap / 2 else None,
        )
        if label.best is not None and label.best[1] > lowest:
            ax.scatter(
                [label.best[0] / scale],
                [label.best[1]],
                s=70,
                facecolors="none",
                edgecolors=label.colour,
                linewidths=1.2,
                zorder=4,
            )


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Places from 0 to 1 moved as little as it takes to lie `gap` from each other, in the same order; of more
    than fit some lie outside."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    # Neighbours that are too close become a block around the mean of where its members want to be.
    blocks: list[list[int]] = []
    for i in order:
        blocks.append([i])
        while len(blocks) > 1 and _first(blocks[-1], places, gap) - _last(blocks[-2], places, gap) < gap:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    found = [0.0] * len(places)
    for block in blocks:
        first = _first(block, places, gap)
        for k, i in enumerate(block):
            found[i] = first + k * gap
    return found


def _first(block: list[int], places: Sequence[float], gap: float) -> float:
    """Where the lowest of a block lies: within the panel if there is room."""
    length = gap * (len(block) - 1)
    return max(min(sum(places[i] for i in block) / len(block) - length / 2, 1 - length), 0.0)


def _last(block: list[int], places: Sequence[float], gap: float) -> float:
    return _first(block, places, gap) + gap * (len(block) - 1)


def value(y: float) -> str:
    """A value in four digits."""
    return f"{y:.4g}" if abs(y) < 0.1 or abs(y) >= 1000 else f"{y:.4f}"


def shortened(name: str) -> str:
    """A name without its middle, where the ends tell names apart."""
    text = printable(name)
    half = (LONGEST - 1) // 2
    return text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}"


def said(panel: Panel, run: int) -> str:
    """The last and the best value of a run's only test curve in a panel, in words; empty if there is none."""
    tests = panel.runs[run].tests
    if panel.title in (LOSS, RATE) or len(tests) != 1:
        return ""
    points: Points = next(iter(tests.values()))
    last, best = points.last, points.best(panel.falls)
    if last is None or best is None:
        return ""
    return f"{panel.title} {value(last[1])}, best {value(best[1])}"
