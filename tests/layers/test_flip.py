"""Flip."""

import pytest

from minicaffe.errors import ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(text: str, *shape: int) -> Case:
    return Case(f'type: "Flip" flip_param {{ {text} }}', (shape,))


CASES = [
    case("", 2, 3, 4, 5),
    case("flip_height: true", 2, 1, 3, 4),
    case("flip_width: false flip_height: true", 1, 2, 3, 2),
    case("flip_width: false", 1, 2, 3, 2),
]


@each_device
@pytest.mark.parametrize("one", CASES, ids=str)
def test_formula_and_gradient(device, one):
    down, across = "flip_height: true" in one.layer, "flip_width: false" not in one.layer
    check_forward(one, device, lambda x: x[:, :, :: -1 if down else 1, :: -1 if across else 1], rtol=0)
    check_gradient(one, device)


def test_refuses(cpu):
    with pytest.raises(ShapeError, match=r"must have 4 axes .*got \(2, 3\)"):
        Rig(case("", 2, 3), cpu)
