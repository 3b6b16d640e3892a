"""minicaffe data info: what a source of data holds, read from its files."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..data import datasets
from ..data.class_folders import ImageFolder, reasons
from ..data.database import FILE, Database
from ..data.detection.coco import Coco
from ..data.detection.database import AnnotatedDatabase, is_annotated
from ..data.detection.records import Annotated, opened
from ..data.detection.voc import Voc
from ..data.facts import backend, parts, summary
from ..data.images import Channels
from ..errors import ConfigError, DataError, locate
from ..printable import printable
from . import terminal


def show(options: argparse.Namespace) -> None:
    """The facts of a source, or of each part of what has parts."""
    name = options.names[0]
    made, whole = summary(name), parts(name)
    if made is not None and made["kind"] == "hdf5":
        raise ConfigError(f"{name}: data info reads no HDF5", hint=f"{name}/summary.json says what it holds")
    names = made["classes"] if made is not None else None
    facts = [_facts(source, names) for source in whole.values() or [name]]
    if options.json:
        terminal.show(json.dumps(facts if whole else facts[0], indent=2))
        return
    terminal.show("\n\n".join(map(_spell, facts)))


def _facts(source: str, names: list[str] | None = None) -> dict[str, Any]:
    """Of a source whose classes are called `names`, if that is known."""
    kind = backend(source)
    if kind == "LMDB":
        path = Path(source, FILE)
        if is_annotated(source):
            facts = _of_annotated(source, AnnotatedDatabase(source, Channels.NATIVE))
        else:
            facts = _of_records(source, Database(source))
        facts["files"] = [{"path": str(path), "sha256": datasets.sha256(path)}]
    elif kind == "FOLDER":
        folder = ImageFolder(source)
        facts, names = _of_records(source, folder), folder.classes
        facts["left out"] += [{"file": name, "reason": reason} for name, reason in folder.left_out]
    elif kind in ("VOC", "COCO"):
        annotated = Voc(source) if kind == "VOC" else Coco(source)
        facts, names = _of_annotated(source, annotated), annotated.classes
    else:
        facts = _of_idx(source)
        if part := datasets.named_part(source):
            names = list(part[0].class_names) or names
    if names is not None:
        facts["names"] = names
    return facts


def _of_idx(source: str) -> dict[str, Any]:
    part = datasets.named_part(source)
    dataset = part[0] if part else None
    images, labels = datasets.load(source, download=False)
    values, counts = np.unique(np.asarray(labels), return_counts=True)
    published = {file.name: file.sha256 for file in dataset.files} if dataset else {}
    files: list[dict[str, Any]] = []
    for path in filter(None, datasets.files(source, download=False)):
        digest = datasets.sha256(path)
        files.append({"path": str(path), "sha256": digest})
        if dataset and published[path.name.removesuffix(".gz")]:
            files[-1]["as published"] = digest == published[path.name.removesuffix(".gz")]
    return {
        "name": source,
        "images": len(images),
        "shape": list(images.shape[1:]),
        "type": images.dtype.name,
        "pixels": [images.min().item(), images.max().item()],
        "classes": {str(value): count for value, count in zip(values.tolist(), counts.tolist())},
        "files": files,
        "source": dataset.title if dataset else None,
        "licence": dataset.licence if dataset else None,
    }


def _of_records(source: str, records: Database | ImageFolder) -> dict[str, Any]:
    """The facts of records, of which every one is read; images may have many sizes.  An image file that
    cannot be read is listed; such a record of a database is an error."""
    low, high, kinds = np.inf, -np.inf, set()
    shapes: Counter[tuple[int, ...]] = Counter()
    classes: Counter[int] = Counter()
    left_out: list[dict[str, str]] = []
    for index in range(len(records)):
        try:
            with locate(partial(records.place, index)):
                image, label = records.read(index)
        except DataError as error:
            if isinstance(records, Database):
                raise
            left_out.append({"file": records.place(index), "reason": error.message})
            continue
        low, high = min(low, image.min().item()), max(high, image.max().item())
        kinds.add(image.dtype.name)
        shapes[image.shape] += 1
        classes[label] += 1
    if not shapes:
        raise DataError(f"{source}: none of its {len(records)} images can be read")
    return {
        "name": source,
        "images": shapes.total(),
        "shape": list(shapes.most_common(1)[0][0]),
        "shapes": len(shapes),
        "type": " and ".join(sorted(kinds)),
        "pixels": [low, high],
        "classes": {str(label): classes[label] for label in sorted(classes)},
        "files": [],
        "left out": left_out,
        "source": None,
        "licence": None,
    }


def _of_annotated(source: str, records: Annotated) -> dict[str, Any]:
    """The facts of images with boxes, of which every one is read; `classes` counts objects,
    and the labels of images that have but a label."""
    low, high, without, difficult = np.inf, -np.inf, 0, 0
    kinds = set()
    shapes: Counter[tuple[int, ...]] = Counter()
    classes: Counter[int] = Counter()
    for index in range(len(records)):
        with locate(partial(records.place, index)):
            found = records.read(index)
            image, boxes = opened(found, Channels.COLOR)
        low, high = min(low, image.min().item()), max(high, image.max().item())
        kinds.add(image.dtype.name)
        shapes[image.shape] += 1
        if boxes is not None:
            classes.update(boxes.labels.tolist())
            difficult += int(boxes.difficult.sum())
            without += not len(boxes.labels)
        else:
            classes[found.label] += 1
    return {
        "name": source,
        "images": shapes.total(),
        "shape": list(shapes.most_common(1)[0][0]),
        "shapes": len(shapes),
        "type": " and ".join(sorted(kinds)),
        "pixels": [low, high],
        "classes": {str(label): classes[label] for label in sorted(classes)},
        "objects": classes.total(),
        "difficult": difficult,
        "without objects": without,
        "files": [],
        "source": None,
        "licence": None,
    }


def _spell(facts: dict[str, Any]) -> str:
    low, high = facts["pixels"]
    size = times(facts["shape"])
    if facts.get("shapes", 1) > 1:
        size = f"{facts['shapes']} sizes, most of them {size}"
    lines = [
        facts["name"],
        f"  images   {facts['images']} of {size}, {facts['type']} from {low} to {high}",
        f"  labels   {len(facts['classes'])} classes",
    ]
    if "objects" in facts:
        lines[-1] = f"  objects  {facts['objects']} of {len(facts['classes'])} classes"
        lines[-1] += f", {facts['difficult']} of them difficult" if facts["difficult"] else ""
        lines[-1] += f"; {facts['without objects']} images have none" if facts["without objects"] else ""
    width = max(map(len, facts["classes"]), default=0)
    for label, count in facts["classes"].items():
        name = f"  {facts['names'][int(label)]}" if "names" in facts else ""
        lines.append(f"           {label:>{width}}  {count}{name}")
    for i, file in enumerate(facts["files"]):
        lines.append(f"  {'files' if i == 0 else '':7}  {file['path']}")
        verdict = {True: ", as published", False: ", NOT as published", None: ""}[file.get("as published")]
        lines.append(f"           SHA-256 of its contents {file['sha256']}{verdict}")
    if left_out := [(entry["file"], entry["reason"]) for entry in facts.get("left out", [])]:
        lines.append(f"  left out {len(left_out)} files: {reasons(left_out)}")
    for name in ("source", "licence"):
        if facts[name]:
            lines.append(f"  {name:7}  {facts[name]}")
    return "\n".join(map(printable, lines))


def times(shape: list[int]) -> str:
    return "x".join(map(str, shape))
