"""SegAccuracy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, distinct, labels


def case(fields: str, *shape: int, count: int = 0) -> Case:
    layer = f'type: "SegAccuracy" seg_accuracy_param {{ {fields} }}'
    makers = distinct, labels(count or shape[1])
    return Case(layer, (shape, (shape[0], 1, *shape[2:])), makers, gradient=False)


CASES = [case("", 2, 3, 4, 4), case("ignore_label: 0 ignore_label: 2", 1, 4, 3, 2), case("", 5, 2)]


def scores(matrix):
    both, labelled, found = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    present, either = labelled > 0, labelled + found - both
    recall = (both[present] / labelled[present]).mean() if present.any() else 0.0
    shares = np.where(either > 0, both / np.maximum(either, 1), 1).mean()
    return np.array([both.sum() / max(matrix.sum(), 1), recall, shares]).reshape(1, 1, 1, 3)


def count(x, t, ignored=()):
    matrix = np.zeros((x.shape[1], x.shape[1]))
    highest = x.shape[1] - 1 - x[:, ::-1].argmax(1)
    for label, found in zip(t.ravel().astype(int), highest.ravel()):
        if label not in ignored:
            matrix[label, found] += 1
    return matrix


@each_device
@given(
    shape=st.tuples(*[st.integers(1, 4)] * 4), ignored=st.sets(st.sampled_from([0, 1, 3, 255]), max_size=2)
)
def test_formula(device, shape, ignored):
    one = case(" ".join(f"ignore_label: {label}" for label in ignored), *shape)
    check_forward(one, device, lambda x, t: scores(count(x, t, ignored)))


@each_device
def test_of_equal_scores_the_last(device):
    rig = Rig(case("", 1, 3, 1, 3), device)
    x = np.array([[1.0, 0, 2], [1, 0, 2], [0, 0, 1]]).reshape(1, 3, 1, 3)
    t = np.array([1.0, 2, 0]).reshape(1, 1, 1, 3)
    (y,) = rig.forward([x, t])
    np.testing.assert_allclose(y.ravel(), [2 / 3, 2 / 3, (0 + 1 / 2 + 1) / 3])


@each_device
@pytest.mark.parametrize("reset", [True, False])
def test_over_batches(device, reset):
    rig = Rig(case(f"reset: {reset}".lower(), 2, 3, 4, 4), device)
    matrix = np.zeros((3, 3))
    for seed in range(3):
        x, t = rig.case.arrays(seed)
        matrix = count(x, t) + (0 if reset else matrix)
        for blob, array in zip(rig.bottom, (x, t)):
            device.put(array, blob.data)
        rig.layer.forward(rig.bottom, rig.top)
        np.testing.assert_allclose(device.get(rig.top[0].data), scores(matrix), rtol=1e-12)
    rig.layer.reset_state()
    rig.layer.forward(rig.bottom, rig.top)
    np.testing.assert_allclose(device.get(rig.top[0].data), scores(count(x, t)), rtol=1e-12)


@each_device
def test_a_label_that_is_no_class(device):
    rig = Rig(case("ignore_label: 255", 1, 3, 2, 2), device)
    x, t = np.zeros((1, 3, 2, 2)), np.array([0, 255, 3, -1.0]).reshape(1, 1, 2, 2)
    with pytest.raises(DataError, match=r"label 3 at \[0, 0, 1, 0\] of bottom 1 is none of the 3 classes"):
        rig.forward([x, t])
    rig.forward([x, np.zeros((1, 1, 2, 2))])


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="metric is not supported"):
        Rig(case("metric: PixelIOU", 1, 2, 2, 2), cpu)
    with pytest.raises(ShapeError, match="bottom 1 must hold 4 labels"):
        Rig(Case(case("", 1, 2, 2, 2).layer, ((1, 2, 2, 2), (1, 1, 2, 3))), cpu)
