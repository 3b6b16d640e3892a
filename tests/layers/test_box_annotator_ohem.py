"""BoxAnnotatorOHEM."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient, distinct

LAYER = 'type: "BoxAnnotatorOHEM" box_annotator_ohem_param {{ roi_per_img: {} ignore_label: {} }}'


def images(shape, rng):
    """Regions of three images, mixed."""
    rois = rng.uniform(0, 9, shape)
    rois[:, 0] = rng.integers(0, 3, rois[:, 0].shape) + 0.25
    return rois


def case(m: int, most: int, tail: tuple = (), channels: int = 4, ignore: int = -1) -> Case:
    shapes = ((m, 5, *tail), (m, 1, *tail), (m, 1, *tail), (m, channels, *tail))
    return Case(LAYER.format(most, ignore), shapes, (images, distinct), tops=2)


def annotate(most, ignore, rois, losses, labels, weights):
    image, loss = np.floor(rois[:, 0]).ravel(), losses.ravel()
    kept = np.zeros(len(loss), bool)
    left = dict.fromkeys(image, most)
    for i in np.argsort(-loss, kind="stable"):
        kept[i] = left[image[i]] > 0
        left[image[i]] -= 1
    kept = kept.reshape(labels.shape)
    return np.where(kept, labels, ignore), np.where(kept, weights, 0)


CASES = [case(7, 2), case(3, 1, (2, 2)), case(5, 9, (1, 1), 8, 255)]


@each_device
@given(st.integers(1, 9), st.integers(1, 5), st.sampled_from([(), (1, 1), (2, 3)]))
def test_formula_and_gradient(device, m, most, tail):
    one = case(m, most, tail)
    check_forward(one, device, lambda *blobs: annotate(most, -1, *blobs))
    check_gradient(one, device)


@each_device
def test_of_equal_losses_the_first_is_kept_and_nan_before_all(device):
    rig = Rig(case(5, 2), device)
    rois, labels = np.zeros((5, 5)), np.arange(5.0).reshape(5, 1)
    (y, _) = rig.forward([rois, np.array([1.0, 2, 1, 2, 2]).reshape(5, 1), labels, np.ones((5, 4))])
    np.testing.assert_array_equal(y.ravel(), [-1, 1, -1, 3, -1])
    (y, _) = rig.forward([rois, np.array([9, 2, np.nan, 1, 9]).reshape(5, 1), labels, np.ones((5, 4))])
    np.testing.assert_array_equal(y.ravel(), [0, -1, 2, -1, -1])


@each_device
def test_many_regions(device):
    check_forward(case(700, 64), device, lambda *blobs: annotate(64, -1, *blobs))


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="roi_per_img must be set and greater than 0; got 0"):
        Rig(Case('type: "BoxAnnotatorOHEM"', ((2, 5), (2,), (2,), (2, 4)), tops=2), cpu)
    layer = LAYER.format(1, -1)
    for shapes, message in [
        (((2,), (2,), (2,), (2, 4)), r"bottom 0 must hold regions \(m, 5, ...\); got \(2,\)"),
        (((2, 5), (3,), (2,), (2, 4)), r"bottom 1 must have a number for each of 2 regions; got \(3,\)"),
        (((2, 5), (2,), (2, 2), (2, 4)), r"bottom 2 must have a number for each of 2 regions; got \(2, 2\)"),
        (
            ((2, 5), (2,), (2,), (3, 4)),
            r"bottom 3 must have the shape of bottom 0, \(2, 5\), but for axis 1",
        ),
    ]:
        with pytest.raises(ShapeError, match=message):
            Rig(Case(layer, shapes, tops=2), cpu)
