"""What the worker does for the page Data: counts, pages of images, single ones, the mean, and augmented
samples.

Every function takes a data set as plain data: `where`, its name or folder, and `version`, which changes
with it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..data import facts
from ..data.mean import BlobProto
from ..data.transformer import Transformer
from ..errors import ConfigError, DataError, locate
from ..proto import binary, text
from ..proto.schema import TRAIN, AugmentationParameter, TransformationParameter
from . import sprites
from .sprites import Shown
from .stored import Part, Stored, opened_set

PAGE = 60  # images
MOST_PAGE = 200
MOST_SAMPLES = 24
MEAN_OF = 5000  # images, at most, where the set brings no mean image of its own
RARE = 10  # times fewer images than the median class: said
LONGEST_TEXT = 10_000  # characters of a transform_param
SAMPLE_PX = 160

Pick = tuple[str, int]  # the name of a part, and the number of an image in it


def overview(where: str, version: str) -> dict[str, Any]:
    """Parts, shape, and how many images, or objects, each class has in each part."""
    found = opened_set(where, version)
    made = facts.summary(where) or {}
    parts = {name: part.counts for name, part in found.parts.items()}
    labels = sorted({label for counts in parts.values() for label in counts})
    labels = sorted({*labels, *range(len(found.classes))}) if len(found.classes) <= 1000 else labels
    boxed = any(part.boxed for part in found.parts.values())
    if boxed and labels[:1] == [0] and not any(counts.get(0) for counts in parts.values()):
        labels = labels[1:]  # the background, of which there are no boxes
    rows = [
        {
            "label": n,
            "name": found.called(n),
            "counts": {name: counts.get(n, 0) for name, counts in parts.items()},
        }
        for n in labels
    ]
    image, _ = next(iter(found.parts.values())).image(0)
    return {
        "parts": [{"name": name, "images": len(part)} for name, part in found.parts.items()],
        "classes": rows,
        "boxed": boxed,
        "shape": made.get("shape", list(image.shape)) if "kind" in made else list(image.shape),
        "white": next(iter(found.parts.values())).white,
        "notes": _notes(rows, boxed),
        "left_out": made.get("left out", [])[:500],
        "remarks": {str(remark): len(names) for remark, names in made.get("remarks", {}).items()},
    }


def _notes(rows: list[dict[str, Any]], boxed: bool) -> list[str]:
    """What is unusual about the numbers of images."""
    notes, what = [], "objects" if boxed else "images"
    totals = {row["name"]: sum(row["counts"].values()) for row in rows}
    usual = float(np.median(list(totals.values()))) if totals else 0
    for name, total in totals.items():
        if total * RARE < usual:
            notes.append(
                f"class {name} has {total} {what}, where half of the classes have {usual:g} and more"
            )
    for row in rows:
        bare = [part for part, count in row["counts"].items() if not count]
        if bare and totals[row["name"]] and len(rows) > 1:
            notes.append(f"class {row['name']} has no {what} in {', '.join(bare)}")
    return notes[:40]


def page(
    where: str,
    version: str,
    part: str = "",
    label: int | None = None,
    number: int = 0,
    picks: Sequence[Pick] = (),
) -> dict[str, Any]:
    """Which images a page shows: those of a class of a part, or some that are named one by one."""
    found = opened_set(where, version)
    chosen, total = _chosen(found, part, label, number, picks)
    shown = []
    for name, index in chosen:
        images = found.part(name)
        shown.append({"part": name, "index": index, "labels": _labels(images, index)})
    return {"total": total, "pages": -(-total // PAGE), "columns": sprites.COLUMNS, "images": shown}


def sheet(
    where: str,
    version: str,
    part: str = "",
    label: int | None = None,
    number: int = 0,
    picks: Sequence[Pick] = (),
) -> bytes:
    """The images of `page` as one PNG; one that cannot be read is a blank."""
    found = opened_set(where, version)
    images = []
    for name, index in _chosen(found, part, label, number, picks)[0]:
        try:
            images.append(_shown(found.part(name), index))
        except DataError:
            images.append(Shown(np.zeros((1, 1, 1), np.uint8)))
    return sprites.sprite(images)


def _chosen(
    found: Stored, part: str, label: int | None, number: int, picks: Sequence[Pick]
) -> tuple[list[Pick], int]:
    """The images of a page, and how many there are on all pages."""
    if picks:
        if len(picks) > MOST_PAGE:
            raise ConfigError(f"{len(picks)} images for a page; it has {MOST_PAGE} at most")
        for name, index in picks:
            if not 0 <= index < len(found.part(name)):
                raise DataError(f"no image {index} in {name}, which has {len(found.part(name))}")
        return [(name, index) for name, index in picks], len(picks)
    part = part or next(iter(found.parts))
    members = found.part(part).members(label)
    rows = members[number * PAGE : (number + 1) * PAGE]
    return [(part, index) for index in rows.tolist()], len(members)


def _shown(part: Part, index: int) -> Shown:
    image, boxes = part.image(index)
    return Shown(image, part.white, boxes)


def _labels(part: Part, index: int) -> list[int]:
    """The classes of an image, each once."""
    return sorted(set(part.images.labels(index)))


def one(where: str, version: str, part: str, index: int) -> dict[str, Any]:
    """What there is to say of an image."""
    found = opened_set(where, version)
    images = found.part(part)
    image, boxes = images.image(index)
    marked = []
    if boxes is not None:
        for corners, label in zip(boxes.corners.tolist(), boxes.labels.tolist()):
            marked.append({"label": label, "name": found.called(label), "corners": corners})
    return {
        "part": part,
        "index": index,
        "labels": _labels(images, index),
        "name": images.images.name(index),
        "shape": list(image.shape),
        "white": images.white,
        "least": float(image.min()),
        "most": float(image.max()),
        "mean": float(image.mean()),
        "deviation": float(image.std()),
        "boxes": marked,
    }


def picture(where: str, version: str, part: str, index: int) -> bytes:
    """An image as it is, a pixel for a pixel: what is white in the part is 255."""
    images = opened_set(where, version).part(part)
    return sprites.whole(Shown(images.image(index)[0], images.white))


# -- the mean


@lru_cache(maxsize=4)
def _mean(where: str, version: str) -> tuple[np.ndarray, float, str]:
    """The mean image (C, H, W), the value that is white, and of what it is the mean."""
    found = opened_set(where, version)
    name, part = next(iter(found.parts.items()))
    path = os.path.join(where, "mean.binaryproto")
    if facts.summary(where) is not None and os.path.isfile(path):
        image = binary.to_array(binary.read(path, BlobProto))
        return image.reshape(image.shape[-3:]), part.white, f"all images of {name}"
    some = np.unique(np.linspace(0, len(part) - 1, min(len(part), MEAN_OF)).astype(int)).tolist()
    total, first = np.zeros(0), None
    for index in some:
        image, _ = part.image(index)
        if first is None:
            first, total = image.shape, np.zeros(image.shape)
        if image.shape != first:
            raise DataError(
                f"no mean image: image {index} has the shape {image.shape}, image 0 {first}",
                hint="make a data set of them with a size",
            )
        total += image
    of = f"all images of {name}" if len(some) == len(part) else f"{len(some)} images of {name}"
    return total / len(some), part.white, of


def mean(where: str, version: str) -> dict[str, Any]:
    """The means of the channels, of the images as they are, and of what they are the means."""
    image, white, of = _mean(where, version)
    channels = image.reshape(len(image), -1).mean(axis=1).tolist()
    return {"shape": list(image.shape), "means": channels, "of": of, "white": white}


def mean_picture(where: str, version: str) -> bytes:
    image, white, _ = _mean(where, version)
    return sprites.whole(Shown(image, white))


# -- augmented samples


def augmented(
    where: str,
    version: str,
    part: str,
    index: int,
    count: int = 8,
    transform: str = "",
    augment: str = "",
    seed: int = 1,
) -> bytes:
    """An image as it is, and what a net that trains sees of it in `count` epochs, in pixels, before mean and
    scale: cells of one row of a PNG.

    transform, augment  the fields of a transform_param and an augment_param, as a prototxt has them

    ConfigError for fields that do not fit the images, and for a mean_file, which changes no picture.
    """
    images = opened_set(where, version).part(part)
    image, _ = images.image(index)
    conf = text.parse(_short(transform, "transform_param"), TransformationParameter, "transform_param")
    if conf.mean_file:
        raise ConfigError("a mean_file changes nothing here: samples are shown before the mean is taken off")
    changes = text.parse(_short(augment, "augment_param"), AugmentationParameter, "augment_param")
    if not 1 <= count <= MOST_SAMPLES:
        raise ConfigError(f"1 to {MOST_SAMPLES} samples can be shown; got {count}")
    with locate("transform_param and augment_param"):
        transformer = Transformer(conf, TRAIN, image.shape, changes)
        at = np.arange(count, dtype=np.int64) * len(images) + index
        values = np.empty((count, *transformer.out_shape), np.float32)
        key = (seed, 0)
        transformer([image] * count, values, at, key)
        size = None if transformer.resize is not None else image.shape[1:]
        seen = transformer.undo(values, transformer.draw(at, key, size))
    shown = [Shown(image, images.white), *(Shown(sample, images.white) for sample in seen)]
    return sprites.sprite(shown, columns=count + 1, cell_px=SAMPLE_PX)


def _short(content: str, what: str) -> str:
    if len(content) > LONGEST_TEXT:
        raise ConfigError(f"{len(content)} characters of {what}; {LONGEST_TEXT} is the most")
    return content
