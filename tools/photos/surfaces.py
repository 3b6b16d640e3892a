"""What lies under the camera: paper, boards, and textures without writing; (H, W, 3) float32 from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

Shape = tuple[int, int]


def clouds(rng: np.random.Generator, shape: Shape, cell_px: float, stretch: float = 1.0) -> np.ndarray:
    """Smooth noise, about normal with deviation 1, that changes over `cell_px` pixels; along x
    `stretch` times as slowly."""
    rows = max(2, round(shape[0] / cell_px) + 1)
    columns = max(2, round(shape[1] / (cell_px * stretch)) + 1)
    coarse = rng.standard_normal((rows, columns), np.float32)
    return np.asarray(Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)) * 1.4


def _colour(*rgb: float) -> np.ndarray:
    return np.array(rgb, np.float32)


def paper(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """White, cream or recycled paper: fibres, stains so faint that one hardly sees them, a slight wave."""
    tint = _colour(1.0, rng.uniform(0.975, 1.0), rng.uniform(0.92, 1.0)) * rng.uniform(0.88, 0.99)
    fibres = clouds(rng, shape, rng.uniform(1.5, 3)) * rng.uniform(0.002, 0.012)
    waves = clouds(rng, shape, max(shape) / 3) * rng.uniform(0.0, 0.006)
    stains = clouds(rng, shape, max(shape) / 12) * rng.uniform(0.0, 0.003)
    return (1 + fibres + waves + stains)[..., None] * tint


def board(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """A blackboard, slate or dark card, with the smears of what was wiped off."""
    colours = [
        _colour(0.10, 0.12, 0.12),
        _colour(0.08, 0.17, 0.13),
        _colour(0.09, 0.11, 0.19),
        _colour(0.16, 0.14, 0.13),
    ]
    tint = colours[rng.integers(len(colours))] * rng.uniform(0.8, 1.5)
    smears = np.clip(clouds(rng, shape, max(shape) / 9, rng.uniform(1.5, 4)), -0.5, 3) * rng.uniform(
        0.005, 0.03
    )
    grain = clouds(rng, shape, 2.0) * rng.uniform(0.004, 0.014)
    return tint + (smears + grain)[..., None] * _colour(1.0, 1.0, 0.97)


def wood(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """A table top: rings cut lengthwise, pores, now and then a gap between boards."""
    across = bool(rng.random() < 0.5)
    shape = shape[::-1] if across else shape
    rows = np.arange(shape[0], dtype=np.float32)
    pitch = rng.uniform(14, 60)
    bent = rows[:, None] + clouds(rng, shape, max(shape) / 5, 3) * pitch * rng.uniform(0.5, 2.0)
    rings = np.sin(2 * np.pi * bent / pitch + clouds(rng, shape, 40, 6))
    pores = np.clip(clouds(rng, shape, 2.5, 14) - 1.0, 0, None)
    tone = (
        1
        + rng.uniform(0.04, 0.14) * rings
        + 0.05 * clouds(rng, shape, 6, 20)
        - rng.uniform(0.05, 0.16) * pores
    )
    tint = _colour(0.78, 0.58, 0.38) * rng.uniform(0.5, 1.15) + rng.uniform(-0.03, 0.06)
    if rng.random() < 0.5:
        gap = rng.uniform(150, 400)
        tone = tone * (
            1 - 0.7 * (np.abs((rows[:, None] + rng.uniform(0, gap)) % gap - 3) < rng.uniform(1, 3))
        )
    out = np.clip(tone, 0, None)[..., None] * tint
    return np.ascontiguousarray(out.swapaxes(0, 1)) if across else out


def cloth(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Woven threads, uneven and creased, in one colour or with stripes."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    pitch = rng.uniform(5, 14)
    wobble = clouds(rng, shape, 60) * pitch * 0.5
    warp = np.sin(2 * np.pi * (x + wobble) / pitch)
    weft = np.sin(2 * np.pi * (y + wobble[::-1]) / pitch)
    over = np.sign(np.sin(np.pi * (x + wobble) / pitch) * np.sin(np.pi * (y + wobble[::-1]) / pitch))
    threads = np.where(over > 0, warp, weft)
    tone = 1 + rng.uniform(0.05, 0.15) * threads + 0.05 * clouds(rng, shape, 3)
    tone += rng.uniform(0.0, 0.1) * clouds(rng, shape, max(shape) / 4)  # folds
    tint = rng.uniform(0.2, 0.85, 3).astype(np.float32)
    out = np.clip(tone, 0, None)[..., None] * tint
    if rng.random() < 0.4:
        stripe = rng.uniform(30, 120)
        mask = ((x + wobble) % stripe < stripe * rng.uniform(0.1, 0.5))[..., None]
        out = np.where(mask, out * rng.uniform(0.4, 0.9, 3).astype(np.float32), out)
    return out


def stone(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Granite, concrete or marble: noise of every size, specks, veins."""
    tone = sum(
        clouds(rng, shape, cell) * share for cell, share in ((2, 0.06), (5, 0.06), (16, 0.05), (60, 0.05))
    )
    tone = tone * rng.uniform(0.5, 1.4)
    specks = clouds(rng, shape, rng.uniform(3, 9))
    tone = (
        tone
        - rng.uniform(0.1, 0.4) * np.clip(specks - 1.6, 0, 1)
        + rng.uniform(0, 0.3) * np.clip(-specks - 1.7, 0, 1)
    )
    if rng.random() < 0.5:
        veins = np.abs(clouds(rng, shape, max(shape) / 7) + 0.25 * clouds(rng, shape, 25))
        tone = tone - rng.uniform(0.1, 0.35) * np.exp(-((veins / rng.uniform(0.02, 0.06)) ** 2))
    tint = _colour(*(rng.uniform(0.4, 0.8) + rng.normal(0, 0.03, 3)))
    return np.clip(1 + tone, 0, None)[..., None] * tint


