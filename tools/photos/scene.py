"""A photo of handwriting, drawn from its seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from minicaffe.data import datasets

from . import camera, glyphs, layout, strokes, surfaces

KINDS = ("photos", "hard", "empty", "texture", "table", "arithmetic")
MEGAPIXELS = (0.5, 3.0)
HEIGHTS_PX = (40, 160)
MARGIN = 0.025  # of the photo's longer side: ink stays away from its border

Box = tuple[int, int, int, int]


class Photo(NamedTuple):
    """A photo and what is written in it.

    image   uint8, (H, W, 3), or (H, W) if grey
    lines   what each line says, from top to bottom, without spaces
    boxes   of each line each character's ink: left, top, right, bottom in pixels, the last two exclusive
    cells   of a table or of equations the text of each cell, else None
    """

    image: np.ndarray
    lines: list[str]
    boxes: list[list[Box]]
    cells: list[list[str]] | None


class Pen(NamedTuple):
    """What ink looks like.

    colour    RGB from 0 to 1
    opacity   of a stroke
    grain     how much of it the paper's roughness leaves out
    boldness  width of its strokes, as a multiple of MNIST's
    """

    colour: np.ndarray
    opacity: float
    grain: float
    boldness: float


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """MNIST's test digits, which no net has been trained on: images (N, 28, 28) and labels (N,)."""
    samples = datasets.load("mnist/test")
    return np.asarray(samples.images).reshape(-1, 28, 28), np.asarray(samples.labels)


