"""A photo of handwritten digits, read: every step from pixels to lines of characters."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import light, ruling, threshold
from .annotate import annotated, sheet
from .glyphs import normalised
from .lattice import Choice, Lattice
from .lines import rows, slope
from .page import SURE, Character, Page, TextLine, breaks
from .parts import Part, frames, parts_of, stroke_width, typical_height
from .photo import Photo, load
from .recognizer import NONE, Recognizer
from .turning import Rotation, View, back, turned

LEVEL = 0.4  # degrees that a picture may be off level and is not turned
FAINTEST = 0.12  # ink that writing has at least
CONTRAST = 5.0  # deviations of noise that it has at least
MOST_PARTS = 3000  # a texture has more
LEAST_SURE, PAGE_SURE = (
    0.3,
    0.5,
)  # of the characters of a line, and of a page: with fewer sure it is no writing
STROKES = ("1", "-", "=")  # what the edges of anything look like
TELLING = 0.1  # of the characters of a page that are sure, and no strokes
MANY, KNOWN = 100, 0.1  # parts from which on some are looked at first; the share that must be known
EDGE_PX = 3  # how far the soft edge of a line reaches
FEWEST_PIXELS = 8  # of height that characters have

Steps = Callable[[str, np.ndarray], None]


class Written(NamedTuple):
    """The writing of a photo, found but not yet read."""

    labels: np.ndarray  # (H, W) of the turned picture: which part a pixel belongs to, 0 for none
    ink: np.ndarray  # (H, W), from 0 to 1 how far a pixel belongs to a stroke
    rows: list[list[Part]]
    stroke_px: float
    turns: list[Rotation]
    ruled: bool
    parts: int  # those in rows and others


def read(
    image: str | os.PathLike | np.ndarray,
    *,
    recognizer: Recognizer | None = None,
    steps: Steps | None = None,
) -> Page:
    """Read the digits of a photo, and signs of arithmetic.

    image       a file, or an array: (H, W) or (H, W, 3), uint8, or floats from 0 to 1
    recognizer  the net; the one that is shipped if left out
    steps       is given a name and a picture, (H, W) float32 from 0 to 1 or (H, W, 3) uint8, of every step

    Nothing is read on an empty page or a texture: the page then has no lines.  Raises DataError for what is
    no image, or one that is too small or too large.
    """
    photo = load(image)
    recognizer = recognizer or Recognizer()
    page = Page((), photo.size)
    for found in light.inks(photo.grey):
        page = _read(photo, found, recognizer, steps or _forget)
        if page.lines:
            break
    if steps is not None:
        steps("read", annotated(photo.colour, page))
    return page


def _forget(name: str, picture: np.ndarray) -> None:
    """Where steps go that nobody asked for."""


def _read(photo: Photo, found: light.Ink, recognizer: Recognizer, steps: Steps) -> Page:
    steps("ink", found.ink)
    empty = Page((), photo.size, dark=found.dark)
    writing = find(found, recognizer, steps)
    if writing is None:
        return empty
    lattices = [Lattice(row, writing.labels, writing.ink, writing.stroke_px) for row in writing.rows]
    glyphs = [lattice.glyphs() for lattice in lattices]
    counts = np.cumsum([0, *map(len, glyphs)])
    scores = recognizer.log_probabilities(np.concatenate(glyphs))
    chosen = [
        lattice.best(scores[a:b], recognizer.labels, recognizer.none)
        for lattice, a, b in zip(lattices, counts, counts[1:])
    ]
    lines = [
        _line(choices, lattice.height, writing.turns, photo, recognizer)
        for choices, lattice in zip(chosen, lattices)
        if choices
    ]
    if steps is not _forget:
        seen = [g[c.candidate] for choices, g in zip(chosen, glyphs) for c in choices]
        steps("glyphs", sheet(seen, [c for line in lines for c in line.characters]))
    lines = plausible(lines)
    return empty._replace(
        lines=tuple(lines),
        degrees=sum(turn.degrees for turn in writing.turns),
        ruled=writing.ruled,
        left_out=max(0, writing.parts - sum(len(line.characters) for line in lines)),
    )


def plausible(lines: list[TextLine]) -> list[TextLine]:
    """The lines that are writing.  Of a texture the net is sure of few characters, and those are mere
    strokes; what is left of the lines of a paper are such too."""
    if not _written(lines):
        lines = [line for line in lines if sum(c.sure for c in line.characters) >= len(line.characters) / 2]
    return lines if _written(lines) else []


def _written(lines: list[TextLine]) -> bool:
    characters = [c for line in lines for c in line.characters]
    sure = [c for c in characters if c.sure]
    telling = [c for c in sure if c.text not in STROKES]
    return len(sure) > PAGE_SURE * len(characters) and len(telling) > TELLING * len(characters)


def find(found: light.Ink, recognizer: Recognizer, steps: Steps = _forget) -> Written | None:
    """Level the rows of a photo, take away the lines of its paper and its tables, and find the parts of its
    writing; None if there is none."""
    ink, turns, ruled = _without_frames(found), [], False
    paper = ruling.ruling(ink, found.noise)
    if paper is not None:
        ink, turn = turned(ink, paper.view)
        turns.append(turn)
        ink, lines = ruling.without_lines(ink, found.noise, paper.level, paper.upright)
        ruled = bool(lines.any())
        steps("lines", lines.astype(np.float32))
        steps("without_lines", ink)
    level = threshold.ink_level(ink, found.noise)
    if level < max(FAINTEST, CONTRAST * found.noise):
        return None
    rough = ink > threshold.local(ink, found.noise, level)
    ink = threshold.smoothed(ink, stroke_width(rough))
    marks = _marks(ink, found.noise, level)
    if not 0 < len(marks.parts) < MOST_PARTS or not _like_writing(marks, stroke_width(rough), recognizer):
        return None
    off = slope(marks.parts)
    if abs(off) > LEVEL:
        ink, turn = turned(ink, View(off))
        turns.append(turn)
        marks = _marks(ink, found.noise, level)
    found_rows = rows(marks.parts)
    if typical_height(marks.parts) < FEWEST_PIXELS or not found_rows:
        return None
    kept = np.isin(marks.labels, [p.label for row in found_rows for p in row])
    steps("written", kept.astype(np.float32))
    return Written(marks.labels, marks.ink, found_rows, stroke_width(kept), turns, ruled, len(marks.parts))


class _Marks(NamedTuple):
    labels: np.ndarray
    parts: list[Part]
    ink: np.ndarray


def _marks(ink: np.ndarray, noise: float, level: float) -> _Marks:
    limit = threshold.local(ink, noise, level)
    return _Marks(*parts_of(ink > limit, ink, level), threshold.soft(ink, limit))


def _like_writing(marks: _Marks, stroke_px: float, recognizer: Recognizer) -> bool:
    """Whether the net knows some of many parts.  A texture has hundreds, and to cut and join all of them
    would take long."""
    typical = typical_height(marks.parts)
    whole = [p for p in marks.parts if 0.5 * typical < p.height < 2 * typical]
    if len(whole) < MANY:
        return True
    glyphs = []
    for p in whole[:: len(whole) // MANY]:
        place = slice(p.top, p.bottom), slice(p.left, p.right)
        glyphs.append(normalised(np.where(marks.labels[place] == p.label, marks.ink[place], 0), stroke_px))
    scores = recognizer.log_probabilities(np.array(glyphs))
    telling = [k for k, label in enumerate(recognizer.labels) if label not in (*STROKES, NONE)]
    sure = scores[:, telling].max(axis=1) > np.log(SURE)
    return bool(sure.mean() > KNOWN)


def _without_frames(found: light.Ink) -> np.ndarray:
    """The ink without the lines of tables that lie whole in the photo."""
    level = threshold.ink_level(found.ink, found.noise)
    if level < max(FAINTEST, CONTRAST * found.noise):
        return found.ink
    labels, parts = parts_of(found.ink > threshold.local(found.ink, found.noise, level), found.ink, level)
    lines = frames(parts)
    if not lines:
        return found.ink
    from scipy import ndimage

    own = ndimage.binary_dilation(np.isin(labels, [p.label for p in lines]), iterations=EDGE_PX)
    others = ndimage.binary_dilation((labels > 0) & ~own, iterations=EDGE_PX)
    return np.where(own & ~others, 0, found.ink).astype(np.float32)


def _line(
    choices: list[Choice], height: float, turns: list[Rotation], photo: Photo, recognizer: Recognizer
) -> TextLine:
    characters = []
    for choice in choices:
        top, left, bottom, right = choice.box
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        outline = tuple(photo.place(back(turns, corner)) for corner in corners)
        likely = next(k for k in np.argsort(-choice.scores) if k != choice.label)
        other = (recognizer.labels[likely], float(np.exp(choice.scores[likely])))
        box = tuple(float(edge) / photo.scale for edge in (left, top, right, bottom))
        text = recognizer.labels[choice.label]
        characters.append(Character(text, choice.certainty, outline, box, other))  # type: ignore[arg-type]
    boxes = [c.box for c in characters]
    return TextLine(tuple(characters), breaks(boxes, height / photo.scale))
