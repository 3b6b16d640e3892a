"""What was read on a photo: lines of characters, each with its certainty and its place."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

SURE = 0.9  # a character that is less certain is marked
MARK = "?"  # behind an uncertain character

Point = tuple[float, float]


class Character(NamedTuple):
    """One character.

    text       a digit, or one of + - × ÷ =
    certainty  the net's probability, 0 to 1
    outline    four corners in pixels of the photo, (x, y), clockwise from the top left of the character
    box        left, top, right, bottom where rows are level; of use to compare characters with one another
    other      the next likely class, and its probability
    """

    text: str
    certainty: float
    outline: tuple[Point, Point, Point, Point]
    box: tuple[float, float, float, float]
    other: tuple[str, float] = ("", 0.0)

    @property
    def sure(self) -> bool:
        return self.certainty >= SURE


class TextLine(NamedTuple):
    """Characters from left to right, and where the gaps between words are: before which of them."""

    characters: tuple[Character, ...]
    breaks: tuple[int, ...] = ()

    @property
    def words(self) -> list[tuple[Character, ...]]:
        edges = [0, *self.breaks, len(self.characters)]
        return [self.characters[a:b] for a, b in itertools.pairwise(edges)]

    @property
    def text(self) -> str:
        """The characters, with a blank between words."""
        return " ".join("".join(c.text for c in word) for word in self.words)

    @property
    def marked(self) -> str:
        """As `text`, with ? behind what is uncertain."""
        return " ".join("".join(c.text + ("" if c.sure else MARK) for c in word) for word in self.words)


class Page(NamedTuple):
    """All lines of a photo, from the top.

    size      width and height of the photo in pixels
    degrees   by how much it was turned, anticlockwise, to level the lines
    dark      whether the writing is darker than the paper
    ruled     whether lines of the paper were removed
    left_out  parts of the ink that are no characters
    """

    lines: tuple[TextLine, ...]
    size: tuple[int, int]
    degrees: float = 0.0
    dark: bool = True
    ruled: bool = False
    left_out: int = 0

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def characters(self) -> list[Character]:
        return [c for line in self.lines for c in line.characters]

    def as_json(self) -> dict[str, Any]:
        return {
            "width": self.size[0],
            "height": self.size[1],
            "degrees": round(self.degrees, 2),
            "dark_on_light": self.dark,
            "ruled": self.ruled,
            "left_out": self.left_out,
            "lines": [
                {
                    "text": line.text,
                    "characters": [
                        {
                            "text": c.text,
                            "certainty": round(c.certainty, 4),
                            "sure": c.sure,
                            "other": {"text": c.other[0], "certainty": round(c.other[1], 4)},
                            "outline": [[round(x, 1), round(y, 1)] for x, y in c.outline],
                        }
                        for c in line.characters
                    ],
                }
                for line in self.lines
            ],
        }


def breaks(boxes: Sequence[tuple[float, float, float, float]], height: float) -> tuple[int, ...]:
    """Before which characters a gap is so wide that a new word begins."""
    gaps = [b[0] - a[2] for a, b in itertools.pairwise(boxes)]
    return tuple(i + 1 for i, gap in enumerate(gaps) if gap > 0.75 * height)
