"""Correlation."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def case(text: str, *shape: int) -> Case:
    return Case(f'type: "Correlation" correlation_param {{ {text} }}', (shape, shape))


CASES = [
    case("kernel_size: 1 max_displacement: 1 pad: 1", 1, 2, 4, 3),
    case("kernel_size: 3 max_displacement: 2 pad: 3 stride_2: 2", 2, 2, 4, 5),
    case("kernel_size: 1 max_displacement: 2 pad: 2 stride_1: 2 correlation_type: SUBTRACT", 1, 2, 5, 4),
]


def correlate(a, b, k, most, pad, step, apart, subtract):
    """Window by window, of padded maps."""
    a, b = (np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))) for x in (a, b))
    reach, side = 2 * most + k - 1, 2 * (most // apart) + 1
    out = [int(np.ceil((n - reach) / step)) for n in a.shape[2:]]
    y = np.empty((len(a), side * side, *out))
    for q, i, j in np.ndindex(*y.shape[1:]):
        down, right = (q // side - side // 2) * apart, (q % side - side // 2) * apart
        r, s = i * step + most, j * step + most
        one = a[:, :, r : r + k, s : s + k]
        other = b[:, :, r + down : r + down + k, s + right : s + right + k]
        both = np.abs(one - other) if subtract else one * other
        y[:, q, i, j] = both.mean(axis=(1, 2, 3))
    return y


@each_device
@given(
    st.sampled_from([1, 3]), st.integers(0, 2), st.integers(0, 3), st.integers(1, 2), st.integers(1, 2),
    st.booleans(), st.integers(1, 5), st.integers(1, 5),
)  # fmt: skip
def test_formula_and_gradient(device, k, most, pad, step, apart, subtract, h, w):
    assume(min(h, w) + 2 * pad >= 2 * most + k)
    text = f"kernel_size: {k} max_displacement: {most} pad: {pad} stride_1: {step} stride_2: {apart}"
    one = case(text + (" correlation_type: SUBTRACT" if subtract else ""), 1, 2, h, w)
    check_forward(one, device, lambda a, b: correlate(a, b, k, most, pad, step, apart, subtract))
    if not subtract:  # both maps have the same values, and |a - b| its kink there
        check_gradient(one, device)


@each_device
def test_gradient_of_differences(device):
    rig, (a, b) = Rig(CASES[2], device), CASES[2].arrays()
    b = b + 0.013
    rig.forward([a, b])
    (dy,) = rig.seed_tops()
    (da, db), _ = rig.backward()
    rng = np.random.default_rng(0)
    va, vb = rng.standard_normal(a.shape), rng.standard_normal(b.shape)
    high, low = (rig.forward([a + t * va, b + t * vb])[0] for t in (1e-6, -1e-6))
    np.testing.assert_allclose((dy * (high - low)).sum() / 2e-6, (da * va + db * vb).sum(), rtol=1e-5)


def test_refuses(cpu):
    for text, message in [
        ("kernel_size: 2 max_displacement: 1", "kernel_size must be odd; got 2"),
        ("max_displacement: 1", "kernel_size must be odd; got 0"),
        ("kernel_size: 1 stride_2: 0", "stride_2 must be at least 1"),
        ("kernel_size: 1 do_abs: true", r"correlation_param.do_abs is not supported"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Rig(case(text, 1, 1, 5, 5), cpu)
    with pytest.raises(ShapeError, match="windows that reach over 7 do not fit 5 x 6 with padding 0"):
        Rig(case("kernel_size: 3 max_displacement: 2", 1, 1, 5, 6), cpu)
    with pytest.raises(ShapeError, match="must have one shape of 4 axes"):
        Rig(
            Case('type: "Correlation" correlation_param { kernel_size: 1 }', ((1, 1, 3, 3), (1, 1, 3, 4))),
            cpu,
        )
