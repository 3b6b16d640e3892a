"""What the worker does for the page Try: images to classes, boxes or a map of classes; photos read.

Every function takes a run, plain data, as in `picking`; one whose net is "" is the net that the package reads
handwriting with.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..data import images
from ..errors import ConfigError, DataError, MiniCaffeError, ShapeError
from ..inference import ground, heads
from ..inference.classifier import Classifier
from ..inference.detector import Detector
from ..inference.segmenter import Segmenter
from ..proto.schema import Message
from ..reading import arithmetic
from ..reading.photo import LARGE_PX, MOST_PIXELS
from ..reading.read import read as read_photo
from ..reading.recognizer import SHIPPED, Recognizer
from ..reading.steps import Recorder
from . import drawn, run_net, tiles

Run = dict[str, Any]
Working = Classifier | Detector | Segmenter
SHOWN_PX = 900  # longer side of a picture that is sent to the page
INK = 1 / 255  # the package's reader takes ink from 0 to 1


@lru_cache(maxsize=2)
def _working(net: str, folder: str, weights: str, stamp: str, invert: str) -> Working:
    """The net at work at what it is for."""
    if not net:
        shipped = SHIPPED / "reader.prototxt"
        return Classifier(shipped, SHIPPED / "reader.caffemodel", scale=INK, invert=invert)
    param = run_net.read(net, folder)
    if _detects(param):
        return Detector(param, weights, invert=invert)
    try:
        return Classifier(param, weights, invert=invert)
    except (ShapeError, ConfigError) as error:
        try:
            return Segmenter(param, weights, invert=invert)
        except MiniCaffeError:
            raise error from None


def _detects(param: Message) -> bool:
    return any(layer.type in heads.ROWS for layer in param.layer) or heads.has_regions(param.layer)


def _net(run: Run, invert: str = "auto") -> Working:
    return _working(run["net"], run["folder"], run["weights"], run["stamp"], invert)


@lru_cache(maxsize=2)
def _manner(net: str, folder: str, weights: str, stamp: str) -> drawn.Manner:
    return drawn.manner_of(_working(net, folder, weights, stamp, "auto"))


def attempt(
    run: Run, image: bytes, top: int = 5, invert: str = "auto", pen_px: float = 0.0, threshold: float = 0.5
) -> dict[str, Any]:
    """What a net says of an image, the bytes of a file.

    pen_px  above 0: it is a drawing, light on dark, whose strokes are so wide; it is placed as in training
    """
    net = _net(run, "no" if pen_px > 0 else invert)
    pixels = net.pixels(image)
    if isinstance(net, Detector):
        return _boxes(net, pixels, threshold)
    if isinstance(net, Segmenter):
        return _map(net, pixels)
    if pen_px > 0 and net.channels == 1:
        if not pixels.any():
            raise DataError("nothing is drawn", hint="draw a stroke, or drop an image")
        manner = _manner(run["net"], run["folder"], run["weights"], run["stamp"])
        pixels = drawn.placed(pixels[0] / 255.0, net.preparation.size, manner, pen_px)
        if net.expected_ground() == ground.LIGHT:
            pixels = 255 - pixels
    answer = net.classify(pixels, top=top)
    seen = net.preparation(net.fitted(pixels)[0][None])
    picture = tiles.Sheet(tiles.of_blob(seen, image=True))
    return {
        "kind": "classes",
        "values": net.kind,
        "top": [{"number": c.number, "label": c.label, "value": c.value} for c in answer.classes],
        "classes": net.classes,
        "inverted": answer.inverted,
        "size": list(answer.size),
        "input": list(seen.shape[1:]),
        "range": [float(seen.min()), float(seen.max())],
        "forward_ms": answer.forward_ms,
        "decode_ms": answer.decode_ms,
        "seen": picture.png(),
    }


def _boxes(net: Detector, pixels: np.ndarray, threshold: float) -> dict[str, Any]:
    net.threshold = threshold
    sight = net.detect(pixels)
    things = [
        {"label": t.label, "number": t.number, "score": t.score, "box": list(t.box)} for t in sight.things
    ]
    return {
        "kind": "boxes",
        "things": things,
        "size": list(sight.size),
        "forward_ms": sight.forward_ms,
        "seen": _png(pixels),
    }


def _map(net: Segmenter, pixels: np.ndarray) -> dict[str, Any]:
    found = net.segment(pixels)
    total = sum(found.counts) or 1
    shown = [
        {"number": i, "label": net.labels[i], "value": n / total, "colour": net.palette[i].tolist()}
        for i, n in enumerate(found.counts)
        if n
    ]
    return {
        "kind": "map",
        "top": sorted(shown, key=lambda c: -c["value"]),
        "size": list(found.size),
        "forward_ms": found.forward_ms,
        "seen": net.overlay(found),
    }


def classify(run: Run, given: Sequence[bytes], top: int = 5) -> list[dict[str, Any]]:
    """Labels with certainties, the likeliest first, of every image; or why there are none."""
    net = _net(run)
    if not isinstance(net, Classifier):
        raise ConfigError("the net does not say which class an image is of", hint="take a net of classes")
    return [
        {"error": answer.error, "predictions": [[c.label, c.value] for c in answer.classes]}
        for answer in net.answers(list(given), top=top or net.classes)
    ]


def reading(image: bytes) -> dict[str, Any]:
    """The lines of a photo of handwriting, and the steps that led to them, as pictures."""
    start = time.perf_counter()
    planes = images.decode(image, images.Channels.COLOR, least_px=LARGE_PX, most_pixels=MOST_PIXELS)
    recorder = Recorder()
    page = read_photo(
        np.ascontiguousarray(planes[::-1].transpose(1, 2, 0)), recognizer=_recognizer(), steps=recorder
    )
    return {
        "page": page.as_json(),
        "text": page.text,
        "equations": [check._asdict() for check in arithmetic.checks(page)],
        "ms": 1000 * (time.perf_counter() - start),
        "steps": [{"name": name, "png": _small(content)} for name, content in recorder.files().items()],
    }


@lru_cache(maxsize=1)
def _recognizer() -> Recognizer:
    return Recognizer()


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    planes = pixels[::-1] if len(pixels) == 3 else np.repeat(pixels[:1], 3, axis=0)
    return _encoded(Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0))))


def _small(content: bytes) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        return _encoded(picture)


def _encoded(picture: Any) -> bytes:
    from PIL import Image

    share = SHOWN_PX / max(picture.size)
    if share < 1:
        size = (math.ceil(picture.width * share), math.ceil(picture.height * share))
        picture = picture.resize(size, Image.Resampling.BOX if picture.mode != "P" else 0)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
