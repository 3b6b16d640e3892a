"""The pictures of a row: the curve of its runs, and what one of them got wrong."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from minicaffe.reports import Evaluation, figures
from minicaffe.runs import plot
from minicaffe.runs.curves import Curves
from minicaffe.runs.plot_series import LOSS, panels

from .rows import Row

LARGEST_BYTES = (
    60_000  # of a picture, in a repository that is cloned more often than its pictures are looked at
)
WIDTH_PX = 900  # of a page
COLOURS = 64


def of(row: Row, runs: Sequence[Curves], evaluation: Evaluation) -> dict[str, bytes]:
    """The pictures by name, as PNG files."""
    found = {"curve": curve(row, runs), "confusion": small(figures.png(figures.confusion(evaluation)), 0.6)}
    sheet = figures.mistakes(evaluation)
    if sheet is not None:
        found["mistakes"] = small(figures.png(sheet))
    return found


def curve(row: Row, runs: Sequence[Curves]) -> bytes:
    """Loss and the output that is judged."""
    shown = [panel for panel in panels(runs, "iteration") if panel.title in (LOSS, row.output)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "curve.png")
        plot.draw(runs, path, title=row.title, shown=shown)
        return small(path.read_bytes())


def small(png: bytes, scale: float = 1.0) -> bytes:
    """A picture as wide as a page at most, in few colours: flat areas and grey digits need no more.

    scale  of its width, for one that needs less
    """
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    width = min(image.width, round(WIDTH_PX * scale))
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    for colours in (COLOURS, COLOURS // 2, COLOURS // 4):
        buffer = io.BytesIO()
        image.quantize(colours, kmeans=2, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() <= LARGEST_BYTES:
            break
    return buffer.getvalue()
