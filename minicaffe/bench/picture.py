"""The roofline as a picture: what is computed per second over what is computed per byte (extra `plot`)."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, extra
from ..printable import printable
from ..runs.plot_theme import LIGHT
from .algorithms import Found
from .contest import Outcome, medians
from .roof import Roof

FORMATS = (".png", ".svg")
MARKERS = "os^Dv<>Ph*"
NAMED = 8  # points of the first series that stand far below the roof, by the time they take


class Point(NamedTuple):
    """A piece of work: operations, bytes, and the seconds that it took."""

    name: str
    flops: int
    nbytes: int
    seconds: float

    @property
    def intensity(self) -> float:
        return self.flops / self.nbytes

    @property
    def gflops(self) -> float:
        return self.flops / self.seconds / 1e9


Series = dict[str, list[Point]]


def of_net(outcome: Outcome) -> Series:
    """The layers of a contest that compute, forward and backward; of others too that tell their times."""
    found: Series = {}
    ours = outcome.standings[0].record.name
    told = [standing for standing in outcome.standings if standing.layers]
    for row in outcome.rows:
        for way, work in (("forward", row.forward), ("backward", row.backward)):
            if work is None or not (work.flops and work.bytes):
                continue
            times = {ours: work.ms.median / 1e3} | {
                standing.record.name: medians(standing, row.name, way) for standing in told
            }
            for name, seconds in times.items():
                if seconds:
                    points = found.setdefault(f"{name}, {way}", [])
                    points.append(Point(row.name, work.flops, work.bytes, seconds))
    return found


def of_kernels(found: Sequence[Found]) -> Series:
    """The kernels whose operations are known, by algorithm."""
    series: Series = {}
    for one in found:
        for judged in one.judged:
            if one.flops and judged.record.blocks and not judged.record.error:
                point = Point(
                    one.call.spec.name, one.flops, one.nbytes, float(np.median(judged.record.seconds))
                )
                series.setdefault(judged.record.name, []).append(point)
    return series


def check(path: str) -> None:
    """ConfigError for a name that tells no format, or without matplotlib."""
    if Path(path).suffix.lower() not in FORMATS:
        raise ConfigError(f"--roofline {path}: a picture is .png or .svg", hint="--roofline roof.png")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigError("drawing needs matplotlib, which is not installed", hint=extra("plot")) from None


def draw(series: Series, roof: Roof, path: str, title: str) -> bytes:
    """The picture's bytes, in the format that the path tells."""
    from matplotlib.figure import Figure

    points = [point for some in series.values() for point in some]
    low = min([point.intensity for point in points], default=1) / 2
    high = max([point.intensity for point in points] + [4 * roof.ridge]) * 2
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot()
    peak = roof.flops_per_s / 1e9
    edges = [low, roof.ridge, high]
    axes.loglog(edges, [min(peak, x * roof.bytes_per_s / 1e9) for x in edges], color=LIGHT.ink, lw=1.6)
    axes.annotate(f"{peak:.0f} GFLOP/s", (high, peak), ha="right", va="bottom", color=LIGHT.ink)
    slope = f"{roof.bytes_per_s / 1e9:.1f} GB/s"
    start = low, low * roof.bytes_per_s / 1e9
    axes.annotate(slope, start, (0, 16), textcoords="offset points", color=LIGHT.ink)
    for i, (name, some) in enumerate(series.items()):
        axes.scatter(
            [point.intensity for point in some],
            [point.gflops for point in some],
            s=[16 + 40 * math.sqrt(point.seconds / max(p.seconds for p in points)) for point in some],
            color=LIGHT.curves[i % len(LIGHT.curves)],
            marker=MARKERS[i % len(MARKERS)],
            alpha=0.8,
            linewidths=0,
            label=printable(name).replace("$", r"\$"),
        )
    for point in sorted(next(iter(series.values()), []), key=lambda point: -point.seconds)[:NAMED]:
        name, place = printable(point.name).replace("$", r"\$"), (point.intensity, point.gflops)
        axes.annotate(name, place, (4, -9), textcoords="offset points", fontsize=7, color=LIGHT.faint)
    axes.set(
        xlabel="operations per byte that has to move",
        ylabel="GFLOP/s",
    )
    axes.set_title(printable(title).replace("$", r"\$"), fontsize=9)
    axes.grid(True, which="both", color=LIGHT.grid, lw=0.5)
    if series:
        axes.legend(loc="lower right", fontsize=8)
    out = io.BytesIO()
    figure.savefig(out, format=Path(path).suffix.lower()[1:], dpi=130)
    return out.getvalue()
