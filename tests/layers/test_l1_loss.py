"""L1Loss, of two forks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(*shape: int, text: str | None = None, bottoms: int = 2, rest: str = "") -> Case:
    param = "" if text is None else f"l1_loss_param {{ {text} }}"
    return Case(f'type: "L1Loss" {param} {rest}', (shape,) * bottoms)


CASES = [
    case(3, 3, 2, 2),
    case(4, rest="loss_weight: 0.5"),
    case(2, 3, 2, 2, text="l2_per_location: true normalize_by_num_entries: true"),
    case(2, 3, 4, text="l2_per_location: true l2_prescale_by_channels: true plateau: 0.5", bottoms=1),
    case(2, 3, 2, text="plateau: 0.3"),
]


def reference(d, n, together, prescale, entries, plateau, eps):
    known = ~np.isnan(d)
    divisor = max(int(known.sum()), 1) / d.shape[1] if entries else n
    d = np.where(known, d, 0)
    if not together:
        return np.abs(np.where(np.abs(d) < plateau, 0, d)).sum() / divisor
    square = (d * d).sum(1) / (d.shape[1] if prescale else 1)
    return np.sqrt(np.where(square < plateau**2, 0, square) + eps).sum() / divisor


@each_device
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.tuples(*[st.booleans()] * 4),
    st.sampled_from([0, 0.237]),
)  # fmt: skip
def test_flownets_formula_and_gradient(device, n, channels, inner, flags, plateau):
    together, prescale, entries, alone = flags
    names = "l2_per_location", "l2_prescale_by_channels", "normalize_by_num_entries"
    text = " ".join(f"{name}: {str(flag).lower()}" for name, flag in zip(names, flags))
    one = case(n, channels, inner, text=f"{text} plateau: {plateau} epsilon: 0.25", bottoms=1 if alone else 2)
    rest = n, together, prescale, entries, np.float64(np.float32(plateau)), 0.25
    check_forward(one, device, lambda x, t=0: np.array(reference(x - t, *rest)))
    check_gradient(one, device)


@each_device
@pytest.mark.parametrize("text", ["", "l2_per_location: true", "normalize_by_num_entries: true"])
def test_what_is_no_number_counts_nothing(device, text):
    one = case(2, 3, 4, text=text)
    rig, (x, t) = Rig(one, device), one.arrays()
    x[0, 1, 2] = t[1, 2, 3] = np.nan
    (loss,) = rig.forward([x, t])
    wanted = reference(x - t, 2, "l2" in text, False, "entries" in text, 0, np.float32(0.01))
    np.testing.assert_allclose(loss, wanted, rtol=1e-9)
    rig.seed_tops()
    dx, dt = rig.backward()[0]
    assert dx[0, 1, 2] == dt[0, 1, 2] == dx[1, 2, 3] == 0 and (dx != 0).sum() == dx.size - 2


@each_device
def test_nvidias_formula(device):
    check_forward(CASES[0], device, lambda x, t: np.array(np.abs(x - t).sum() / 3))
    check_gradient(CASES[0], device)


@each_device
def test_of_equal_numbers_the_gradient_is_zero(device):
    rig = Rig(CASES[0], device)
    x = CASES[0].arrays()[0]
    rig.forward([x, x])
    rig.seed_tops()
    assert not any(d.any() for d in rig.backward()[0])


def test_refuses(cpu):
    with pytest.raises(ConfigError, match="one bottom, the difference, is for l1_loss_param"):
        Rig(case(2, 3, bottoms=1), cpu)
    with pytest.raises(ShapeError, match="l2_per_location is for a bottom with channels"):
        Rig(case(2, text="l2_per_location: true"), cpu)
    with pytest.raises(ShapeError, match="equal counts"):
        Rig(Case('type: "L1Loss"', ((2, 3), (2, 4))), cpu)
