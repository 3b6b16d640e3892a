"""DetectionEvaluate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.boxes import objects, overlap
from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward


def found(images: int, classes: int):
    """Boxes found, like objects of a few corners alone, so that some lie well."""

    def make(shape, rng) -> np.ndarray:
        rows = shape[2]
        table = np.zeros((rows, 7))
        table[:, 0], table[:, 1] = rng.integers(0, images, rows), rng.integers(1, classes, rows)
        table[:, 2] = rng.permutation(rows) / rows
        table[:, 3:7] = corners(rows, rng)
        return table.reshape(shape)

    return make


def corners(rows: int, rng) -> np.ndarray:
    low = rng.integers(0, 2, (rows, 2)) / 4 + rng.uniform(0, 0.05, (rows, 2))
    return np.concatenate([low, low + 0.4], axis=1)


def truth(images: int, classes: int):
    make = objects(images, classes, difficult=0.3)

    def near(shape, rng) -> np.ndarray:
        table = make(shape, rng)
        table[..., 3:7] = corners(shape[2], rng)
        return table

    return near


def evaluate(fields: str = "", rows=(9, 5), classes: int = 3, images: int = 2, background: int = 0) -> Case:
    layer = f'type: "DetectionEvaluate" detection_evaluate_param {{ num_classes: {classes} {fields} }}'
    shapes = (1, 1, rows[0], 7), (1, 1, rows[1], 8)
    makers = found(images, classes), truth(images, classes)
    return Case(layer, shapes, makers, phase="TEST", gradient=False, growing=(2, 2))


CASES = [
    evaluate(),
    evaluate("evaluate_difficult_gt: false overlap_threshold: 0.75", (20, 12)),
    evaluate("", (1, 1), classes=2),
]


def reference(boxes, truth, *, classes=3, difficult=True, threshold=0.5, measure=overlap):
    boxes, truth = boxes.reshape(-1, 7), truth.reshape(-1, 8)
    truth = truth[truth[:, 0] >= 0]
    rows = []
    for c in range(1, classes):
        rows.append((-1, c, sum(row[1] == c and (difficult or not row[7]) for row in truth), -1, -1))
    for image in sorted({row[0] for row in boxes}):
        for c in range(1, classes):
            own = [row for row in boxes if row[0] == image and row[1] == c]
            wanted = [row for row in truth if row[0] == image and row[1] == c]
            if wanted:
                own.sort(key=lambda row: -row[2])
            taken = set()
            for row in own:
                shares = [measure(row[3:7], other[3:7]) for other in wanted]
                best = int(np.argmax(shares)) if shares else -1
                right, wrong = 0, 1
                if shares and shares[best] >= threshold:
                    right, wrong = int(best not in taken), int(best in taken)
                    taken.add(best)
                    if wanted[best][7] and not difficult:
                        right = wrong = 0
                rows.append((image, c, row[2], right, wrong))
    return np.array(rows, float)[None, None]


@each_device
@given(
    rows=st.tuples(st.integers(1, 30), st.integers(1, 14)), classes=st.integers(2, 4),
    images=st.integers(1, 3), difficult=st.booleans(), threshold=st.sampled_from([0.25, 0.5, 0.75]),
)  # fmt: skip
def test_formula(device, rows, classes, images, difficult, threshold):
    fields = f"evaluate_difficult_gt: {str(difficult).lower()} overlap_threshold: {threshold}"
    options = {"classes": classes, "difficult": difficult, "threshold": threshold}
    one = evaluate(fields, rows, classes, images)
    check_forward(one, device, lambda *x: reference(*x, **options))


def test_rows_change_from_pass_to_pass(cpu):
    """What DetectionOutput gives where it finds nothing is nothing; and boxes found may grow again."""
    rig = Rig(CASES[0], cpu)
    boxes, truth = CASES[0].arrays()
    nothing = np.full_like(boxes, -1)
    nothing[..., 0] = 0
    counts = [rig.forward([x, truth])[0].shape[2] for x in (boxes, nothing, boxes)]
    assert counts == [11, 2, 11]


def test_without_objects_rows_keep_their_order(cpu):
    boxes, truth = CASES[0].arrays()
    (rows,) = Rig(CASES[0], cpu).forward([boxes, np.full_like(truth, -1)])
    own = boxes[0, 0]
    wanted = [(*row[:3], 0, 1) for row in own[np.lexsort((own[:, 1], own[:, 0]))]]
    np.testing.assert_array_equal(rows[0, 0, 2:], wanted)


def test_in_pixels(cpu, tmp_path):
    """In an image of 10 by 20 pixels two boxes of 64 have (2 + 1)(8 + 1) in common; in large ones 1 / 4."""
    sizes = tmp_path / "sizes.txt"
    sizes.write_text("a 10 20\nb 1000 1000\n")
    case = evaluate(f'name_size_file: "{sizes}" overlap_threshold: 0.2', (1, 1), images=1)
    rig = Rig(case, cpu)
    boxes = np.array([[[[0, 1, 0.9, 0, 0, 0.4, 0.8]]]])
    truth = np.array([[[[0, 1, 0, 0.3, 0, 0.7, 0.8, 0]]]])
    for wanted in (27 / (128 - 27), 1 / 7, 27 / (128 - 27)):  # the list begins again
        (rows,) = _forward(rig, boxes, truth)
        assert rows[0, 0, 2, 3] == (wanted >= 0.2)


def test_boxes_of_any_size(cpu, recwarn):
    """An untrained net's may be as large as numbers go: nothing warns, and they are wrong."""
    one = evaluate("", (3, 1), images=1)
    vast = [(0, 1, 0.9, -3e38, -3e38, 3e38, 3e38), (0, 1, 0.8, *[np.inf] * 4), (0, 1, 0.7, *[np.nan] * 4)]
    arrays = np.array([[vast]]), np.array([[[[0, 1, 0, 0.3, 0, 0.7, 0.8, 0]]]])
    for dtype in (np.float32, np.float64):
        (rows,) = Rig(one, make_device("cpu", dtype)).forward(arrays)
        np.testing.assert_array_equal(rows[0, 0, 2:, 3:], [[0, 1]] * 3)
    assert not recwarn.list


