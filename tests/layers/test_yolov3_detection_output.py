"""Yolov3DetectionOutput."""

import numpy as np
import pytest

from minicaffe.errors import ConfigError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward
from .test_yolo_detection_output import decoded, kept, logistic, logits

BIASES = np.array([[20, 30], [40, 20], [60, 60], [90, 70]], float)  # in pixels


def case(
    *maps, mask=(2, 3, 0, 1), scales=(32, 16), threshold=0.4, n=1, classes=2, groups=None, fields=""
) -> Case:  # fmt: skip
    numbers = {"biases": [f"{b:g}" for b in BIASES.ravel()], "mask": mask, "anchors_scale": scales}
    lists = " ".join(f"{name}: {value}" for name, values in numbers.items() for value in values)
    said = f"num_classes: {classes} num_box: 2 mask_group_num: {groups or len(maps)} {lists} {fields}"
    return Case(
        'type: "Yolov3DetectionOutput" yolov3_detection_output_param '
        f"{{ {said} confidence_threshold: {threshold} }}",
        tuple((n, 2 * (5 + classes), *size) for size in maps),
        (logits,) * len(maps), phase="TEST", gradient=False,
    )  # fmt: skip


CASES = [
    case((1, 2), (2, 3), n=2),
    case((3, 3), mask=(1, 2), scales=(8,), threshold=0.2),
    case((1, 2), (1, 1), threshold=1),
]


def detect(*maps, mask=(2, 3, 0, 1), scales=(32, 16), threshold=0.4):
    rows = []
    for image in range(len(maps[0])):
        found = []
        for x, scale, part in zip(maps, scales, np.reshape(mask, (len(maps), -1))):
            for box, sure, classes in decoded(x[image], BIASES[part] / scale):
                scores = sure * logistic(classes)
                found += [(score, c, box) for c, score in enumerate(scores) if score > threshold]
        rows += [[image, *row] for row in kept(found, np.float64(np.float32(0.45)))]
    return np.array(rows or [[i, *[-1] * 6] for i in range(len(maps[0]))], float)[None, None]


@each_device
def test_formula(device):
    options = {"threshold": np.float64(np.float32(0.4))}
    check_forward(CASES[0], device, lambda *x: detect(*x, **options))
    options = {"mask": (1, 2), "scales": (8,), "threshold": np.float64(np.float32(0.2))}
    check_forward(CASES[1], device, lambda *x: detect(*x, **options))
    check_forward(CASES[2], device, lambda *x: detect(*x, threshold=1))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (case((1, 1), (1, 1), classes=0), "num_classes must be set"),
        (case((1, 1), (1, 1), groups=3), "mask_group_num is 3; there are 2 bottoms"),
        (
            case((1, 1), (1, 1), scales=(8,)),
            r"anchors_scale must be a number above 0 for each of 2.*got \[8\]",
        ),
        (case((1, 1), (1, 1), mask=(0, 1, 2)), r"mask must have 2 numbers, num_box, for each of 2 bottoms"),
        (case((1, 1), mask=(3, 4), scales=(8,)), "for each of 5 anchors; got 8"),
        (case((1, 1), (1, 1), fields="gaussian_box: true"), "gaussian_box is not supported"),
    ],
)
def test_refuses(cpu, wrong, message):
    with pytest.raises(ConfigError, match=message):
        Rig(wrong, cpu)