def leaves(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Leaves fallen on one another, with a middle rib and veins each."""
    out = stone(rng, shape) * _colour(0.45, 0.37, 0.28)
    length = max(shape) * rng.uniform(0.10, 0.22)
    autumn = rng.random() < 0.6
    for _ in range(int(9.0 * shape[0] * shape[1] / length**2)):
        centre = rng.uniform(0, 1, 2) * shape
        angle, size = rng.uniform(0, 2 * np.pi), length * rng.uniform(0.6, 1.2)
        top, left = np.maximum(centre - size / 2, 0).astype(int)
        bottom, right = np.minimum(centre + size / 2, shape).astype(int)
        if bottom <= top or right <= left:
            continue
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        dx, dy = x - centre[1], y - centre[0]
        u = (np.cos(angle) * dx + np.sin(angle) * dy) / (size / 2)
        v = (-np.sin(angle) * dx + np.cos(angle) * dy) / (size / 2)
        edge = 0.42 * np.clip(1 - u * u, 0, None) - np.abs(v)
        inside = np.clip(edge * size / 4, 0, 1)[..., None]
        tint = _colour(0.75, 0.45, 0.15) if autumn else _colour(0.25, 0.45, 0.15)
        tint = tint * rng.uniform(0.5, 1.2, 3).astype(np.float32)
        rib = np.exp(-((v * size / 4) ** 2)) + 0.5 * np.exp(-((np.sin(9 * (u - 0.8 * np.abs(v))) * 6) ** 2))
        leaf = tint * (1 + 0.25 * v[..., None]) * (1 + rng.uniform(-0.3, 0.4) * np.clip(rib, 0, 1)[..., None])
        shaded = np.clip(edge * size / 3 + 1.5, 0, 1)[..., None]  # the leaf's own shadow on what lies below
        part = out[top:bottom, left:right]
        part[:] = part * (1 - 0.4 * shaded * (1 - inside))
        part[:] = part * (1 - inside) + leaf * inside
    return out * (1 + 0.05 * clouds(rng, shape, 3))[..., None]


TEXTURES: dict[str, Callable[[np.random.Generator, Shape], np.ndarray]] = {
    "wood": wood,
    "cloth": cloth,
    "stone": stone,
    "leaves": leaves,
}