def _forward(rig, *arrays):
    """Without reset_state, which starts the list anew."""
    for blob, array in zip(rig.bottom, arrays):
        rig.put(array, blob)
    rig.layer.forward(rig.bottom, rig.top)
    return [rig.get(blob) for blob in rig.top]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 10 20\nb ten 20\n", r"sizes.txt:2: expected NAME HEIGHT WIDTH; got 'b ten 20'"),
        ("a 10\n", "sizes.txt:1: expected NAME HEIGHT WIDTH"),
        ("", "has no sizes of images"),
    ],
)
def test_refuses_sizes(cpu, tmp_path, text, message):
    path = tmp_path / "sizes.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        Rig(evaluate(f'name_size_file: "{path}"'), cpu)


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="num_classes must be at least 1"):
        Rig(evaluate(classes=0), cpu)
    with pytest.raises(ConfigError, match="resize_param is not supported"):
        Rig(evaluate("resize_param { height: 300 width: 300 }"), cpu)
    with pytest.raises(ShapeError, match=r"bottom 1 must be \(1, 1, rows, 8\); got \(1, 1, 3, 7\)"):
        Rig(Case(CASES[0].layer, ((1, 1, 2, 7), (1, 1, 3, 7)), gradient=False), cpu)
    boxes, truth = CASES[0].arrays()
    for i in (0, 1):
        arrays = [boxes.copy(), truth.copy()]
        arrays[i][..., 0, 1] = 0
        arrays[i][..., 0, 0] = 0
        with pytest.raises(DataError, match=f"bottom {i} has rows of class 0, the background"):
            Rig(CASES[0], cpu).forward(arrays)
