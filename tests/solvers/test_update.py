"""The update kernels: formulas, clipping, and the same result on every device."""

import numpy as np
import pytest

from minicaffe.kernels import update

from ..support.devices import each_device


def arrays(device, *hosts):
    out = []
    for host in hosts:
        array = device.empty(np.shape(host))
        device.put(np.asarray(host, np.float64), array)
        out.append(array)
    return out


@each_device
@pytest.mark.parametrize("l1", [0, 1])
def test_sgd(device, l1):
    rng = np.random.default_rng(0)
    w, dw, h = (rng.standard_normal(192) for _ in range(3))
    w[5] = 0
    rates, decays = np.array([1.0, 2.0, 0.0]), np.array([1.0, 0.0, 3.0])
    hyper = np.array([0.1, 0.9, 0.05, 0.5, 0, 0, 0, 0])
    on = arrays(device, w, dw, h, rates, decays, hyper)
    device.bind(update).sgd_update(*on, 192, l1)
    pull = np.sign(w) if l1 else w
    g = 0.5 * dw + 0.05 * np.repeat(decays, 64) * pull
    wanted = 0.9 * h + 0.1 * np.repeat(rates, 64) * g
    np.testing.assert_allclose(device.get(on[2]), wanted, rtol=1e-12)
    np.testing.assert_allclose(device.get(on[0]), w - wanted, rtol=1e-12)


@each_device
@pytest.mark.parametrize(
    "clip, passes, scale", [(1e9, 1, 1), (1e9, 4, 0.25), (2, 1, 2), (2, 4, 0.5), (0, 1, 0)]
)
def test_clip(device, clip, passes, scale):
    """scale is stated for a gradient of norm 1, and so times the norm where clipping acts."""
    dw = np.random.default_rng(1).standard_normal(10048)
    norm = np.sqrt((dw**2).sum())
    on, partial, hyper = arrays(device, dw, np.zeros(3), np.zeros(8))
    kernels = device.bind(update)
    kernels.square_sums(on, partial, dw.size)
    kernels.clip_scale(partial, hyper, 3, clip, passes)
    host = device.get(hyper)
    assert host[update.NORM] == pytest.approx(norm, rel=1e-12)
    assert host[update.SCALE] == pytest.approx(scale / norm if clip < norm else scale, rel=1e-12)
