"""What the worker does to pick images: those of a run's data, and those that its net gets wrong.

Every function takes a run, plain data: net, folder, weights and stamp, as in `stepping`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..data.making.fit import fit
from ..errors import DataError
from ..inference.samples import Samples
from ..net import Net
from ..reports import Evaluation, evaluate
from . import run_net
from .stepping import stepper

Run = dict[str, Any]
SIDE = 64  # of a picture on a page of many
MOST = 200  # pictures of a page
MOST_SAMPLES = 10_000  # that a confusion matrix is made of


def samples(run: Run, first: int = 0, count: int = 60) -> dict[str, Any]:
    """Labels and names of a stretch of a run's test data, and how its pictures lie."""
    viewer = _viewer(run)
    found = viewer.samples
    numbers = _stretch(len(found), first, count)
    shown = []
    for i in numbers:
        _, label = found.read(i)
        shown.append({"number": i, "name": found.name(i), "label": label})
    return {
        "total": len(found),
        "first": first,
        "labels": viewer.labels,
        "samples": shown,
        **_layout(len(shown)),
    }


def pictures(run: Run, numbers: Sequence[int]) -> bytes:
    """A PNG with these images of a run's test data, SIDE pixels each, in rows."""
    if not 0 < len(numbers) <= MOST:
        raise DataError(f"{len(numbers)} pictures; expected 1 to {MOST}")
    found = _viewer(run).samples
    images = [found.read(i)[0] for i in numbers]
    return _sprite(images, max(_white(found), 1e-30))


def page(run: Run, first: int = 0, count: int = 60) -> bytes:
    """The pictures of `samples`."""
    return pictures(run, _stretch(len(_viewer(run).samples), first, count))


def confusion(run: Run, most: int = MOST_SAMPLES) -> dict[str, Any]:
    """How often the net took which class for which, in the run's test data, of at most `most` samples."""
    found = _evaluated(**run, most=most)
    accuracy, scores = found.accuracy, found.by_class
    return {
        "classes": list(found.classes),
        "matrix": found.confusion.tolist(),
        "samples": found.samples,
        "left_out": found.left_out,
        "ignored": found.ignored,
        "accuracy": {"value": accuracy.value, "low": accuracy.low, "high": accuracy.high},
        "log_loss": found.log_loss,
        "macro_f1": found.macro_f1,
        "calibration_error": found.calibration.error,
        "precision": [_finite(v) for v in scores.precision],
        "recall": [_finite(v) for v in scores.recall],
        "f1": [_finite(v) for v in scores.f1],
        "suspects": len(found.suspects),
        "notes": list(found.notes),
    }


def mistakes(
    run: Run, actual: int = -1, predicted: int = -1, first: int = 0, count: int = 60, most: int = MOST_SAMPLES
) -> dict[str, Any]:
    """The samples of class `actual` that were taken for `predicted`, the most certain first; -1: all
    mistakes, of any class or taken for any.  Where both are one class, those that were right, the least
    certain first."""
    found = _evaluated(**run, most=most)
    judged, classes = found.judged, len(found.classes)
    for number in (actual, predicted):
        if not -1 <= number < classes:
            raise DataError(f"class {number}; expected 0 to {classes - 1}, or -1 for any")
    right = actual == predicted != -1
    fits = judged.right if right else ~judged.right
    for values, number in ((judged.actual, actual), (judged.predicted, predicted)):
        fits = fits & ((values == number) | (number == -1))
    rows = np.flatnonzero(fits)
    rows = rows[np.argsort(judged.certainty[rows] * (1 if right else -1), kind="stable")]
    suspect = set(found.suspects.tolist())
    shown = rows[first : first + min(count, MOST)].tolist()
    return {
        "total": len(rows),
        "first": first,
        "labels": list(found.classes),
        "samples": [
            {
                "number": int(found.number[row]),
                "name": found.names.get(row, str(found.number[row])),
                "label": int(judged.actual[row]),
                "predicted": int(judged.predicted[row]),
                "certainty": float(judged.certainty[row]),
                "certainty_of_label": float(judged.likelihood[row]),
                "suspect": row in suspect,
            }
            for row in shown
        ],
        **_layout(len(shown)),
    }


def mistaken(run: Run, **which: Any) -> bytes:
    """The pictures of `mistakes`; DataError if there is none."""
    return pictures(run, [sample["number"] for sample in mistakes(run, **which)["samples"]])


@lru_cache(maxsize=4)
def _evaluated(net: str, folder: str, weights: str, stamp: str, most: int) -> Evaluation:
    if most < 1:
        raise DataError(f"of {most} samples; expected 1 or more")
    built = Net(run_net.read(net, folder), phase="TEST", source=net, folder=folder, seed=1, forward_only=True)
    built.load(weights, must_match=True)
    items = max((blobs[0].shape[0] for blobs in built.tops if blobs and blobs[0].shape), default=1)
    return evaluate(built, weights=weights, batches=math.ceil(most / max(1, items)))


def _viewer(run: Run) -> Any:
    return stepper(run["net"], run["folder"], run["weights"], run["stamp"], "auto")


def _stretch(total: int, first: int, count: int) -> list[int]:
    if not total:
        raise DataError("the run's test data is not here, or does not hand out its images one by one")
    if not 0 <= first < total or count < 1:
        raise DataError(f"{count} images from {first} on; there are {total}")
    return list(range(first, min(total, first + min(count, MOST))))


def _layout(count: int) -> dict[str, Any]:
    return {"tile": [SIDE, SIDE], "columns": min(10, max(1, count))}


def _white(found: Samples) -> float:
    """What a white pixel is in the data: 255, or the highest value of dim images."""
    highest = max(float(found.read(i)[0].max()) for i in range(min(len(found), 50)))
    return highest if highest <= 64 else 255.0


def _sprite(images: list[np.ndarray], white: float) -> bytes:
    from PIL import Image

    columns = _layout(len(images))["columns"]
    sheet = Image.new("RGB", (columns * SIDE, math.ceil(len(images) / columns) * SIDE))
    for i, image in enumerate(images):
        pixels = np.clip(image.astype(np.float32) * (255 / white), 0, 255).astype(np.uint8)
        pixels = pixels[::-1] if len(pixels) == 3 else np.repeat(pixels[:1], 3, axis=0)
        height, width = pixels.shape[1:]
        if max(height, width) <= SIDE:  # small images stay sharp
            zoom = SIDE // max(height, width)
            tile = Image.fromarray(pixels.transpose(1, 2, 0).copy())
            tile = tile.resize((width * zoom, height * zoom), Image.Resampling.NEAREST)
        else:
            tile = Image.fromarray(fit(pixels, (SIDE, SIDE), "fill").transpose(1, 2, 0).copy())
        x, y = i % columns * SIDE, i // columns * SIDE
        sheet.paste(tile, (x + (SIDE - tile.width) // 2, y + (SIDE - tile.height) // 2))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
