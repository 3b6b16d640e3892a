"""The charts of a report, and its pictures, as scenes: what a PNG file and the page show alike."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from ..drawing.layout import Rectangle
from ..drawing.png import png
from ..drawing.scene import Line, Panel, Photo, Scene, Shape, Words, text_width
from ..drawing.theme import LIGHT, Theme
from .evaluation import PICTURES, Evaluation
from .metrics import BINS, most_confused
from .words import certain, named, sample

__all__ = ["calibration", "confusion", "mistakes", "photo", "png"]

MARGIN = 20.0
TITLE, TEXT, SMALL = 15.0, 11.0, 9.5  # sizes of letters
MOST_CLASSES, CHOSEN = 30, 20  # of a matrix that is shown whole, and of one that is not
FEW = 0.02  # of a row: fewer mistakes are never shown in the deepest red
MOST_SIDE = 224  # pixels of a picture in the page
COLUMNS, TILE, CAPTION = 6, 128.0, 44.0  # of the sheet of mistakes


def confusion(evaluation: Evaluation, theme: Theme = LIGHT) -> Scene:
    """The confusion matrix: a row for each class, a column for each that it was taken for.  Of many classes
    those are shown that are confused most."""
    matrix, names = evaluation.confusion, evaluation.classes
    shown = shown_classes(matrix)
    part = matrix[np.ix_(shown, shown)]
    left_out = int(matrix.sum() - np.trace(matrix) - part.sum() + np.trace(part))
    few = len(shown) <= 12
    cell = 36.0 if few else 25.0
    rows = [named(names, c) for c in shown]
    heads = [names[c] if max(len(names[i]) for i in shown) <= 4 else str(c) for c in shown]
    beside = max(text_width(row, TEXT) for row in rows) + 8
    left, top = MARGIN + beside, MARGIN + TITLE + 58
    title = "Confusion matrix"
    said = "rows: the label, columns: the prediction"
    if len(shown) < len(names):
        title = f"Confusion matrix of the {len(shown)} classes confused most, of {len(names)}"
        said += f"; {left_out:,} mistakes are of other pairs"
    shapes: list[Shape] = [
        Words(MARGIN, MARGIN + TITLE * 0.8, title, TITLE, theme.ink, bold=True),
        Words(MARGIN, MARGIN + TITLE + 14, said, TEXT, theme.faint),
        Panel(Rectangle(left, top, cell * len(shown), cell * len(shown)), theme.ground, theme.link, 0),
    ]
    for k, (row, head) in enumerate(zip(rows, heads)):
        wide = text_width(row, TEXT)
        shapes.append(Words(left - 8 - wide, top + cell * (k + 0.5) + 4, row, TEXT, theme.ink))
        shapes.append(Words(left + cell * (k + 0.5), top - 7, head, TEXT, theme.ink, centred=True))
    shapes += _cells(part, matrix.sum(axis=1)[shown], left, top, cell, theme)
    heading = max(text_width(title, TITLE, bold=True), text_width(said, TEXT)) + 2 * MARGIN
    width = max(left + cell * len(shown) + MARGIN, heading)
    return Scene(width, top + cell * len(shown) + MARGIN, shapes, theme.ground)


def shown_classes(matrix: np.ndarray) -> list[int]:
    """All classes, or of many those of the pairs that are confused most, in order."""
    if len(matrix) <= MOST_CLASSES:
        return list(range(len(matrix)))
    found: set[int] = set()
    for actual, predicted, _ in most_confused(matrix):
        if len(found | {actual, predicted}) > CHOSEN:
            break
        found |= {actual, predicted}
    return sorted(found) or list(range(CHOSEN))


def _cells(
    part: np.ndarray, support: np.ndarray, left: float, top: float, cell: float, theme: Theme
) -> Iterator[Shape]:
    """The cells that hold samples; the deeper, the larger their share of the row, beside that of the mistake
    which is the most frequent."""
    good, bad = theme.kinds["vision"][1], theme.kinds["loss"][1]
    wrong = (part - np.diag(np.diag(part))) / np.maximum(support, 1)[:, None]
    most = max(wrong.max(), FEW)
    for i, j in zip(*np.nonzero(part)):
        share = part[i, j] / support[i]
        depth = 0.75 * share if i == j else 0.1 + 0.65 * (share / most) ** 0.5
        x, y = left + cell * j, top + cell * i
        colour = _mixed(theme.ground, good if i == j else bad, depth)
        yield Panel(Rectangle(x + 0.5, y + 0.5, cell - 1, cell - 1), colour, colour, 0)
        text = f"{part[i, j]}"
        size = min(TEXT, TEXT * (cell - 3) / text_width(text, TEXT))
        yield Words(x + cell / 2, y + cell / 2 + size * 0.35, text, size, theme.ink, centred=True)


def _mixed(ground: str, colour: str, depth: float) -> str:
    """A colour between two, as #rrggbb."""
    pairs = [(int(ground[i : i + 2], 16), int(colour[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * depth):02x}" for a, b in pairs)


def calibration(evaluation: Evaluation, theme: Theme = LIGHT) -> Scene:
    """The reliability diagram: for every bin of certainties the share of right predictions beside the
    certainty, above how many they are."""
    found = evaluation.calibration
    side, low, left = 300.0, 70.0, MARGIN + 34
    top = MARGIN + TITLE + 40
    base, step = top + side, side / BINS
    good, bad = theme.kinds["vision"], theme.kinds["loss"]
    title = "Calibration"
    said = f"expected calibration error {found.error:.4f} over {BINS} bins"
    shapes: list[Shape] = [
        Words(MARGIN, MARGIN + TITLE * 0.8, title, TITLE, theme.ink, bold=True),
        Words(MARGIN, MARGIN + TITLE + 14, said, TEXT, theme.faint),
    ]
    for k in range(0, 11, 2):
        y = base - side * k / 10
        shapes.append(Line((left, y), (left + side, y), _mixed(theme.ground, theme.link, 0.5)))
        shapes.append(Words(left - 30, y + 4, f"{k / 10:g}".ljust(3), SMALL, theme.faint))
    for b in np.flatnonzero(found.samples).tolist():
        x, accuracy, certainty = left + step * b, found.accuracy[b], found.certainty[b]
        upper, lower = base - side * max(accuracy, certainty), base - side * min(accuracy, certainty)
        shapes.append(
            Panel(Rectangle(x + 2, base - side * accuracy, step - 4, side * accuracy), good[0], good[1], 0)
        )
        shapes.append(
            Line((x + 2, base - side * certainty), (x + step - 2, base - side * certainty), bad[1], 2)
        )
        if lower - upper > 1:
            shapes.append(Line((x + step / 2, upper), (x + step / 2, lower), bad[1], 1))
    shapes.append(Line((left, base), (left + side, top), theme.faint))
    floor = base + 34 + low
    most = found.samples.max()
    for b, count in enumerate(found.samples.tolist()):
        x, height = left + step * b, low * count / most
        if count:
            shapes.append(
                Panel(
                    Rectangle(x + 2, floor - height, step - 4, height),
                    theme.kinds["source"][0],
                    theme.link,
                    0,
                )
            )
            text = f"{count:,}" if count < 100_000 else f"{count / 1000:,.0f}k"
            size = min(SMALL, SMALL * (step - 1) / text_width(text, SMALL))
            shapes.append(Words(x + step / 2, floor - height - 3, text, size, theme.faint, centred=True))
    shapes.append(Line((left, floor), (left + side, floor), theme.link))
    for k in range(0, 11, 2):
        shapes.append(
            Words(left + side * k / 10, floor + 13, f"{k / 10:g}", SMALL, theme.faint, centred=True)
        )
    shapes.append(Words(left + side / 2, floor + 28, "certainty", TEXT, theme.ink, centred=True))
    beside = left + side + 14
    for k, (colour, text) in enumerate(
        ((good[1], "share of right predictions"), (bad[1], "mean certainty"), (theme.faint, "perfect"))
    ):
        y = top + 8 + 18 * k
        shapes.append(Line((beside, y), (beside + 14, y), colour, 3))
        shapes.append(Words(beside + 20, y + 4, text, SMALL, theme.ink))
    shapes.append(Words(beside, floor - low / 2, "samples", SMALL, theme.ink))
    width = beside + 20 + text_width("share of right predictions", SMALL) + MARGIN
    return Scene(width, floor + 28 + MARGIN, shapes, theme.ground)


def mistakes(evaluation: Evaluation, theme: Theme = LIGHT) -> Scene | None:
    """A sheet of the worst mistakes; None if there is no picture of any."""
    rows = [row for row in evaluation.mistakes[:PICTURES].tolist() if row in evaluation.pictures]
    if not rows:
        return None
    wide = TILE + 24
    top = MARGIN + TITLE + 34
    count, of = len(rows), len(evaluation.mistakes)
    title = "The worst mistakes" if count < of else "The mistakes"
    said = f"{count} of {of:,}, those first whose label the net thought least likely"
    shapes: list[Shape] = [
        Words(MARGIN, MARGIN + TITLE * 0.8, title, TITLE, theme.ink, bold=True),
        Words(MARGIN, MARGIN + TITLE + 14, said, TEXT, theme.faint),
    ]
    for k, row in enumerate(rows):
        x, y = MARGIN + wide * (k % COLUMNS), top + (TILE + CAPTION + 14) * (k // COLUMNS)
        judged, names = evaluation.judged, evaluation.classes
        height, width = evaluation.pictures[row].shape[:2]
        scale = TILE / max(height, width)
        place = Rectangle(
            x + (TILE - width * scale) / 2, y + (TILE - height * scale) / 2, width * scale, height * scale
        )
        shapes.append(Photo(place, photo(evaluation.pictures[row])))
        taken = _cut(f"{named(names, judged.predicted[row])}, {certain(judged.certainty[row])}", TILE + 16)
        shapes.append(Words(x, y + TILE + 14, taken, TEXT, theme.kinds["loss"][1], bold=True))
        actual = f"label {named(names, judged.actual[row])}, {certain(judged.likelihood[row])}"
        shapes.append(Words(x, y + TILE + 28, _cut(actual, TILE + 16), TEXT, theme.ink))
        shapes.append(
            Words(
                x,
                y + TILE + 41,
                _cut(sample(evaluation.names[row]).rsplit("/", 1)[-1], TILE + 16),
                SMALL,
                theme.faint,
            )
        )
    lines = -(-count // COLUMNS)
    width = 2 * MARGIN + wide * min(count, COLUMNS)
    width = max(width, text_width(said, TEXT) + 2 * MARGIN, 420.0)
    return Scene(width, top + (TILE + CAPTION + 14) * lines + MARGIN - 14, shapes, theme.ground)


def photo(pixels: np.ndarray) -> bytes:
    """An image of bytes as a PNG file, made smaller if it is larger than a page needs."""
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _cut(text: str, width: float) -> str:
    while text_width(text, TEXT) > width and len(text) > 4:
        text = f"{text[:-2]}…"
    return text
