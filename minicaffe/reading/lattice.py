"""All ways to make characters of a row's ink, and the best of them.

The parts of a row are cut wherever two characters might touch; the pieces, from left to right, are atoms.
Every few neighbours together may be a character, whose probability the net says; of all ways through the row,
that with the largest product of probabilities is taken, found by dynamic programming:

    best[j] = max over i of best[i] + log p(atoms i to j) - cost of cuts, gaps and odd sizes

Source: O. Matan, C. Burges, Y. LeCun and J. Denker, "Multi-digit recognition using a space displacement
neural network" (1992), and C. Burges et al., "Shortest path segmentation" (1992).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .cuts import cuts
from .glyphs import normalised
from .parts import Part

MOST_ATOMS = 6  # in a character
WIDEST = 1.7  # heights of a row that a character is wide
ACROSS = 0.4  # heights of a row between the pieces of a broken character
REACH_PX = 2  # how far from its pixels a stroke's soft edge reaches

# Costs, in units of log p
CUT, LONG_CUT = 2.0, 0.8  # of a cut; of each stroke width that it is longer than one
JOINED, FAR = 1.0, 5.0  # of parts read as one; of each height of the row between them
OVERLAP = 0.1  # heights of the row: parts that lie above one another by more are likely one
ENTANGLED, ENTANGLED_FROM = 6.0, 0.5  # of characters above one another; from which share of the narrower on
DROPPED, DROPPED_INK = 0.6, 12.0  # of a part that is left out; of its ink beside that of a character
ODD = 12.0  # of each height of the row that a character lacks to be as high as it ought to be
UNLIKELY = 12.0  # what costs so much is not tried
IMPOSSIBLE = 8.0  # of a shape that no character has

SYMBOL = 0.5  # of + - × ÷ =, which are rarer than digits
SYMBOL_CUT = 4.0  # of a symbol that would have to be cut off
SEPARATE = ("-", "=", "÷")  # those that are
OFF, FAR_OFF = 0.18, 20.0  # heights of the row that the middle of a symbol is off the row's; of each more
DESPITE = 0.05  # probability that what looks like no character is one after all, a broken one

# How high characters are in units of the row's height, least and most, where the net sees only their shape
HEIGHTS = {"-": (0.0, 0.45), "=": (0.08, 0.8), "+": (0.2, 1.2), "×": (0.2, 1.2), "÷": (0.2, 1.2)}
DIGIT_HEIGHTS = (0.6, 1.7)


class Atom(NamedTuple):
    top: int
    left: int
    bottom: int
    right: int
    area: int
    part: int  # label of the part that it is a piece of
    piece: int  # which, from the left


class Candidate(NamedTuple):
    first: int  # atom
    last: int  # atom, included
    box: tuple[int, int, int, int]  # top, left, bottom, right
    cost: float  # without the net's


class Choice(NamedTuple):
    """A character: its class, how probable it is, where it is, which candidate."""

    label: int
    certainty: float
    box: tuple[int, int, int, int]
    scores: np.ndarray  # log p of all classes
    candidate: int


class Lattice:
    """The candidates of one row.

    parts      of the row, left to right
    labels     of all parts, (H, W)
    ink        (H, W), 1 in the middle of a stroke
    stroke_px  how wide strokes are
    """

    def __init__(self, parts: Sequence[Part], labels: np.ndarray, ink: np.ndarray, stroke_px: float) -> None:
        tall = max(p.height for p in parts)
        self.height = float(np.median([p.height for p in parts if p.height > 0.5 * tall]))
        self._tall = np.array([(p.x, p.y) for p in parts if p.height > 0.5 * tall])
        self.stroke_px = stroke_px
        self._cut(parts, labels)
        self._soften(ink)
        self.candidates = list(self._candidates())

    def _cut(self, parts: Sequence[Part], labels: np.ndarray) -> None:
        """Part by part into atoms; `pieces` has their numbers, from 1."""
        self.top, self.left = min(p.top for p in parts), min(p.left for p in parts)
        bottom, right = max(p.bottom for p in parts), max(p.right for p in parts)
        margin = REACH_PX + 1
        self.top, self.left = max(0, self.top - margin), max(0, self.left - margin)
        self.bottom, self.right = (min(n, e + margin) for n, e in zip(labels.shape, (bottom, right)))
        pieces = np.zeros((self.bottom - self.top, self.right - self.left), np.int32)
        self.ways: dict[int, list[float]] = {}
        atoms: list[Atom] = []
        numbers: list[int] = []
        for part in parts:
            mask = labels[part.top : part.bottom, part.left : part.right] == part.label
            ways = cuts(mask, self.height, self.stroke_px)
            place = np.zeros(mask.shape, int)
            for way, _ in ways:
                place += np.arange(mask.shape[1]) >= way[:, None]
            view = pieces[
                part.top - self.top : part.bottom - self.top, part.left - self.left : part.right - self.left
            ]
            self.ways[part.label] = [length for _, length in ways]
            for k in range(len(ways) + 1):
                own = mask & (place == k)
                rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
                if not len(rows):
                    continue
                numbers.append(len(numbers) + 1)
                view[own] = numbers[-1]
                atoms.append(
                    Atom(
                        part.top + int(rows[0]),
                        part.left + int(columns[0]),
                        part.top + int(rows[-1]) + 1,
                        part.left + int(columns[-1]) + 1,
                        int(own.sum()),
                        part.label,
                        k,
                    )
                )
        order = sorted(range(len(atoms)), key=lambda i: atoms[i].left + atoms[i].right)
        renumbered = np.zeros(len(atoms) + 1, np.int32)
        for new, old in enumerate(order):
            renumbered[old + 1] = new + 1
        self.atoms = [atoms[i] for i in order]
        self.pieces = renumbered[pieces]

    def _soften(self, ink: np.ndarray) -> None:
        """Give the soft edges of strokes to the atoms that they surround."""
        from scipy import ndimage

        distance, nearest = ndimage.distance_transform_edt(self.pieces == 0, return_indices=True)
        spread = self.pieces[nearest[0], nearest[1]]
        self.pieces = np.where(distance <= REACH_PX, spread, 0)
        self.ink = ink[self.top : self.bottom, self.left : self.right]

    def _candidates(self) -> Iterator[Candidate]:
        for first, _atom in enumerate(self.atoms):
            for last in range(first, min(first + MOST_ATOMS, len(self.atoms))):
                members = self.atoms[first : last + 1]
                box = (
                    min(a.top for a in members),
                    min(a.left for a in members),
                    max(a.bottom for a in members),
                    max(a.right for a in members),
                )
                if box[3] - box[1] > WIDEST * self.height and last > first:
                    break
                cost = self._cost(first, last)
                if cost < UNLIKELY:
                    yield Candidate(first, last, box, cost)

    def _cost(self, first: int, last: int) -> float:
        """Of the cuts that part it from its neighbours, half each, and of the gaps between what it joins."""
        members = self.atoms[first : last + 1]
        cost, right = 0.0, members[0].right
        pieces: dict[int, list[int]] = {}
        for atom in members:
            if pieces and atom.part not in pieces:
                gap = (atom.left - right) / self.height
                cost += JOINED if gap > -OVERLAP else JOINED / 4
                cost += FAR * max(gap, 0) + (UNLIKELY if gap > ACROSS else 0)
            pieces.setdefault(atom.part, []).append(atom.piece)
            right = max(right, atom.right)
        for part, own in pieces.items():
            lengths = self.ways[part]  # of the cuts before pieces 1, 2, ...
            for border in (min(own) - 1, max(own)):
                if 0 <= border < len(lengths):
                    cost += (CUT + LONG_CUT * max(0.0, lengths[border] - 1)) / 2
        return cost + ENTANGLED * self._entangled(first, last)

    def _entangled(self, first: int, last: int) -> float:
        """How much of it, or of what is left and right of it, lies above or below the other."""
        members = self.atoms[first : last + 1]
        left, right = min(a.left for a in members), max(a.right for a in members)
        most = 0.0
        for other in (*self.atoms[max(0, first - 2) : first], *self.atoms[last + 1 : last + 3]):
            common = min(right, other.right) - max(left, other.left)
            most = max(most, common / min(right - left, other.right - other.left))
        return max(0.0, most - ENTANGLED_FROM)

    def glyphs(self) -> np.ndarray:
        """The candidates as the net wants them, (N, 28, 28)."""
        found = []
        for candidate in self.candidates:
            top, left, bottom, right = candidate.box
            window = (
                slice(max(0, top - self.top - REACH_PX), bottom - self.top + REACH_PX),
                slice(max(0, left - self.left - REACH_PX), right - self.left + REACH_PX),
            )
            pieces = self.pieces[window]
            own = (pieces > candidate.first) & (pieces <= candidate.last + 1)
            found.append(normalised(np.where(own, self.ink[window], 0), self.stroke_px))
        return np.array(found)

    def best(self, scores: np.ndarray, labels: Sequence[str], none: int | None) -> list[Choice]:
        """The characters of the best way, left to right.

        scores  log p, (N, classes), of the candidates
        none    the class of what is no character
        """
        count = len(self.atoms)
        total = np.full(count + 1, -np.inf)
        total[0] = 0
        came: list[tuple[int, Choice | None]] = [(0, None)] * (count + 1)
        by_first: dict[int, list[int]] = {}
        for n, candidate in enumerate(self.candidates):
            by_first.setdefault(candidate.first, []).append(n)
        for first in range(count):
            dropped = total[first] - self._drop(first)
            if dropped > total[first + 1]:
                total[first + 1], came[first + 1] = dropped, (first, None)
            for n in by_first.get(first, ()):
                candidate = self.candidates[n]
                adjusted = _despite(scores[n], none) - self._oddness(candidate, labels)
                label = int(adjusted.argmax())
                value = total[first] + adjusted[label] - candidate.cost
                end = candidate.last + 1
                if value > total[end]:
                    choice = Choice(label, float(np.exp(scores[n][label])), candidate.box, scores[n], n)
                    total[end], came[end] = value, (first, choice)
        found: list[Choice] = []
        at = count
        while at:
            at, chosen = came[at]
            if chosen is not None:
                found.append(chosen)
        return found[::-1]

    def _drop(self, atom: int) -> float:
        """Of leaving an atom out."""
        a = self.atoms[atom]
        share = a.area / (2.2 * self.height * self.stroke_px)  # strokes of a digit are some two heights long
        return DROPPED + DROPPED_INK * share

    def _oddness(self, candidate: Candidate, labels: Sequence[str]) -> np.ndarray:
        """For each class how much size, place and cuts speak against it, (classes,)."""
        top, left, bottom, right = candidate.box
        height, width = bottom - top, right - left
        relative = height / self.height
        off = abs((top + bottom) / 2 - self._middle((left + right) / 2)) / self.height
        members = self.atoms[candidate.first : candidate.last + 1]
        cut = len(members) < sum(a.part in {m.part for m in members} for a in self.atoms)
        found = np.zeros(len(labels))
        for k, label in enumerate(labels):
            least, most = HEIGHTS.get(label, DIGIT_HEIGHTS)
            found[k] = ODD * max(0.0, least - relative, relative - most)
            if label in HEIGHTS:
                found[k] += SYMBOL + FAR_OFF * max(0.0, off - OFF)
                found[k] += SYMBOL_CUT if cut and label in SEPARATE else 0
                if width < 0.2 * self.height:  # a dot
                    found[k] += IMPOSSIBLE
                if label == "-" and height > 0.7 * width:
                    found[k] += IMPOSSIBLE
        return found

    def _middle(self, x: float) -> float:
        """How high up the row's middle is at x: of the nearest parts that are as high as characters."""
        tall = self._tall
        near = tall[np.argsort(np.abs(tall[:, 0] - x))[:5]]
        return float(np.median(near[:, 1]))


def _despite(scores: np.ndarray, none: int | None) -> np.ndarray:
    """log p of the classes, if a part of what the net takes for no character were the likeliest other."""
    if none is None:
        return scores.copy()
    some = np.log(max(1 - np.exp(scores[none]), 1e-9))
    found = np.logaddexp(scores + np.log(1 - DESPITE), scores - some + np.log(DESPITE))
    found[none] = -np.inf
    return found
