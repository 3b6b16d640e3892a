"""The eight charts of Caffe's plot_training_log.py: one quantity of a training along iterations or seconds.

    0, 1  Test accuracy       4, 5  Train learning rate
    2, 3  Test loss           6, 7  Train loss

Even charts are along iterations, odd ones along seconds of training.

Test accuracy is what test nets give under a name with `acc` in it; where no name has, all that is no loss.
Differs from Caffe, which takes output #0 for the accuracy, and output #1 for the loss, whatever they are.

Source: Caffe's tools/extra/plot_training_log.py.example.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ..errors import ConfigError, DataError
from . import plot
from .curves import Curves
from .plot_series import LOSS, RATE, Panel, Points, panels

QUANTITIES = ("Test accuracy", "Test loss", "Train learning rate", "Train loss")
AXES = {"Iters": "iteration", "Seconds": "seconds"}
CHARTS = tuple((quantity, axis) for quantity in QUANTITIES for axis in AXES)
ACCURACY = "acc"


def title(chart: int) -> str:
    """What Caffe calls a chart: Test accuracy vs. Iters."""
    return " vs. ".join(CHARTS[chart])


def draw(chart: int, runs: Sequence[Curves], path: str | os.PathLike) -> None:
    """Draw one chart of all runs into a .png or .svg file.

    Raises ConfigError without matplotlib and for another number or ending; DataError if no run states the
    quantity, times are asked for and missing, or the file cannot be written.
    """
    if not 0 <= chart < len(CHARTS):
        raise ConfigError(f"{chart} is not a chart type; expected 0 to {len(CHARTS) - 1}")
    x = AXES[CHARTS[chart][1]]
    plot.draw(runs, path, title=title(chart), x=x, shown=select(chart, runs))


def select(chart: int, runs: Sequence[Curves]) -> list[Panel]:
    """The panels of a chart: one, or one for each accuracy."""
    quantity, axis = CHARTS[chart]
    shown = panels(runs, AXES[axis])
    if quantity == "Train learning rate":
        chosen = [panel for panel in shown if panel.title == RATE]
    elif quantity == "Train loss":
        chosen = [_trained(panel) for panel in shown if panel.title == LOSS]
    elif quantity == "Test loss":
        chosen = [_tested(panel) for panel in shown if panel.title == LOSS]
    else:
        outputs = [_tested(panel) for panel in shown if panel.title not in (LOSS, RATE)]
        chosen = [panel for panel in outputs if ACCURACY in panel.title.lower()] or outputs
    chosen = [panel for panel in chosen if any(points.x.size for points in panel.series)]
    if not chosen:
        raise DataError(f"{', '.join(run.name for run in runs)}: no {quantity.lower()} to draw")
    return chosen


def _trained(panel: Panel) -> Panel:
    """A panel without what tests gave."""
    return panel._replace(runs=[run._replace(tests={}, elements=[]) for run in panel.runs])


def _tested(panel: Panel) -> Panel:
    """A panel without what training displayed."""
    nothing = Points(np.empty(0), np.empty(0))
    return panel._replace(runs=[run._replace(train=nothing, span=None) for run in panel.runs])
