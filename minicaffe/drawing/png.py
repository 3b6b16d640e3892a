"""A scene as a PNG file, drawn with Pillow."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .layout import Curve, Point
from .scene import Arrow, Line, Panel, Photo, Scene, Shape

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SCALE = 2.0  # pixels per unit
MOST_PIXELS = 60e6  # of a picture; a larger one is drawn smaller
FINE = 2  # drawn this many times as large and averaged, so that edges are smooth
BAND = 512  # rows of pixels drawn at a time: a large picture need not be held as large as it is drawn
STEPS = 12  # pieces of a curve
WIDE_FONTS = ("DejaVuSans.ttf", "Arial Unicode.ttf", "arial.ttf")  # for what Pillow's own lacks, if installed


def png(scene: Scene) -> bytes:
    """The file."""
    from PIL import Image, ImageDraw

    scale = min(SCALE, (MOST_PIXELS / (scene.width * scene.height)) ** 0.5)
    width, height = (max(1, round(side * scale)) for side in (scene.width, scene.height))
    picture = Image.new("RGB", (width, height), scene.ground)
    fonts = _Fonts(scale * FINE)
    for top in range(0, height, BAND):
        rows = min(BAND, height - top)
        band = Image.new("RGB", (width * FINE, rows * FINE), scene.ground)
        pen = _Pen(band, ImageDraw.Draw(band), scale * FINE, top * FINE, fonts)
        for shape in scene.shapes:
            pen.draw(shape)
        picture.paste(band.reduce(FINE), (0, top))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", dpi=(96 * scale, 96 * scale))
    return buffer.getvalue()


def font(size_px: float, plain: bool = True) -> Any:
    """A font of Pillow's; for text that is not ASCII alone (not `plain`), one with more letters, if it is
    installed."""
    from PIL import ImageFont

    for name in () if plain else WIDE_FONTS:
        with suppress(OSError):
            return ImageFont.truetype(name, size_px)
    return ImageFont.load_default(size_px)


class _Fonts(dict):
    """Fonts by size in units and by whether ASCII is all they must have: Pillow's own has no more."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __missing__(self, key: tuple[float, bool]) -> Any:
        size, plain = key
        self[key] = font(size * self.scale, plain)
        return self[key]


class _Pen:
    """Draws shapes on a band of the picture, `scale` pixels per unit and `top` pixels further up."""

    def __init__(self, band: Image, draw: ImageDraw, scale: float, top: int, fonts: _Fonts) -> None:
        self.band, self.on, self.scale, self.top, self.fonts = band, draw, scale, top, fonts
        self.height = band.height

    def _at(self, point: Point) -> tuple[int, int]:
        """In whole pixels, so that nothing depends on where a band begins."""
        return round(point[0] * self.scale), round(point[1] * self.scale) - self.top

    def draw(self, shape: Shape) -> None:
        if isinstance(shape, Panel):
            x, y, width, height = shape.place
            (left, upper), (right, lower) = self._at((x, y)), self._at((x + width, y + height))
            if self._shows(upper, lower):
                self.on.rounded_rectangle(
                    (left, upper, right, lower),
                    shape.radius * self.scale,
                    fill=shape.fill,
                    outline=shape.edge,
                    width=max(1, round(self.scale)),
                )
        elif isinstance(shape, Arrow):
            points = [self._at(point) for point in _points(shape.curve)]
            head = [self._at(point) for point in shape.head]
            heights = [y for _, y in points + head]
            if self._shows(min(heights), max(heights)):
                self.on.line(points, fill=shape.colour, width=max(1, round(1.3 * self.scale)), joint="curve")
                self.on.polygon(head, fill=shape.colour)
        elif isinstance(shape, Line):
            ends = [self._at(shape.start), self._at(shape.end)]
            if self._shows(min(y for _, y in ends), max(y for _, y in ends)):
                self.on.line(ends, fill=shape.colour, width=max(1, round(shape.width * self.scale)))
        elif isinstance(shape, Photo):
            x, y, width, height = shape.place
            (left, upper), (right, lower) = self._at((x, y)), self._at((x + width, y + height))
            if self._shows(upper, lower):
                self._paste(shape.png, left, upper, right - left, lower - upper)
        else:
            at = self._at((shape.x, shape.y))
            if self._shows(at[1] - shape.size * self.scale, at[1] + shape.size * self.scale):
                anchor, text = "ms" if shape.centred else "ls", shape.text
                font = self.fonts[shape.size, text.isascii()]
                for shift in (0, round(0.03 * shape.size * self.scale)) if shape.bold else (0,):
                    self.on.text((at[0] + shift, at[1]), text, shape.colour, font, anchor)

    def _paste(self, png: bytes, left: int, upper: int, width: int, height: int) -> None:
        from PIL import Image

        with Image.open(io.BytesIO(png)) as photo:
            enlarged = photo.width <= width
            how = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
            self.band.paste(photo.convert("RGB").resize((width, height), how), (left, upper))

    def _shows(self, upper: float, lower: float) -> bool:
        return lower >= -self.scale and upper <= self.height + self.scale


def _points(curve: Curve) -> list[Point]:
    """Points along a curve."""
    points = [curve.start]
    for a, b, end in curve.pieces:
        start = points[-1]
        straight = start[0] == end[0] or start[1] == end[1]
        for i in range(STEPS, STEPS + 1) if straight else range(1, STEPS + 1):
            t = i / STEPS
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x, y = (sum(w * p[k] for w, p in zip(weights, (start, a, b, end))) for k in (0, 1))
            points.append((x, y))
    return points