def draw(seed: int, kind: str = "photos", digits: tuple[np.ndarray, np.ndarray] | None = None) -> Photo:
    """The photo number `seed` of `kind`, the same on every call.

    photos      5 to 20 digits on paper, in light that is uneven
    hard        the same with cast shadows, squared or ruled paper, turned up to 10 degrees, noise; some chalk
    empty       paper, of both sets, with nothing on it
    texture     wood, cloth, stone or leaves
    table       numbers in rows and columns, with lines between them or without
    arithmetic  equations, one below the other

    The digits are those of `held_out`, or `digits` of the same form.  DataError if MNIST cannot be had.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    shape = _shape(rng, (1.0, 3.0) if kind in ("table", "arithmetic") else MEGAPIXELS)
    if kind == "texture":
        name = list(surfaces.TEXTURES)[seed % len(surfaces.TEXTURES)]
        scene = surfaces.TEXTURES[name](rng, shape)
        return Photo(_taken(rng, scene, hard=bool(rng.random() < 0.5)), [], [], None)
    hard = kind == "hard" or (kind == "empty" and seed % 2 == 1)
    if kind == "empty":
        scene, view = _surface(
            rng, shape, hard, chalk=hard and rng.random() < 0.15, height_px=rng.uniform(50, 120)
        )
        return Photo(_taken(rng, scene, hard), [], [], None)

    images, labels = held_out() if digits is None else digits
    of_class = [np.flatnonzero(labels == digit) for digit in range(10)]

    def pick(digit: int) -> np.ndarray:
        return images[of_class[digit][rng.integers(len(of_class[digit]))]]

    chalk = hard and rng.random() < 0.15
    pen = _chalk(rng) if chalk else _pen(rng)
    view = View(rng, shape, degrees=10 if hard else 2, keystone=0.05 if hard else 0.02)
    page, height_px, origin = _fitted(rng, kind, pick, pen, view, hard)
    rules = origin[1] if hard and rng.random() < 0.5 else None  # written on the lines, or anywhere
    scene, _ = _surface(rng, shape, hard, chalk, height_px, view, page.pitch, rules)
    if page.grid:
        _paint_grid(rng, scene, view, page, pen, height_px, origin)
    boxes = _paint_marks(rng, scene, view, page, pen, height_px, origin, breaks=0.06 if hard else 0.04)
    return Photo(_taken(rng, scene, hard), page.lines, boxes, page.cells)


class View:
    """How the page lies before the camera: turned, and seen a little from one side."""

    def __init__(
        self, rng: np.random.Generator, shape: surfaces.Shape, degrees: float, keystone: float
    ) -> None:
        self.shape = shape
        angle = np.deg2rad(rng.uniform(-degrees, degrees))
        kx, ky = rng.uniform(-keystone, keystone, 2) / max(shape)
        c, s = np.cos(angle), np.sin(angle)
        middle = np.array([[1, 0, -shape[1] / 2], [0, 1, -shape[0] / 2], [0, 0, 1]])
        self.to_page = np.array([[c, s, 0], [-s, c, 0], [kx, ky, 1]]) @ middle
        self.to_photo = np.linalg.inv(self.to_page)

    def photo(self, points: np.ndarray) -> np.ndarray:
        """Points of the page, (N, 2), in the photo."""
        return _mapped(self.to_photo, points)

    def page(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """x and y on the page of the photo's pixels, (H, W) each."""
        y, x = np.mgrid[rows, columns].astype(np.float32) + np.float32(0.5)
        m = self.to_page.astype(np.float32)
        w = m[2, 0] * x + m[2, 1] * y + m[2, 2]
        return (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / w, (m[1, 0] * x + m[1, 1] * y + m[1, 2]) / w

    def region(self, points: np.ndarray, margin_px: int = 3) -> tuple[slice, slice]:
        """Rows and columns of the photo around points of the page."""
        at = self.photo(points)
        left, top = np.maximum(np.floor(at.min(0)).astype(int) - margin_px, 0).tolist()
        right, bottom = np.minimum(np.ceil(at.max(0)).astype(int) + margin_px, self.shape[::-1]).tolist()
        return slice(top, max(bottom, top)), slice(left, max(right, left))

    def holds(self, points: np.ndarray) -> bool:
        """Whether all these points of the page are in the photo, and not at its border."""
        at, margin = self.photo(points), MARGIN * max(self.shape)
        return bool((at >= margin).all() and (at <= np.array(self.shape[::-1]) - margin).all())


def _mapped(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    at = np.concatenate([points, np.ones((len(points), 1))], 1) @ matrix.T
    return at[:, :2] / at[:, 2:]


def _shape(rng: np.random.Generator, megapixels: tuple[float, float]) -> surfaces.Shape:
    pixels = 1e6 * np.exp(rng.uniform(*np.log(megapixels)))
    ratio = rng.choice([4 / 3, 3 / 4, 16 / 9, 1.0], p=[0.45, 0.35, 0.1, 0.1])
    return round(float(np.sqrt(pixels / ratio))), round(float(np.sqrt(pixels * ratio)))


def _pen(rng: np.random.Generator) -> Pen:
    kind = rng.choice(["blue", "black", "pencil", "felt"], p=[0.35, 0.25, 0.2, 0.2])
    if kind == "blue":
        colour = np.array([0.10, 0.16, 0.50]) + rng.uniform(-0.05, 0.1, 3)
        return Pen(colour.astype(np.float32), rng.uniform(0.8, 0.97), 0.25, rng.uniform(0.55, 0.85))
    if kind == "black":
        colour = np.full(3, rng.uniform(0.05, 0.2))
        return Pen(colour.astype(np.float32), rng.uniform(0.8, 0.97), 0.2, rng.uniform(0.55, 0.85))
    if kind == "pencil":
        colour = np.full(3, rng.uniform(0.22, 0.38))
        return Pen(colour.astype(np.float32), rng.uniform(0.6, 0.85), 0.7, rng.uniform(0.6, 0.95))
    colours = [(0.08, 0.08, 0.1), (0.1, 0.15, 0.55), (0.6, 0.1, 0.12), (0.05, 0.35, 0.18)]
    colour = np.array(colours[rng.integers(len(colours))])
    return Pen(colour.astype(np.float32), rng.uniform(0.9, 1.0), 0.05, rng.uniform(0.9, 1.25))


def _chalk(rng: np.random.Generator) -> Pen:
    colour = np.array([0.92, 0.92, 0.88]) * rng.uniform(0.85, 1.0)
    return Pen(colour.astype(np.float32), rng.uniform(0.75, 0.95), 0.8, rng.uniform(0.75, 1.15))


def _surface(
    rng: np.random.Generator,
    shape: surfaces.Shape,
    hard: bool,
    chalk: bool,
    height_px: float,
    view: View | None = None,
    pitch: float = 1.7,
    base: float | None = None,
) -> tuple[np.ndarray, View]:
    """Paper or a board; of the harder set most paper is ruled or squared, in the width of the writing."""
    view = view or View(rng, shape, degrees=10 if hard else 2, keystone=0.05 if hard else 0.02)
    if chalk:
        return surfaces.board(rng, shape), view
    scene = surfaces.paper(rng, shape)
    if not hard or rng.random() < 0.25:
        return scene, view
    u, v = view.page(slice(0, shape[0]), slice(0, shape[1]))
    width = float(np.clip(height_px * rng.uniform(0.012, 0.03), 1.0, 3.0))
    colour = np.array(
        [(0.45, 0.6, 0.8), (0.6, 0.6, 0.62), (0.6, 0.5, 0.7), (0.45, 0.65, 0.6)][rng.integers(4)]
    )
    strength = rng.uniform(0.35, 0.9)
    if rng.random() < 0.5:
        period, lines = height_px * rng.uniform(0.45, 1.0), [u, v]
    else:
        period, lines = height_px * pitch / rng.choice([1, 2]), [v]
    alpha = np.zeros(shape, np.float32)
    for axis in lines:
        start = rng.uniform(0, period) if base is None else base + 0.06 * height_px
        distance = np.abs((axis - np.float32(start) + period / 2) % period - period / 2)
        np.maximum(alpha, np.clip(width / 2 - distance + 0.5, 0, 1), out=alpha)
    if len(lines) == 1 and rng.random() < 0.4:  # a red line at the margin, close to the border
        at = (rng.uniform(0.0, 0.06) - 0.5) * shape[1]
        margin = np.clip(width / 2 - np.abs(u - np.float32(at)) + 0.5, 0, 1)[..., None] * 0.6
        scene *= 1 - margin * np.array([0.15, 0.6, 0.55], np.float32)
    scene *= 1 - strength * alpha[..., None] * (1 - colour.astype(np.float32))
    return scene, view


def _fitted(
    rng: np.random.Generator, kind: str, pick: layout.Pick, pen: Pen, view: View, hard: bool
) -> tuple[layout.Page, float, np.ndarray]:
    """A page that the photo has room for: it, a digit's height in pixels, and where x = y = 0 is."""
    count = int(rng.integers(5, 21))
    gridded = bool(rng.random() < 0.6)
    smallest, largest = HEIGHTS_PX
    for _ in range(100):
        hand = layout.Hand(rng, pick, glyphs.STROKE * pen.boldness, 0.08 if hard else 0.04)
        if kind == "table":
            page = layout.table(rng, hand, gridded)
        elif kind == "arithmetic":
            page = layout.arithmetic(rng, hand)
        else:
            page = layout.digits(rng, hand, count)
        block = page.corners()
        block_middle = block.mean(0)
        fitting = [h for h in np.geomspace(smallest, largest, 25) if view.holds((block - block_middle) * h)]
        if fitting:
            break
        count = max(5, count - 1)
    most = fitting[-1] if fitting else smallest
    height_px = float(rng.uniform(max(smallest, 0.4 * most), most))  # who takes a photo goes near
    for attempt in range(40):
        free = (np.array(view.shape[::-1]) - np.ptp(block, axis=0) * height_px).clip(0) / 2
        offset = rng.uniform(-1, 1, 2) * free * (1 - attempt / 39)
        if view.holds((block - block_middle) * height_px + offset):
            break
    origin = offset - block_middle * height_px
    return page, height_px, origin


def _paint(
    scene: np.ndarray, region: tuple[slice, slice], alpha: np.ndarray, pen: Pen, wear: np.ndarray
) -> None:
    """Put ink of which `alpha` covers the region onto the scene, worn by the paper's grain."""
    part = scene[region]
    cover = (alpha * pen.opacity * np.clip(1 - pen.grain * wear, 0, 1))[..., None]
    under = 1.0 if pen.colour.mean() > 0.5 else np.clip(part, 0, 1)  # chalk covers, ink filters
    part[:] = part * (1 - cover) + under * pen.colour * cover


def _wear(rng: np.random.Generator, shape: surfaces.Shape, height_px: float) -> np.ndarray:
    """Where the paper took less of the ink: its grain, and strokes drawn faster."""
    grain = np.clip(surfaces.clouds(rng, shape, 2.0) * 0.5, 0, 1)
    return grain + np.clip(0.35 + 0.4 * surfaces.clouds(rng, shape, height_px * 0.4), 0, 0.8) * 0.6


def _paint_marks(
    rng: np.random.Generator,
    scene: np.ndarray,
    view: View,
    page: layout.Page,
    pen: Pen,
    height_px: float,
    origin: np.ndarray,
    breaks: float,
) -> list[list[Box]]:
    slant = float(np.clip(rng.normal(0, 0.1), -0.25, 0.25))
    stretch = rng.uniform(0.9, 1.1)
    boxes: list[list[Box]] = [[] for _ in page.lines]
    for mark in page.marks:
        size = height_px * mark.height
        at = origin + np.array([mark.x, mark.y]) * height_px
        if mark.image is not None:
            mask = glyphs.strokes_of(mark.image, size, pen.boldness * rng.uniform(0.92, 1.08))
            if rng.random() < breaks:
                mask = glyphs.broken(rng, mask, glyphs.STROKE * pen.boldness * size * rng.uniform(1.0, 2.0))
            corner = at - (0, mask.shape[0])
        else:
            assert mark.shape is not None
            mask, low = strokes.ink(mark.shape, size)
            corner = at + low * size
        leaning = slant + rng.normal(0, 0.02) if mark.image is not None else 0.0
        height, width = mask.shape
        reach = abs(leaning) * height + 2
        left, right = -reach, width * stretch + reach
        rows, columns = view.region(
            corner + np.array([(left, 0), (right, 0), (left, height), (right, height)])
        )
        x, y = view.page(rows, columns)
        v = y - corner[1]
        u = (x - corner[0] - leaning * (height / 2 - v)) / stretch
        alpha = ndimage.map_coordinates(np.pad(mask, 1), [v + 0.5, u + 0.5], order=1)
        _paint(scene, (rows, columns), alpha, pen, _wear(rng, alpha.shape, height_px))
        inked = alpha > 0.3
        ys, xs = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
        top, left = rows.start, columns.start
        boxes[mark.line].append(
            (left + int(xs[0]), top + int(ys[0]), left + int(xs[-1]) + 1, top + int(ys[-1]) + 1)
        )
    return boxes


def _paint_grid(
    rng: np.random.Generator,
    scene: np.ndarray,
    view: View,
    page: layout.Page,
    pen: Pen,
    height_px: float,
    origin: np.ndarray,
) -> None:
    """The lines of a table: printed, grey and straight, or drawn with the pen."""
    printed = rng.random() < 0.4
    width = max(
        1.5,
        height_px
        * (rng.uniform(0.02, 0.04) if printed else glyphs.STROKE * pen.boldness * rng.uniform(0.4, 0.8)),
    )
    liner = pen if not printed else Pen(np.full(3, rng.uniform(0.2, 0.5), np.float32), 0.9, 0.1, 1.0)
    for edge in page.grid:
        start, end = (np.array(p) * height_px + origin for p in (edge.start, edge.end))
        rows, columns = view.region(np.array([start, end]), margin_px=int(width + 0.15 * height_px))
        x, y = view.page(rows, columns)
        along = end - start
        length = float(np.hypot(*along))
        dx, dy = along / length
        t = (x - start[0]) * dx + (y - start[1]) * dy
        across = -(x - start[0]) * dy + (y - start[1]) * dx
        reach = 0.0
        if not printed:
            phase, wave = rng.uniform(0, 6), rng.uniform(0, 0.025) * height_px
            across = across + wave * np.sin(t / height_px * 0.7 + phase) + rng.normal(0, 0.006) * t
            reach = rng.uniform(-0.05, 0.15) * height_px
        ends = np.minimum(t + reach, length + reach - t)
        alpha = np.clip(width / 2 - np.abs(across) + 0.5, 0, 1) * np.clip(ends + 0.5, 0, 1)
        _paint(scene, (rows, columns), alpha.astype(np.float32), liner, _wear(rng, alpha.shape, height_px))


def _taken(rng: np.random.Generator, scene: np.ndarray, hard: bool) -> np.ndarray:
    shape = scene.shape[:2]
    brightness = camera.light(rng, shape, 0.9 if hard else 0.5)
    if hard and rng.random() < 0.8:
        brightness = brightness * camera.shadow(rng, shape)
    scene = camera.exposed(rng, scene * brightness[..., None])
    return camera.take(
        rng,
        scene,
        blur_px=rng.uniform(0.6, 1.6) if hard else rng.uniform(0.4, 1.1),
        noise=rng.uniform(4, 11) if hard else rng.uniform(1.5, 5),
        quality=int(rng.integers(40, 85) if hard else rng.integers(65, 95)),
        grey=bool(rng.random() < 0.15),
    )
