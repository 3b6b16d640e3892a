"""Dropout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import CUDA, each_device, make_device
from ..support.laws import Case, Rig, check_gradient
from ..support.strategies import shapes


def dropout(ratio=0.5, shape=(4, 3, 5), phase="TRAIN") -> Case:
    return Case(f'type: "Dropout" dropout_param {{ dropout_ratio: {ratio} }}', (shape,), phase=phase)


CASES = [
    dropout(),
    dropout(0.25, (7,)),
    dropout(0, (3, 6)),
    dropout(1, (3, 6)),
    dropout(0.75, (2, 8), "TEST"),
    Case('type: "Dropout"', ((5, 2, 3, 3),)),
    dropout("0.25 scale_train: false"),
    dropout("0.25 scale_train: false", phase="TEST"),
]


@each_device
def test_without_scale_in_training(device):
    """As in Faster R-CNN's Caffe: what is kept stays as it is, and in TEST all is made smaller."""
    (x,) = CASES[-1].arrays()
    (y,) = Rig(CASES[-2], device).forward([x])
    (scaled,) = Rig(dropout(0.25), device).forward([x])
    np.testing.assert_array_equal(y, np.where(scaled != 0, x, 0))
    (y,) = Rig(CASES[-1], device).forward([x])
    np.testing.assert_allclose(y, 0.75 * x, rtol=1e-12)


@each_device
@given(shape=shapes(), ratio=st.sampled_from([0.0, 0.3, 0.9, 1.0]))
def test_kept_elements_are_scaled_and_the_gradient_has_the_same_mask(device, shape, ratio):
    case = dropout(ratio, shape)
    rig = Rig(case, device)
    (x,) = case.arrays()
    (y,) = rig.forward([x])
    (dy,) = rig.seed_tops()
    (dx,), _ = rig.backward()
    scale = 1 / (1 - np.float64(np.float32(ratio))) if ratio < 1 else 0.0
    kept = y != 0
    np.testing.assert_allclose(y, np.where(kept, x * scale, 0), rtol=1e-12)
    np.testing.assert_allclose(dx, np.where(kept, dy * scale, 0), rtol=1e-12)
    assert kept.all() if ratio == 0 else not kept.any() if ratio == 1 else True
    check_gradient(case, device)


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75])
def test_rate(ratio):
    (y,) = Rig(dropout(ratio, (100, 1000)), make_device("cpu", np.float32)).forward([np.ones((100, 1000))])
    assert abs((y == 0).mean() - ratio) < 5 * np.sqrt(ratio * (1 - ratio) / y.size)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - ratio), rtol=1e-6)


@pytest.mark.parametrize("name", ["plain", "python", *CUDA])
@pytest.mark.parametrize("shape", [(3, 2, 7), (5,), (2, 1), (1, 40)])
def test_masks_are_equal_bit_for_bit(name, shape):
    """In both precisions: the mask does not depend on how values are stored."""
    masks = []
    for device in (make_device("cpu", np.float32), make_device(name, np.float32), make_device(name)):
        masks.append(Rig(dropout(0.3, shape), device).forward([np.ones(shape)])[0] != 0)
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])


def run(batch: int, width: int, passes: int, seed: int = 3, name: str = "drop") -> np.ndarray:
    """The masks of successive passes, one under the other."""
    shape = f"shape {{ dim: {batch} dim: {width} }}"
    layers = f"""
        layer {{ name: "in" type: "Input" top: "x" input_param {{ {shape} }} }}
        layer {{ name: "{name}" type: "Dropout" bottom: "x" top: "y" }}
    """
    net = Net(text.parse(layers, NetParameter), phase="TRAIN", seed=seed)
    net.device.fill(net.blobs["x"].data, 1)
    return np.concatenate([net.forward()["y"] for _ in range(passes)]) != 0


def test_a_sample_has_the_same_mask_however_batches_are_cut():
    whole = run(12, 9, 1)
    for batch in (1, 2, 3, 6):
        np.testing.assert_array_equal(run(batch, 9, 12 // batch), whole)


def test_samples_passes_seeds_and_layers_differ():
    masks = run(20, 64, 2)
    assert len({row.tobytes() for row in masks}) == len(masks)
    assert (run(20, 64, 2, seed=4) != masks).mean() > 0.4
    assert (run(20, 64, 2, name="other") != masks).mean() > 0.4


@each_device
def test_test_phase_is_the_identity(device):
    case = dropout(0.5, (3, 4), "TEST")
    for rig in (Rig(case, device), Rig(case, device, in_place=True)):
        (x,) = case.arrays()
        np.testing.assert_array_equal(rig.forward([x])[0], x)
        (dy,) = rig.seed_tops()
        (dx,), _ = rig.backward()
        np.testing.assert_array_equal(dx, dy)


def test_a_phase_of_its_own(cpu):
    case = Case('type: "Dropout" phase: TRAIN', ((4, 50),), phase="TEST")
    (y,) = Rig(case, cpu).forward([np.ones((4, 50))])
    assert 0 < (y == 0).sum() < y.size


@pytest.mark.parametrize("ratio", ["-0.1", "1.5", "nan"])
def test_ratio_out_of_range(cpu, ratio):
    with pytest.raises(ConfigError, match="dropout_ratio must be from 0 to 1; got"):
        Rig(dropout(ratio), cpu)
