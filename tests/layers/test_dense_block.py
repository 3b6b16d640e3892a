"""DenseBlock."""

import numpy as np
import pytest

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient

FILL = 'Filter_Filler { type: "msra" } BN_Scaler_Filler { value: 1 } BN_Bias_Filler { value: 0 }'


def case(shape: tuple, count: int, growth: int, *, bottleneck=False, phase="TRAIN", more="") -> Case:
    fields = f"numTransition: {count} growthRate: {growth} use_BC: {str(bottleneck).lower()} {FILL} {more}"
    return Case(f'type: "DenseBlock" denseblock_param {{ {fields} }}', (shape,), phase=phase)


CASES = [
    case((2, 3, 4, 3), 2, 2),
    case((3, 2, 3, 2), 1, 1, bottleneck=True),
    case((2, 2, 3, 4), 2, 3, phase="TEST"),
    case((1, 1, 4, 5), 1, 2, bottleneck=True, phase="TEST"),
    case((2, 2, 3, 3), 2, 1, more="use_dropout: true dropout_amount: 0.3"),
    case((3, 1, 3, 3), 1, 2, bottleneck=True, more="use_dropout: true dropout_amount: 0.5"),
]


def stage(x, filters, scale, bias, mean, variance):
    """Batch norm, ReLU, and the sum over turned filters."""
    a = np.maximum(scale * (x - mean) / np.sqrt(variance + 1e-5) + bias, 0)
    side = filters.shape[-1]
    pad, (h, w) = side // 2, x.shape[2:]
    padded = np.pad(a, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return sum(
        np.einsum(
            "nchw,mc->nmhw", padded[:, :, side - 1 - i :, side - 1 - j :][:, :, :h, :w], filters[:, :, i, j]
        )
        for i in range(side)
        for j in range(side)
    )


def reference(count: int, bottleneck: bool, frozen: bool):
    def run(x, *params):
        L, factor = count, params[-1].item() or 1.0

        def moments(z, means, variances):
            if frozen:
                return means / factor, variances / factor
            return z.mean((0, 2, 3), keepdims=True), z.var((0, 2, 3), keepdims=True)

        for i in range(L):
            scale, bias, means, variances = (params[j * L + i] for j in range(1, 5))
            z, filters = x, params[i]
            if bottleneck:
                z = stage(z, params[5 * L + i], scale, bias, *moments(z, means, variances))
                scale, bias, means, variances = (params[j * L + i] for j in range(6, 10))
            x = np.concatenate([x, stage(z, filters, scale, bias, *moments(z, means, variances))], 1)
        return x

    return run


@each_device
@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_formula(device, bottleneck, phase):
    one = case((2, 3, 4, 5), 3, 2, bottleneck=bottleneck, phase=phase)
    rig, rng = Rig(one, device), np.random.default_rng(0)
    for blob, learned in zip(rig.layer.params, rig.learned):
        if not learned:
            device.put(rng.uniform(0.5, 2, blob.shape), blob.data)
    params = [device.get(blob.data) for blob in rig.layer.params]
    (x,) = one.arrays()
    wanted = reference(3, bottleneck, phase == "TEST")(x, *params)
    np.testing.assert_allclose(rig.forward([x])[0], wanted, rtol=1e-9, atol=1e-9)


@each_device
def test_gradient_through_several_bottlenecks(device):
    check_gradient(case((3, 2, 3, 2), 3, 1, bottleneck=True), device)


@each_device
def test_the_order_of_parameters_is_the_forks(device):
    shapes = [blob.shape for blob in Rig(case((1, 3, 2, 2), 2, 2), device).layer.params]
    norm = [(1, 3, 1, 1), (1, 5, 1, 1)]
    assert shapes == [(2, 3, 3, 3), (2, 5, 3, 3), *norm * 4, (1,)]
    rig = Rig(case((1, 3, 2, 2), 2, 2, bottleneck=True), device)
    shapes = [blob.shape for blob in rig.layer.params]
    inner = [(8, 3, 1, 1), (8, 5, 1, 1), *[(1, 8, 1, 1)] * 8]
    assert shapes == [(2, 8, 3, 3)] * 2 + norm * 4 + inner + [(1,)]
    assert [i for i, learned in enumerate(rig.learned) if not learned] == [*range(6, 10), *range(16, 21)]


@each_device
@pytest.mark.parametrize("factor", [0.0, 2.5])
def test_statistics_are_a_running_mean(device, factor):
    """Whatever they are divided by."""
    rig = Rig(case((4, 2, 3, 3), 1, 1, more="moving_average_fraction: 0.25"), device)
    means, variances, divisor = (rig.layer.params[i] for i in (3, 4, 5))
    f = factor or 1.0
    device.put(np.full((1, 2, 1, 1), 3.0) * f, means.data)
    device.put(np.full((1, 2, 1, 1), 5.0) * f, variances.data)
    device.put(np.array([factor]), divisor.data)
    (x,) = rig.case.arrays()
    rig.forward([x])
    wanted = 0.75 * 3 + 0.25 * x.mean((0, 2, 3)), 0.75 * 5 + 0.25 * x.var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(device.get(means.data).ravel() / f, wanted[0])
    np.testing.assert_allclose(device.get(variances.data).ravel() / f, wanted[1])
    assert device.get(divisor.data) == factor


@each_device
@pytest.mark.parametrize("bottleneck", [False, True])
def test_dropout_of_what_is_made(device, bottleneck):
    """Of one transition: the same numbers, scaled or 0; others for other transitions, images and passes."""
    more = "use_dropout: true dropout_amount: 0.25"
    dropping, whole = (
        Rig(case((4, 2, 9, 8), 1, 3, bottleneck=bottleneck, more=m), device) for m in (more, "")
    )
    (x,) = whole.case.arrays()
    (y,), (dropped,) = whole.forward([x]), dropping.forward([x])
    kept = dropped != 0
    np.testing.assert_allclose(dropped[:, :2], y[:, :2], rtol=1e-12)
    np.testing.assert_allclose(dropped[:, 2:], np.where(kept, y / 0.75, 0)[:, 2:], rtol=1e-12)
    assert 0.65 < kept[:, 2:].mean() < 0.85
    dropping.passes += 1
    assert ((dropping.forward([x])[0] != 0) != kept).any()
    several = Rig(case((2, 1, 9, 8), 2, 1, more=more), device).forward([x[:2, :1]])[0] != 0
    assert len({several[n, c].tobytes() for n in (0, 1) for c in (1, 2)}) == 4


def test_a_batch_of_images_that_training_uses(cpu):
    """Wide enough for register tiles and Winograd."""
    one = case((4, 16, 9, 11), 3, 12)
    check_forward(one, cpu, reference(3, False, False))
    check_gradient(one, cpu, directions=1)


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        (case((2, 3, 4), 1, 1), ShapeError, r"4 axes \(n, channels, h, w\); got \(2, 3, 4\)"),
        (case((2, 3, 4, 4), 0, 1), ConfigError, "numTransition and growthRate of at least 1; got 0 and 1"),
        (case((2, 3, 4, 4), 1, 1, more="filter_H: 5"), ConfigError, "filter_H is not supported"),
        (
            case((2, 3, 4, 4), 1, 1, more="use_dropout: true dropout_amount: 1"),
            ConfigError,
            "dropout_amount must be from 0 to below 1",
        ),
    ],
)
def test_refuses(cpu, wrong, error, message):
    with pytest.raises(error, match=message):
        Rig(wrong, cpu)


def test_channels_stay(cpu):
    rig = Rig(CASES[0], cpu)
    rig.bottom[0].reshape(2, 4, 4, 3)
    with pytest.raises(ShapeError, match="bottom 0 has 4 channels; the weights take 3"):
        rig.net.reshape()
