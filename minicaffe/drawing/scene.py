"""A diagram as shapes and words: what an SVG and a PNG file show alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from unicodedata import east_asian_width

from ..printable import printable
from .diagram import Attached, Box, Diagram
from .layout import Curve, Point, Rectangle, lay_out
from .theme import LIGHT, Theme

MARGIN, PADDING, RADIUS = 24.0, 8.0, 5.0
TITLE, NAME, SMALL = 17.0, 12.5, 10.5  # sizes of letters
LINE = 14.5  # from line to line
ARROW = 6.0
LONGEST = 64  # letters of a line; of a longer one the middle is left out
MOST_LINES = 16  # below a name


class Panel(NamedTuple):
    """A rectangle with round corners."""

    place: Rectangle
    fill: str
    edge: str
    radius: float


class Words(NamedTuple):
    """A line of text; (x, y) is where its base line begins, or its middle if `centred`.  `whole` is what it
    was before it was shortened, if it was."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    bold: bool = False
    centred: bool = False
    whole: str = ""


class Arrow(NamedTuple):
    """A curve, and the corners of its head."""

    curve: Curve
    head: list[Point]
    colour: str


class Line(NamedTuple):
    """A straight line."""

    start: Point
    end: Point
    colour: str
    width: float = 1.0


class Photo(NamedTuple):
    """A PNG file, stretched over a rectangle; its pixels are seen as squares where it is enlarged."""

    place: Rectangle
    png: bytes


Shape = Panel | Words | Arrow | Line | Photo


class Scene(NamedTuple):
    """Shapes in the order in which they are drawn, on a ground of this size and colour."""

    width: float
    height: float
    shapes: list[Shape]
    ground: str = LIGHT.ground


def scene(
    diagram: Diagram,
    direction: str = "TB",
    subtitle: str = "",
    *,
    columns: int | None = None,
    theme: Theme = LIGHT,
) -> Scene:
    """A picture of the diagram; `subtitle` is for what holds for the net as a whole, `columns` as in
    lay_out."""
    layout = lay_out([_size(box) for box in diagram.boxes], diagram.links, direction, columns)
    title, whole = _shortened(diagram.name or "Net")
    top = MARGIN + TITLE + (LINE + 4 if subtitle else 0) + 16
    headings = text_width(title, TITLE, bold=True), text_width(printable(subtitle), SMALL + 1)
    width = max(layout.width, *headings) + 2 * MARGIN
    left = (width - layout.width) / 2
    shapes: list[Shape] = [
        Words(MARGIN, MARGIN + TITLE * 0.8, title, TITLE, theme.ink, bold=True, whole=whole)
    ]
    if subtitle:
        shapes.append(Words(MARGIN, MARGIN + TITLE + LINE, printable(subtitle), SMALL + 1, theme.faint))
    shapes += [_arrow(_moved(curve, left, top), theme.link) for curve in layout.curves]
    for box, (x, y, w, h) in zip(diagram.boxes, layout.boxes):
        shapes += _drawn(box, Rectangle(x + left, y + top, w, h), theme)
    return Scene(width, layout.height + top + MARGIN, shapes, theme.ground)


def _shortened(text: str) -> tuple[str, str]:
    """A line that is printable and not too long, and the whole of it if that is another: beginning and end
    tell names apart."""
    text = printable(text)
    if len(text) <= LONGEST:
        return text, ""
    half = (LONGEST - 1) // 2
    return f"{text[:half]}…{text[-half:]}", text


def _lines(box: Box) -> list[str]:
    """What stands below the name."""
    lines = [f"{box.type}, {box.settings}" if box.settings else box.type, *box.notes]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1 :] = [f"… and {len(lines) - MOST_LINES + 1} more"]
    return lines


def _strip(attached: Attached) -> str:
    words = f"{attached.name}  {attached.type}"
    return f"{words}, {attached.only}" if attached.only else words


def _size(box: Box) -> tuple[float, float]:
    names = (box.name, box.only)
    lines = (*_lines(box), *map(_strip, box.attached))
    widths = [text_width(_shortened(name)[0], NAME, bold=True) for name in names]
    widths += [text_width(_shortened(line)[0], SMALL) for line in lines]
    count = 1 + bool(box.only) + len(_lines(box)) + len(box.attached) * 1.15
    return max(70.0, max(widths) + 2 * PADDING), count * LINE + 2 * PADDING - 4


def _drawn(box: Box, place: Rectangle, theme: Theme) -> Iterator[Shape]:
    fill, edge = theme.kinds[box.kind]
    x, y, width, height = place
    yield Panel(place, fill, edge, RADIUS)
    middle = x + width / 2
    base = y + PADDING + NAME * 0.75

    def words(line: str, base: float, size: float, colour: str, bold: bool = False) -> Words:
        text, whole = _shortened(line)
        return Words(middle, base, text, size, colour, bold=bold, centred=True, whole=whole)

    yield words(box.name, base, NAME, theme.ink, bold=True)
    if box.only:
        base += LINE
        yield words(box.only, base, SMALL, edge, bold=True)
    for i, line in enumerate(_lines(box)):
        base += LINE
        yield words(line, base, SMALL, theme.ink if i == 0 else theme.faint)
    strip = LINE * 1.15
    for i, attached in enumerate(box.attached):
        fill, edge = theme.kinds[attached.kind]
        top = y + height - strip * (len(box.attached) - i)
        yield Panel(Rectangle(x, top, width, strip), fill, edge, RADIUS)
        yield words(_strip(attached), top + strip * 0.7, SMALL, theme.ink)


def _moved(curve: Curve, dx: float, dy: float) -> Curve:
    def move(point: Point) -> Point:
        return point[0] + dx, point[1] + dy

    return Curve(move(curve.start), [(move(a), move(b), move(end)) for a, b, end in curve.pieces])


def _arrow(curve: Curve, colour: str) -> Arrow:
    """The head points where the curve ends, along its last control point."""
    *before, (a, control, (x, y)) = curve.pieces
    length = ((x - control[0]) ** 2 + (y - control[1]) ** 2) ** 0.5 or 1.0
    ux, uy = (x - control[0]) / length, (y - control[1]) / length
    back = (x - ARROW * ux, y - ARROW * uy)
    side = ARROW * 0.45
    head = [(x, y), (back[0] - side * uy, back[1] + side * ux), (back[0] + side * uy, back[1] - side * ux)]
    return Arrow(Curve(curve.start, [*before, (a, control, back)]), head, colour)


# The widths of letters in thousandths of their size in DejaVu Sans, the widest of the fonts that a viewer may
# take; others have 700, or 1000 where letters are as wide as high.
_WIDTHS = {
    **dict.fromkeys("IJijl", 295),
    **dict.fromkeys(" ,./:;\\|'", 340),
    **dict.fromkeys("-f", 365),
    **dict.fromkeys("!()[]rt·", 405),
    **dict.fromkeys('"*_`', 510),
    **dict.fromkeys("?csz", 550),
    **dict.fromkeys("FLTYPekaovxy", 615),
    **dict.fromkeys("$0123456789EKSbdghnpqu{}", 640),
    **dict.fromkeys("ABCRVXZ", 700),
    **dict.fromkeys("UDGHN&OQw", 805),
    **dict.fromkeys("#+<=>^~M", 865),
    **dict.fromkeys("%m@W…", 1000),
}
_BOLD = 1.14  # times as wide


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide a line of text may be in the sans-serif font of whoever looks at it."""
    total = sum(_WIDTHS.get(c) or (1000 if east_asian_width(c) in "WF" else 700) for c in text)
    return total / 1000 * size * (_BOLD if bold else 1.0)
