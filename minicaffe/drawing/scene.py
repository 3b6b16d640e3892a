"""A diagram as shapes and words: what an SVG and a PNG file show alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .diagram import OUTSIDE, UNKNOWN, Box, Diagram
from .layout import Curve, Point, Rectangle, lay_out

INK, FAINT, LINK = "#1d2430", "#5a6372", "#8a93a3"
FILL_AND_EDGE = {  # by kind of layer
    "source": ("#e3e7ee", "#7b8698"),
    "vision": ("#d4e5f9", "#3f7cc4"),
    "pooling": ("#d3efe8", "#2f9a84"),
    "linear": ("#e5dcf6", "#7c5cbc"),
    "recurrent": ("#f4daed", "#b24c9d"),
    "norm": ("#fbefc9", "#c0941c"),
    "neuron": ("#e0f1d3", "#68a038"),
    "shape": ("#f0f0ee", "#9a9a94"),
    "loss": ("#fbdad3", "#cd5844"),
    "sink": ("#f0f0ee", "#9a9a94"),
    "user": ("#fce4cb", "#d5822a"),
    UNKNOWN: ("#ffffff", "#9a9a94"),
    OUTSIDE: ("#ffffff", "#9a9a94"),
}

MARGIN, PADDING, RADIUS = 24.0, 9.0, 5.0
TITLE, NAME, SMALL = 17.0, 12.5, 10.5  # sizes of letters
LINE = 14.5  # from line to line
ARROW = 6.0


class Panel(NamedTuple):
    """A rectangle with round corners."""

    place: Rectangle
    fill: str
    edge: str
    radius: float


class Words(NamedTuple):
    """A line of text; (x, y) is where its base line begins, or its middle if `centred`."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    bold: bool = False
    centred: bool = False


class Arrow(NamedTuple):
    """A curve, and the corners of its head."""

    curve: Curve
    head: list[Point]
    colour: str


Shape = Panel | Words | Arrow


class Scene(NamedTuple):
    """Shapes in the order in which they are drawn, on a white ground of this size."""

    width: float
    height: float
    shapes: list[Shape]


def scene(diagram: Diagram, direction: str = "TB", subtitle: str = "") -> Scene:
    """A picture of the diagram; `subtitle` is for what holds for the net as a whole."""
    layout = lay_out([_size(box) for box in diagram.boxes], diagram.links, direction)
    title = diagram.name or "Net"
    top = MARGIN + TITLE + (LINE + 4 if subtitle else 0) + 16
    headings = text_width(title, TITLE, bold=True), text_width(subtitle, SMALL + 1)
    width = max(layout.width, *headings) + 2 * MARGIN
    left = (width - layout.width) / 2
    shapes: list[Shape] = [Words(MARGIN, MARGIN + TITLE * 0.8, title, TITLE, INK, bold=True)]
    if subtitle:
        shapes.append(Words(MARGIN, MARGIN + TITLE + LINE, subtitle, SMALL + 1, FAINT))
    shapes += [_arrow(_moved(curve, left, top)) for curve in layout.curves]
    for box, (x, y, w, h) in zip(diagram.boxes, layout.boxes):
        shapes += _drawn(box, Rectangle(x + left, y + top, w, h))
    return Scene(width, layout.height + top + MARGIN, shapes)


def _lines(box: Box) -> list[str]:
    """What stands below the name."""
    words = f"{box.type}, {box.settings}" if box.settings else box.type
    return [words, *box.notes]


def _size(box: Box) -> tuple[float, float]:
    widths = [text_width(box.name, NAME, bold=True), *(text_width(line, SMALL) for line in _lines(box))]
    widths += [text_width(f"{name}  {kind}", SMALL) for name, kind, _ in box.attached]
    lines = 1 + len(_lines(box)) + len(box.attached) * 1.15
    return max(70.0, max(widths) + 2 * PADDING), lines * LINE + 2 * PADDING - 4


def _drawn(box: Box, place: Rectangle) -> Iterator[Shape]:
    fill, edge = FILL_AND_EDGE[box.kind]
    x, y, width, height = place
    yield Panel(place, fill, edge, RADIUS)
    middle = x + width / 2
    base = y + PADDING + NAME * 0.75
    yield Words(middle, base, box.name, NAME, INK, bold=True, centred=True)
    for i, line in enumerate(_lines(box)):
        base += LINE
        yield Words(middle, base, line, SMALL, INK if i == 0 else FAINT, centred=True)
    strip = LINE * 1.15
    for i, (name, type_name, kind) in enumerate(box.attached):
        fill, edge = FILL_AND_EDGE[kind]
        top = y + height - strip * (len(box.attached) - i)
        yield Panel(Rectangle(x, top, width, strip), fill, edge, RADIUS)
        yield Words(middle, top + strip * 0.7, f"{name}  {type_name}", SMALL, INK, centred=True)


def _moved(curve: Curve, dx: float, dy: float) -> Curve:
    def move(point: Point) -> Point:
        return point[0] + dx, point[1] + dy

    return Curve(move(curve.start), [(move(a), move(b), move(end)) for a, b, end in curve.pieces])


def _arrow(curve: Curve) -> Arrow:
    """The head points where the curve ends, along its last control point."""
    *before, (a, control, (x, y)) = curve.pieces
    length = ((x - control[0]) ** 2 + (y - control[1]) ** 2) ** 0.5 or 1.0
    ux, uy = (x - control[0]) / length, (y - control[1]) / length
    back = (x - ARROW * ux, y - ARROW * uy)
    side = ARROW * 0.45
    head = [(x, y), (back[0] - side * uy, back[1] + side * ux), (back[0] + side * uy, back[1] - side * ux)]
    return Arrow(Curve(curve.start, [*before, (a, control, back)]), head, LINK)


# The widths of letters in thousandths of their size, as sans-serif fonts have them; others are 560.
_WIDTHS = {
    **dict.fromkeys("ijl'|.,:;! ", 260),
    **dict.fromkeys("frtI()[]/\\-·", 350),
    **dict.fromkeys("csvxyzkJ", 510),
    **dict.fromkeys("ABEKPSVXY&", 670),
    **dict.fromkeys("CDGHNOQRUw", 735),
    **dict.fromkeys("mMW@%", 880),
}


def printable(text: str) -> str:
    """Text on one line, without what has no look: line ends, tabs and the like become U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide a line of text is, or a little less, in the sans-serif font of whoever looks at it."""
    return sum(_WIDTHS.get(letter, 570) for letter in text) / 1000 * size * (1.06 if bold else 1.0)
