"""A scene as an SVG file."""

from __future__ import annotations

import base64
from xml.sax.saxutils import escape

from .scene import Arrow, Line, Panel, Photo, Scene, Shape

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def svg(scene: Scene) -> bytes:
    """The file, UTF-8."""
    width, height = _number(scene.width), _number(scene.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="{FONT}">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="{scene.ground}"/>'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        head,
        ground,
        *map(_element, scene.shapes),
        "</svg>",
        "",
    ]
    return "\n".join(lines).encode()


def _element(shape: Shape) -> str:
    if isinstance(shape, Panel):
        x, y, width, height = map(_number, shape.place)
        return (
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{_number(shape.radius)}"'
            f' fill="{shape.fill}" stroke="{shape.edge}"/>'
        )
    if isinstance(shape, Arrow):
        path = f"M{_point(shape.curve.start)}"
        path += "".join(f"C{_point(a)} {_point(b)} {_point(end)}" for a, b, end in shape.curve.pieces)
        head = " ".join(map(_point, shape.head))
        return (
            f'<path d="{path}" fill="none" stroke="{shape.colour}" stroke-width="1.3"/>'
            f'<polygon points="{head}" fill="{shape.colour}"/>'
        )
    if isinstance(shape, Line):
        (x1, y1), (x2, y2) = (tuple(map(_number, point)) for point in (shape.start, shape.end))
        return (
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{shape.colour}"'
            f' stroke-width="{_number(shape.width)}"/>'
        )
    if isinstance(shape, Photo):
        x, y, width, height = map(_number, shape.place)
        data = base64.b64encode(shape.png).decode()
        return (
            f'<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none"'
            f' style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
        )
    looks = f'font-size="{_number(shape.size)}" fill="{shape.colour}"'
    looks += ' font-weight="bold"' if shape.bold else ""
    looks += ' text-anchor="middle"' if shape.centred else ""
    text = escape(shape.text)
    if shape.whole:  # which viewers show where the pointer is
        text = f"<title>{escape(shape.whole)}</title>{text}"
    return f'<text x="{_number(shape.x)}" y="{_number(shape.y)}" {looks}>{text}</text>'


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _point(point: tuple[float, float]) -> str:
    return f"{_number(point[0])},{_number(point[1])}"
