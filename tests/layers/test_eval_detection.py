"""EvalDetection."""

import numpy as np
import pytest

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward
from .test_yolo_detection_output import BIASES, decoded, logits, overlap

CLASSES, SIDE = 3, 3


def objects(shape, rng):
    """Of two images and none: image, class, instance, corners, difficult."""
    low = rng.uniform(0, 0.5, (shape[2], 2))
    high = low + rng.uniform(0.2, 0.5, (shape[2], 2))
    image, label = rng.integers(-1, 2, (shape[2], 1)), rng.integers(1, CLASSES + 1, (shape[2], 1))
    return np.hstack([image, label, 0 * label, low, high, 0 * label])[None, None]


def case(fields: str = "", count: int = 6, n: int = 2, side: int = SIDE, anchors: int = 2) -> Case:
    biases = " ".join(f"biases: {b}" for b in BIASES)
    said = f"side: {side} num_class: {CLASSES} num_object: {anchors} {biases} {fields}"
    return Case(
        f'type: "EvalDetection" eval_detection_param {{ {said} }}',
        ((n, 2 * (5 + CLASSES), SIDE, SIDE), (1, 1, count, 8)),
        (logits, objects), phase="TEST", gradient=False, growing=(0, 2),
    )  # fmt: skip


CASES = [
    case("nms: 0.5 threshold: 0.25"),
    case("score_type: OBJ threshold: 0.125"),
    case("score_type: PROB nms: 0.25", count=2),
]


def evaluate(x, labels, *, kind="MULTIPLY", nms=-1.0, threshold=0.5):
    out = np.zeros((len(x), CLASSES + SIDE * SIDE * 2 * 4))
    for image, result in enumerate(out):
        truth = [
            (int(row[1]) - 1, [*(row[3:5] + row[5:7]) / 2, *row[5:7] - row[3:5]])
            for row in labels.reshape(-1, 8) if row[0] == image
        ]  # fmt: skip
        for label, _ in truth:
            result[label] += 1
        found = []
        for box, sure, classes in decoded(x[image], np.reshape(BIASES, (2, 2))):
            shares = np.exp(classes) / np.exp(classes).sum()
            score = {"OBJ": sure, "PROB": shares.max(), "MULTIPLY": sure * shares.max()}[kind]
            found.append((score, int(shares.argmax()), box))
        found.sort(key=lambda f: -f[0])
        if nms >= 0:
            left, found = found, []
            for one in left:
                if all(overlap(one[2], other[2]) < nms for other in found):
                    found.append(one)
        hit, place = set(), CLASSES
        for score, label, box in sorted(found, key=lambda f: f[1]):
            if score < 0.005:
                continue
            mine = [(overlap(box, b), k) for k, (c, b) in enumerate(truth) if c == label]
            covered, nearest = max(mine, key=lambda pair: pair[0], default=(-1, None))
            right = covered >= threshold and nearest not in hit
            hit |= {nearest} if right else set()
            result[place : place + 4] = label, score, right, not right
            place += 4
    return out


@each_device
def test_formula(device):
    check_forward(CASES[0], device, lambda *x: evaluate(*x, nms=0.5, threshold=0.25))
    check_forward(CASES[1], device, lambda *x: evaluate(*x, kind="OBJ", threshold=0.125))
    check_forward(CASES[2], device, lambda *x: evaluate(*x, kind="PROB", nms=0.25))


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="for each of 3 anchors; got 4"):
        Rig(case(anchors=3), cpu)
    with pytest.raises(
        ShapeError, match=r"bottom 0 must have 4 rows and columns of cells; got \(2, 16, 3, 3\)"
    ):
        Rig(case(side=4), cpu)
    with pytest.raises(ShapeError, match="bottom 1 must hold objects of 8 numbers"):
        Rig(Case(CASES[0].layer, (CASES[0].shapes[0], (1, 1, 1, 7)), gradient=False), cpu)
    rig = Rig(CASES[0], cpu)
    for column, value in ((0, 2), (1, -1), (1, 4)):
        x, labels = rig.case.arrays()
        labels[0, 0, 3] = [0, 1, 0, 0, 0, 0.5, 0.5, 0]
        labels[0, 0, 3, column] = value
        with pytest.raises(DataError, match="expected image 0 to 1 and class 1 to 3"):
            rig.forward([x, labels])
