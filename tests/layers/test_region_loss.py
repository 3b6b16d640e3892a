"""RegionLoss."""

import math

import numpy as np
import pytest

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward
from .test_yolo_detection_output import BIASES, logistic, logits, overlap

CLASSES = 3
THRESH = float(np.float32(0.2))  # the default, in single precision


def centres(shape, rng):
    """Two objects of every image, and room for more."""
    rows = np.zeros((shape[0], shape[1] // 5, 5))
    rows[:, :2, 0] = rng.integers(0, CLASSES, (shape[0], 2))
    rows[:, :2, 1:3] = rng.uniform(0.05, 0.95, (shape[0], 2, 2))
    rows[:, :2, 3:] = rng.uniform(0.1, 0.9, (shape[0], 2, 2))
    return rows.reshape(shape)


def corners(shape, rng):
    low = rng.uniform(0, 0.5, (shape[2], 2))
    high = low + rng.uniform(0.1, 0.5, (shape[2], 2))
    image, label = rng.integers(-1, 2, (shape[2], 1)), rng.integers(1, CLASSES + 1, (shape[2], 1))
    return np.hstack([image, label, 0 * label, low, high, 0 * label])[None, None]


def case(fields: str = "", intel: bool = False, size=(3, 4), n: int = 2) -> Case:
    biases = " ".join(f"biases: {b}" for b in BIASES)
    layer = f'type: "RegionLoss" region_loss_param {{ num_class: {CLASSES} num: 2 {biases} {fields} }}'
    shapes = (n, 2 * (5 + CLASSES), *size), (1, 1, 7, 8) if intel else (n, 20)
    makers = logits, corners if intel else centres
    return Case(layer, shapes, makers, gradient=False, growing=(0, 2 if intel else 0))


FIELDS = {
    "thresh: 0.125 object_scale: 5 noobject_scale: 0.75 class_scale: 2 coord_scale: 0.5 rescore: 0": {
        "thresh": 0.125, "sure": 5, "noobject": 0.75, "kind": 2, "coord": 0.5, "rescore": False,
    },
    "thresh: 0.25 bias_match: 0": {"thresh": 0.25, "match": False},
}  # fmt: skip
CASES = [case(fields, intel) for intel in (False, True) for fields in FIELDS] + [case(size=(2, 2), n=1)]


def objects_of(image, labels):
    """[class, x, y, w, h]."""
    if labels.ndim == 4:
        for row in labels.reshape(-1, 8):
            if row[0] == image:
                yield int(row[1]) - 1, *(row[3:5] + row[5:7]) / 2, *row[5:7] - row[3:5]
    else:
        for row in labels[image].reshape(-1, 5):
            if row[3] == 0:
                return
            yield int(row[0]), *row[1:]


def deltas(x, labels, *, passes=3, thresh=THRESH, sure=1, noobject=0.5, kind=1, coord=5,
           rescore=True, match=True):  # fmt: skip
    intel, d = labels.ndim == 4, np.zeros(x.shape)
    anchors, (n, _, h, w) = np.reshape(BIASES, (2, 2)), x.shape
    said, out = x.reshape(n, 2, -1, h, w), d.reshape(n, 2, -1, h, w)

    def box(image, a, i, j):
        v = said[image, a, :, i, j]
        centre = (j + logistic(v[0])) / w, (i + logistic(v[1])) / h
        return [*centre, *np.exp(v[2:4]) * anchors[a] / [w, h]]

    def move(image, a, i, j, target, weight, limit=math.inf):
        v, o = said[image, a, :, i, j], out[image, a, :, i, j]
        s = logistic(v[:2])
        t = np.array(target[:2]) * [w, h] - [j, i] - s
        o[:2] = -weight * np.clip(t, -limit, limit) * s * (1 - s)
        t = np.log(np.array(target[2:]) * [w, h] / anchors[a]) - v[2:4]
        o[2:4] = -weight * np.clip(t, -limit, limit)

    for image, a, i, j in np.ndindex(n, 2, h, w):
        p = logistic(said[image, a, 4, i, j])
        covered = max((overlap(box(image, a, i, j), o[1:]) for o in objects_of(image, labels)), default=0)
        out[image, a, 4, i, j] = 0 if covered > thresh else noobject * p * p * (1 - p)
        if not intel and passes < 12800 // n:
            own = [(j + 0.5) / w, (i + 0.5) / h, *anchors[a] / [w, h]]
            move(image, a, i, j, own, 0.01)
    for image in range(n):
        for label, *target in objects_of(image, labels):
            j, i = int(target[0] * w), int(target[1] * h)
            sizes = [anchors[a] / [w, h] if match else box(image, a, i, j)[2:] for a in (0, 1)]
            a = int(np.argmax([overlap([0, 0, *size], [0, 0, *target[2:]]) for size in sizes]))
            v, o = said[image, a, :, i, j], out[image, a, :, i, j]
            p, q = logistic(v[4]), np.exp(v[5:]) / np.exp(v[5:]).sum()
            if intel:
                move(image, a, i, j, target, coord, limit=1)
                o[4] = -sure * 2 * (1 - p) ** 3 * p * (1 - p)
            else:
                move(image, a, i, j, target, coord if rescore else coord * (2 - target[2] * target[3]))
                wanted = overlap(box(image, a, i, j), target) if rescore else 1
                o[4] = -sure * (wanted - p) * p * (1 - p)
            o[5:] = kind * (q - (np.arange(CLASSES) == label))
    return d


@each_device
def test_formula(device):
    options = [*FIELDS.values(), *FIELDS.values(), {}]
    for case, option in zip(CASES, options, strict=True):
        n = 1 if "objects" not in case.layer and case.shapes[1][:2] == (1, 1) else case.shapes[0][0]
        check_forward(case, device, lambda *b, o=option, n=n: [np.array((deltas(*b, **o) ** 2).sum() / n)])


@each_device
def test_the_gradient_is_the_deltas(device):
    for case, option in (
        (CASES[0], FIELDS[next(iter(FIELDS))]),
        (CASES[3], {"thresh": 0.25, "match": False}),
    ):
        rig = Rig(case, device)
        arrays = case.arrays()
        rig.forward(arrays)
        rig.put(np.array(1.5), rig.top[0], "diff")
        (dx, _), _ = rig.backward()
        np.testing.assert_allclose(dx, deltas(*arrays, **option) * 1.5 / 2, rtol=1e-9, atol=1e-12)


def test_boxes_are_drawn_to_anchors_at_first(cpu):
    one = case(n=2)
    rig = Rig(one, cpu)
    rig.passes = 6400
    arrays = one.arrays()
    np.testing.assert_allclose(
        rig.forward(arrays), [(deltas(*arrays, passes=6400) ** 2).sum() / 2], rtol=1e-12
    )  # fmt: skip
    rig.passes = 6399
    assert rig.forward(arrays)[0] > (deltas(*arrays, passes=6400) ** 2).sum() / 2


def test_an_object_outside_belongs_to_the_nearest_cell(cpu):
    one = case(n=1, size=(2, 2))
    x, _ = one.arrays()
    labels = np.zeros((1, 20))
    labels[0, :5] = 1, 1.0, -0.1, 0.3, 0.3
    rig = Rig(one, cpu)
    rig.forward([x, labels])
    rig.put(np.array(1.0), rig.top[0], "diff")
    (dx, _), _ = rig.backward()
    classes = dx.reshape(2, 8, 2, 2)[:, 5:].any(axis=(0, 1))
    np.testing.assert_array_equal(classes, [[False, True], [False, False]])


def test_refuses(cpu):
    for fields, message in [
        ("coords: 5", "coords 4 and softmax 1; got 5 and 1"),
        ('softmax_tree: "t"', "softmax_tree is not supported"),
        ('class_map: "t"', "class_map is not supported"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Rig(case(fields), cpu)
    for shapes, message in [
        (((2, 15, 2, 2), (2, 5)), r"bottom 0 must be \(n, 16, h, w\)"),
        (
            ((2, 16, 2, 2), (1, 5)),
            r"bottom 1 must be \(2, objects \* 5\) or \(1, 1, objects, 8\); got \(1, 5\)",
        ),
        (((2, 16, 2, 2), (2, 6)), r"got \(2, 6\)"),
    ]:
        with pytest.raises(ShapeError, match=message):
            Rig(Case(CASES[0].layer, shapes, gradient=False), cpu)


@each_device
def test_says_which_class_is_none(device):
    x, labels = CASES[0].arrays()
    labels[1, 5] = 3
    with pytest.raises(DataError, match=r"class 3 at \[1, 5\] of bottom 1: there are the classes 0 to 2"):
        Rig(CASES[0], device).forward([x, labels])
    x, labels = CASES[2].arrays()
    labels[0, 0, 4, :2] = 1, 0
    with pytest.raises(
        DataError, match=r"class 0 at \[0, 0, 4, 1\] of bottom 1: there are the classes 1 to 3"
    ):
        Rig(CASES[2], device).forward([x, labels])
