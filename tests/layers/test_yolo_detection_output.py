"""YoloDetectionOutput."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward

BIASES = [1.0, 1.5, 2.5, 2.0]  # widths and heights of two anchors, in cells


def logits(shape, rng):
    return rng.normal(0, 1.2, shape)


def case(
    *maps: tuple[int, int], n: int = 2, classes: int = 3, threshold: float = 0.3, nms: float = 0.45
) -> Case:
    anchors = " ".join(f"biases: {b}" for b in BIASES)
    fields = (
        f"num_classes: {classes} num_box: 2 confidence_threshold: {threshold} nms_threshold: {nms} {anchors}"
    )
    shapes = tuple((n, 2 * (5 + classes), h, w) for h, w in maps)
    layer = f'type: "YoloDetectionOutput" yolo_detection_output_param {{ {fields} }}'
    return Case(layer, shapes, (logits,) * len(maps), phase="TEST", gradient=False)


CASES = [case((3, 4)), case((2, 2), (4, 4), n=1), case((2, 2), threshold=1.5)]


def logistic(x):
    return 1 / (1 + np.exp(-x))


def decoded(x, sizes):
    """Of one image: box, object and logits of the classes of every anchor of every cell."""
    anchors, (_, h, w) = x.reshape(len(sizes), -1, *x.shape[1:]), x.shape
    for i, j, a in np.ndindex(h, w, len(sizes)):
        v = anchors[a, :, i, j]
        centre = (j + logistic(v[0])) / w, (i + logistic(v[1])) / h
        yield (*centre, *np.exp(v[2:4]) * sizes[a] / [w, h]), logistic(v[4]), v[5:]


def overlap(a, b):
    sides = [
        min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2) - max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2)
        for k in (0, 1)
    ]
    common = max(sides[0], 0) * max(sides[1], 0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)


def kept(found, nms):
    """Of [score, class, box] those that stay, as rows."""
    rows = []
    for score, label, box in sorted(found, key=lambda f: -f[0]):
        if all(overlap(box, other) < nms for _, _, other in rows):
            rows.append((score, label, box))
    return [
        [label + 1, score, x - w / 2, y - h / 2, x + w / 2, y + h / 2] for score, label, (x, y, w, h) in rows
    ]  # fmt: skip


def detect(*maps, threshold=0.3, nms=0.45):
    rows = []
    for image in range(len(maps[0])):
        found = []
        for x in maps:
            for box, sure, classes in decoded(x[image], np.reshape(BIASES, (2, 2))):
                shares = np.exp(classes) / np.exp(classes).sum()
                if sure * shares.max() >= threshold:
                    found.append((sure * shares.max(), shares.argmax(), box))
        rows += [[image, *row] for row in kept(found, nms)]
    return np.array(rows or [[i, *[-1] * 6] for i in range(len(maps[0]))], float)[None, None]


@each_device
def test_formula(device):
    for case, threshold in zip(CASES, (0.3, 0.3, 1.5)):
        limits = {"threshold": np.float64(np.float32(threshold)), "nms": np.float64(np.float32(0.45))}
        check_forward(case, device, lambda *x, o=limits: detect(*x, **o))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.sampled_from([0.125, 0.25]))
def test_every_size(h, w, classes, threshold):
    from ..support.devices import make_device

    one = case((h, w), classes=classes, threshold=threshold, nms=0.25)
    check_forward(one, make_device("cpu"), lambda *x: detect(*x, threshold=threshold, nms=0.25))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("num_box: 2", "num_classes must be set"),
        (
            "num_classes: 2 num_box: 2 biases: 1",
            "two numbers, width and height, for each of 2 anchors; got 1",
        ),
        ("num_classes: 2 num_box: 0", "num_box must be at least 1"),
        ("num_classes: 2 coords: 5", "coords must be 4; got 5"),
    ],
)
def test_refuses(cpu, fields, message):
    with pytest.raises(ConfigError, match=message):
        Rig(
            Case(f'type: "YoloDetectionOutput" yolo_detection_output_param {{ {fields} }}', ((1, 14, 2, 2),)),
            cpu,
        )


def test_refuses_shapes(cpu):
    for shape in ((2, 15, 2, 2), (2, 16, 4)):
        with pytest.raises(
            ShapeError, match=r"bottom 0 must be \(2, 16, h, w\), for 2 anchors and 3 classes"
        ):
            Rig(Case(CASES[0].layer, (shape,), gradient=False), cpu)
