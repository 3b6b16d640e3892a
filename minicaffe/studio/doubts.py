"""Labels of a data set that a trained net doubts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError
from ..inference.classifier import Classifier
from ..reports import metrics
from .sprites import Shown, as_bytes
from .stored import Part, opened_set

MOST_IMAGES = 5000  # of a part
MOST_S = 40.0  # that it takes: who asks waits for it
MOST_SHOWN = 60


def doubts(where: str, version: str, net: str, weights: str, stamp: str) -> dict[str, Any]:
    """The images whose label the net contradicts with more certainty than it usually has for the class it
    says (reports.metrics.suspects), the most certain first, as a group of `suspects`.

    net, weights  files of a run; `stamp` changes with the weights

    ConfigError for images with boxes, and for a net of fewer classes than the set has.
    """
    found = opened_set(where, version)
    if any(part.boxed for part in found.parts.values()):
        raise ConfigError("a net of classes says nothing about boxes")
    shown, total, of = [], 0, 0
    until = time.monotonic() + MOST_S
    for name, part in found.parts.items():
        p, labels = _asked(_classifier(net, weights, stamp, part.white), part, until)
        total, of = total + len(p), of + len(part)
        judged = metrics.judge(p, labels)
        for row in metrics.suspects(judged, p.shape[1]).tolist():
            says, sure = int(judged.predicted[row]), float(judged.certainty[row])
            shown.append(
                {"part": name, "index": row, "labels": [int(labels[row])], "says": says, "sure": sure}
            )
    shown.sort(key=lambda one: -one["sure"])
    return {
        "kind": "doubts",
        "title": "Labels that the net doubts",
        "why": "It says another class, and is as certain as it usually is of that.",
        "count": len(shown),
        "images": shown[:MOST_SHOWN],
        "looked_at": total,
        "of": of,
    }


def _asked(classifier: Classifier, part: Part, until: float) -> tuple[np.ndarray, np.ndarray]:
    """What the net says of the first images of a part, (N, classes), and their labels, (N,); N is as many
    as there is time for."""
    count = min(len(part), MOST_IMAGES)
    labels = np.array([part.labels[index][0] for index in range(count)], np.int64)
    if labels.size and labels.max() >= classifier.classes:
        raise ConfigError(
            f"the net has {classifier.classes} classes; the labels go to {labels.max()}",
            hint="choose a run that was trained with such labels",
        )
    p, done = np.zeros((count, classifier.classes), np.float32), 0

    def images() -> Iterator[np.ndarray]:
        for index in range(count):
            if time.monotonic() > until:
                return
            yield as_bytes(Shown(part.images.read(index)[0], part.white))

    for row, answer in enumerate(classifier.answers(images(), top=classifier.classes)):
        if answer.error:
            raise DataError(f"image {row}: {answer.error}")
        for one in answer.classes:
            p[row, one.number] = one.value
        done = row + 1
    return p[:done], labels[:done]


@lru_cache(maxsize=1)
def _classifier(net: str, weights: str, stamp: str, white: float) -> Classifier:
    """The net, which takes images as those of the set are: neither inverted, nor of another white."""
    found = Classifier(net, weights, invert="no", raw_scale=white)
    if found.kind == "score":
        raise ConfigError("the net ends in no Softmax: it does not say how certain it is")
    return found
