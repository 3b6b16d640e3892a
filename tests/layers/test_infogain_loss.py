"""InfogainLoss."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.proto import binary

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct, labels, uniform
from ..support.strategies import shapes
from .test_softmax import softmax


def case(shape: tuple, axis: int = 1, loss: str = "", rest: str = "", tops: int = 1) -> Case:
    layer = f'type: "InfogainLoss" infogain_loss_param {{ axis: {axis} }} loss_param {{ {loss} }} {rest}'
    classes = shape[axis]
    positions = tuple(np.delete(shape, axis))
    return Case(
        layer, (shape, positions, (1, 1, classes, classes)), (distinct, labels(classes), uniform), tops=tops
    )


MATRIX = Path(__file__).parent.parent / "golden" / "layers" / "infogain_5.binaryproto"


def of_file(shape: tuple, axis: int = 1, rest: str = "", tops: int = 1) -> Case:
    layer = f'type: "InfogainLoss" infogain_loss_param {{ axis: {axis} source: "{MATRIX}" }} {rest}'
    return Case(layer, (shape, tuple(np.delete(shape, axis))), (distinct, labels(5)), tops=tops)


CASES = [
    of_file((4, 5)),
    of_file((4, 5, 2), rest="loss_param { ignore_label: 1 }"),
    of_file((2, 3, 5), 2, "loss_param { normalization: NONE } loss_weight: 0.5"),
    of_file((4, 5), rest="loss_param { ignore_label: 1 normalization: FULL }", tops=2),
]


@each_device
@given(
    data=st.data(),
    shape=shapes(min_rank=2),
    mode=st.sampled_from(["VALID", "FULL", "BATCH_SIZE", "NONE"]),
    ignore=st.sampled_from([None, 0, 1]),
    tops=st.sampled_from([1, 2]),
)
def test_formula(device, data, shape, mode, ignore, tops):
    axis = data.draw(st.integers(1, len(shape) - 1))

    def reference(x, t, gain):
        p = softmax(x, axis)
        gain, t = gain.reshape(shape[axis], -1), t.astype(int)
        counts = np.ones(t.shape, bool) if ignore is None else t != ignore
        rows = np.moveaxis(p, axis, -1)[counts]
        z = {"VALID": counts.sum(), "FULL": t.size, "BATCH_SIZE": np.prod(shape[:axis]), "NONE": 1}[mode]
        loss = np.array(-(gain[t[counts]] * np.log(rows)).sum() / max(1, z))
        return [loss, p][:tops]

    loss = f"normalization: {mode}" + ("" if ignore is None else f" ignore_label: {ignore}")
    check_forward(case(shape, axis, loss, tops=tops), device, reference)
    check_gradient(case(shape, axis, loss, tops=tops), device)


def from_file(path) -> str:
    return f'type: "InfogainLoss" infogain_loss_param {{ source: "{path}" }}'


@each_device
def test_the_unit_matrix_gives_the_cross_entropy(device, tmp_path):
    path = tmp_path / "unit.binaryproto"
    path.write_bytes(binary.from_array(np.eye(3)).SerializeToString())
    bottoms = ((4, 3), (4,)), (distinct, labels(3))
    results = []
    for layer in (from_file(path), 'type: "SoftmaxWithLoss"'):
        rig = Rig(Case(layer, *bottoms), device)
        tops = rig.forward(rig.case.arrays())
        rig.seed_tops()
        results.append([tops[0], rig.backward()[0][0]])
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_source_that_does_not_fit(cpu, tmp_path):
    path = tmp_path / "h.binaryproto"
    path.write_bytes(binary.from_array(np.ones((2, 2))).SerializeToString())
    with pytest.raises(ShapeError, match=r"must have 3 x 3 elements.*got 4"):
        Rig(Case(from_file(path), ((4, 3), (4,))), cpu)
    path.write_bytes(binary.from_array(np.full((3, 3), np.nan)).SerializeToString())
    with pytest.raises(DataError, match=r"infogain matrix .*h\.binaryproto: not every element is a finite"):
        Rig(Case(from_file(path), ((4, 3), (4,))), cpu)
    with pytest.raises(DataError, match="nowhere"):
        Rig(Case(from_file("nowhere"), ((4, 3), (4,))), cpu)


def test_settings_that_do_not_fit(cpu):
    with pytest.raises(ConfigError, match=r"infogain_loss_param\.source must be set"):
        Rig(Case('type: "InfogainLoss"', ((4, 3), (4,))), cpu)
    with pytest.raises(ConfigError, match="source is not read with a bottom 2; hint: remove one"):
        Rig(Case(from_file("h.binaryproto"), ((4, 3), (4,), (3, 3))), cpu)
    with pytest.raises(ConfigError, match="normalize is not for InfogainLoss"):
        Rig(Case('type: "InfogainLoss" loss_param { normalize: true }', ((4, 3), (4,), (3, 3))), cpu)


@each_device
def test_a_label_that_is_no_class(device):
    rig = Rig(case((2, 3)), device)
    with pytest.raises(DataError, match=r"label -1 at \[1\] of bottom 1 is none of the 3 classes"):
        rig.forward([np.ones((2, 3)), np.array([0.0, -1]), np.ones((1, 1, 3, 3))])
