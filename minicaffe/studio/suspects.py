"""Images of a data set that may be mistakes: copies, blanks, and odd sizes."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from .stored import Stored, opened_set

MOST_S = 40.0  # that it takes: who asks waits for it
MOST_SHOWN = 60  # of a group
ODD = 0.1  # share of the images that an unusual size has at most


class _Seen(NamedTuple):
    """A place of an image, and what is compared of it."""

    part: str
    number: int
    labels: tuple[int, ...]
    digest: bytes
    shape: tuple[int, ...]
    blank: bool


def suspects(where: str, version: str) -> dict[str, Any]:
    """Groups of images, the most serious first, each with why, how many, and the first of them; of as many
    images as can be looked at in MOST_S."""
    found = opened_set(where, version)
    seen, unreadable, total = _look(found)
    alike: dict[bytes, list[_Seen]] = defaultdict(list)
    for one in seen:
        if not one.blank:
            alike[one.digest].append(one)
    copies = [some for some in alike.values() if len(some) > 1]
    twice = [some for some in copies if len({one.labels for one in some}) > 1]
    leaked = [some for some in copies if len({one.part for one in some}) > 1 and some not in twice]
    rest = [some for some in copies if some not in twice and some not in leaked]
    shapes = Counter(one.shape for one in seen)
    usual = shapes.most_common(1)[0][0] if shapes else ()
    odd = [one for one in seen if one.shape != usual and shapes[one.shape] <= ODD * len(seen)]
    groups = [
        _group(
            "labels", "The same image in different classes", "One of the labels must be wrong.", _flat(twice)
        ),
        _group(
            "parts",
            "The same image in two parts",
            "A net is tested on what it was trained with: the test says too much.",
            _flat(leaked),
        ),
        _group("copies", "The same image more than once", "It counts as often in training.", _flat(rest)),
        _group("blank", "Blank images", "All pixels are alike.", [one for one in seen if one.blank]),
        _group("sizes", "Unusual sizes", f"Most images have the shape {_spell(usual)}.", odd),
        _group("unreadable", "Images that cannot be read", "They are damaged.", unreadable),
    ]
    return {
        "looked_at": len(seen) + len(unreadable),
        "of": total,
        "groups": [g for g in groups if g["count"]],
    }


def _look(found: Stored) -> tuple[list[_Seen], list[_Seen], int]:
    """The images that are compared, those that cannot be read, and how many there are in all."""
    seen: list[_Seen] = []
    unreadable: list[_Seen] = []
    total, until = 0, time.monotonic() + MOST_S
    for name, part in found.parts.items():
        total += len(part)
        for index in range(len(part)):
            if time.monotonic() > until:
                break
            labels = tuple(part.images.labels(index))
            try:
                image, _ = part.images.read(index)
            except DataError:
                unreadable.append(_Seen(name, index, labels, b"", (), False))
                continue
            content = np.ascontiguousarray(image)
            digest = hashlib.blake2b(content.view(np.uint8).data, digest_size=16).digest()
            blank = bool((content == content[:, :1, :1]).all())
            seen.append(_Seen(name, index, labels, digest, image.shape, blank))
    return seen, unreadable, total


def _flat(groups: list[list[_Seen]]) -> list[_Seen]:
    """Images that are alike stay side by side."""
    return [one for some in groups for one in some]


def _group(kind: str, title: str, why: str, members: list[_Seen]) -> dict[str, Any]:
    shown = [
        {"part": one.part, "index": one.number, "labels": sorted(set(one.labels)), "shape": list(one.shape)}
        for one in members[:MOST_SHOWN]
    ]
    return {"kind": kind, "title": title, "why": why, "count": len(members), "images": shown}


def _spell(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
