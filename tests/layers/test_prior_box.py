"""PriorBox."""

import math

import numpy as np
import pytest

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward

SHAPES = (2, 3, 2, 3), (2, 3, 40, 60)


def prior(fields: str, shapes=SHAPES) -> Case:
    return Case(f'type: "PriorBox" prior_box_param {{ {fields} }}', shapes, gradient=False)


CASES = [
    prior("min_size: 8 max_size: 18 aspect_ratio: 2 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2"),
    prior("min_size: 4 min_size: 9 flip: false aspect_ratio: 3 aspect_ratio: 1 clip: true offset: 0"),
]


@each_device
def test_boxes_in_their_order(device):
    def formula(x, image):
        boxes, sides = [], [(8, 8), (12, 12)]
        sides += [(8 * math.sqrt(2), 8 / math.sqrt(2)), (8 / math.sqrt(2), 8 * math.sqrt(2))]
        for row in range(2):
            for column in range(3):
                y, x = (row + 0.5) * 20, (column + 0.5) * 20
                boxes += [
                    ((x - w / 2) / 60, (y - h / 2) / 40, (x + w / 2) / 60, (y + h / 2) / 40) for w, h in sides
                ]
        return np.stack([np.ravel(boxes), np.tile([0.1, 0.1, 0.2, 0.2], 24)])[None]

    check_forward(CASES[0], device, formula, rtol=1e-7)


def boxes_of(cpu, fields: str, shapes=SHAPES) -> np.ndarray:
    rig = Rig(prior(fields, shapes), cpu)
    (y,) = rig.forward(rig.case.arrays())
    return y[0].reshape(2, -1, 4)


def test_sizes_are_cut_to_whole_pixels(cpu):
    np.testing.assert_array_equal(boxes_of(cpu, "min_size: 8.9"), boxes_of(cpu, "min_size: 8"))


def test_an_aspect_ratio_counts_once(cpu):
    assert len(boxes_of(cpu, "min_size: 8 aspect_ratio: 2 aspect_ratio: 0.5 aspect_ratio: 1")[0]) == 6 * 3


def test_image_and_steps_as_given(cpu):
    boxes, variances = boxes_of(cpu, "min_size: 10 img_size: 100 step_h: 30 step_w: 10 offset: 1")
    np.testing.assert_allclose(boxes[0], [0.05, 0.25, 0.15, 0.35])
    np.testing.assert_allclose(boxes[-1], [0.25, 0.55, 0.35, 0.65])
    np.testing.assert_allclose(variances, 0.1)


def test_boxes_follow_the_shapes(cpu):
    rig = Rig(CASES[0], cpu)
    rig.bottom[0].reshape(2, 3, 1, 1)
    rig.net.reshape()
    assert rig.top[0].shape == (1, 2, 16)
    (y,) = rig.forward([np.ones((2, 3, 1, 1)), np.ones(SHAPES[1])])
    np.testing.assert_allclose(y[0, 0, :4], [(30 - 4) / 60, (20 - 4) / 40, (30 + 4) / 60, (20 + 4) / 40])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "min_size must be there"),
        ("min_size: 0", r"min_size must be there and above 0; got \[0"),
        ("min_size: 8 max_size: 8", "max_size must be greater"),
        ("min_size: 8 max_size: 9 max_size: 10", "max_size must be greater than min_size, one for each"),
        ("min_size: 8 variance: 1 variance: 2", "variance must be 1 or 4"),
        ("min_size: 8 aspect_ratio: -1", "aspect_ratio must be above 0; got -1"),
        ("min_size: 8 step: 3 step_h: 3", "must have step, or step_h and step_w; got step, step_h"),
        ("min_size: 8 img_h: 3", "must have img_size, or img_h and img_w; got img_h"),
        ("min_size: 8 step: 0", r"step must be above 0; got \[0.0\]"),
        ("min_size: 8 reduce_boxes: true", "reduce_boxes is not supported"),
    ],
)
def test_refuses(cpu, fields, message):
    with pytest.raises(ConfigError, match=message):
        Rig(prior(fields), cpu)


def test_refuses_rows(cpu):
    with pytest.raises(ShapeError, match=r"bottom 0 must have 4 axes.*got \(2, 3\)"):
        Rig(prior("min_size: 8", ((2, 3), (2, 3, 4, 4))), cpu)
