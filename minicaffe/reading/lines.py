"""Lines of writing: which parts stand in a row, how far rows are from level, in what order they are read."""

from __future__ import annotations

import numpy as np

from .parts import Part, typical_height

TALL = 0.45  # of the typical height: what is lower belongs to a row, but does not make one
WHOLE = 0.7  # of it, what is hardly half of a broken character
SHRINK = 1.0  # typical heights: a slope that few parts show is taken for less
GAP = 2.5  # typical heights between neighbours of a chain
LEVEL = 0.5  # of its height that a part of a row has in common with the row
STEEPEST = 14.0  # degrees


def slope(parts: list[Part]) -> float:
    """By how many degrees, anticlockwise, the picture must be turned for its rows to be level: least squares
    over all chains of neighbours, with one slope."""
    typical = typical_height(parts)
    tall = [p for p in parts if WHOLE * typical < p.height < 2.2 * typical]
    degrees = 0.0
    for _ in range(2):  # with what the first finds, chains are longer
        along, across = 0.0, 0.0
        for chain in _chains(tall, typical, np.tan(np.radians(degrees))):
            x, y = np.array([(p.x, p.y) for p in chain]).T
            x, y = x - x.mean(), y - y.mean()
            along += float(x @ x)
            across += float(x @ y)
        if along < (1.5 * typical) ** 2:
            return 0.0
        along += (SHRINK * typical) ** 2
        degrees = float(np.clip(np.degrees(np.arctan2(across, along)), -STEEPEST, STEEPEST))
    return degrees


def _chains(parts: list[Part], typical: float, tangent: float) -> list[list[Part]]:
    """Parts each linked to the next on its right that is about as high up, allowing for a slope near to
    `tangent`."""
    rest = sorted(parts, key=lambda p: p.x)
    following: dict[int, int] = {}
    taken: set[int] = set()
    for i, part in enumerate(rest):
        best, found = GAP * typical, None
        for j in range(i + 1, len(rest)):
            other = rest[j]
            dx = other.x - part.x
            if other.left - part.right > GAP * typical:
                if dx > 4 * typical:
                    break
                continue
            dy = other.y - part.y - dx * tangent
            if dx < 0.25 * typical or abs(dy) > 0.25 * typical + 0.2 * dx:
                continue
            distance = dx + 2 * abs(dy)
            if distance < best + typical and j not in taken:
                best, found = distance - typical, j
        if found is not None:
            following[i] = found
            taken.add(found)
    chains = []
    for i in range(len(rest)):
        if i in taken:
            continue
        chain = [i]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        if len(chain) > 1:
            chains.append([rest[k] for k in chain])
    return chains


def rows(parts: list[Part]) -> list[list[Part]]:
    """The parts row by row from the top, each from left to right; what belongs to no row is left out.

    Rows are level.  Tall parts make them, from neighbour to neighbour; lower ones go to the row in whose
    height they lie.
    """
    typical = typical_height(parts)
    tall = sorted((p for p in parts if TALL * typical <= p.height <= 3 * typical), key=lambda p: p.x)
    found: list[list[Part]] = []
    for part in tall:
        best, most = None, LEVEL
        for row in found:
            common = _common(part, row, typical)
            if common > most:
                best, most = row, common
        if best is None:
            found.append([part])
        else:
            best.append(part)
    found = _merged(found, typical)
    found.sort(key=lambda row: float(np.median([p.y for p in row])))
    return _with_low_parts(found, [p for p in parts if p.height < TALL * typical], typical)


def _common(part: Part, row: list[Part], typical: float) -> float:
    """How much of a part, or of the row, is as high up as the other.  Rows are seldom quite straight: what
    counts is where those parts of the row are that are nearest, whole ones first."""
    near = [p for p in row if p.height > WHOLE * typical] or row
    near = sorted(near, key=lambda p: abs(p.x - part.x))[:3]
    top, bottom = np.median([p.top for p in near]), np.median([p.bottom for p in near])
    return float((min(bottom, part.bottom) - max(top, part.top)) / min(bottom - top, part.height))


def _merged(found: list[list[Part]], typical: float) -> list[list[Part]]:
    """Rows that turn out to be one, as where the first parts were halves of broken characters."""
    rest = sorted(found, key=len, reverse=True)
    whole: list[list[Part]] = []
    for row in rest:
        for other in whole:
            if float(np.median([_common(part, other, typical) for part in row])) > LEVEL:
                other.extend(row)
                break
        else:
            whole.append(row)
    return whole


def _with_low_parts(found: list[list[Part]], low: list[Part], typical: float) -> list[list[Part]]:
    bands = []
    for row in found:
        tops, bottoms = np.median([p.top for p in row]), np.median([p.bottom for p in row])
        bands.append((tops - 0.3 * typical, bottoms + 0.3 * typical))
    joined = [list(row) for row in found]
    for part in low:
        for row, own, (top, bottom) in zip(joined, found, bands):
            if top < part.y < bottom:
                near = min(max(part.left - p.right, p.left - part.right) for p in own)
                if near < GAP * typical:
                    row.append(part)
                    break
    return [sorted(row, key=lambda p: p.x) for row in joined]
