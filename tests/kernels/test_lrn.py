"""Local response normalization in float32: as exact as the type allows."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import lrn as family

from .test_micro import each_machine


@each_machine
@pytest.mark.parametrize("beta", [0.75, 0.6])
@pytest.mark.parametrize(
    "g", [family.Lrn(2, 9, 300, 2, 0), family.Lrn(6, 7, 9, 1, 1), family.Lrn(2, 3, 37, 4, 2)]
)
def test_float32_is_close_to_float64(g, beta, machine):
    rng = np.random.default_rng(0)
    size = g.groups * g.h * g.w
    # Large values beside small ones: a running sum would remember them.
    x = rng.standard_normal(size) * 10.0 ** rng.integers(-3, 4, size)
    dy = rng.standard_normal(size)
    results = []
    for dtype in (np.float32, np.float64):
        # float64 in plain loops: what float32 is held to
        form = {"machine": machine} if dtype == np.float32 else {"kernels": "plain"}
        kernels = CpuDevice(dtype, **form).bind(family)
        y, inverse, dx = (np.full(size + 99, 777, dtype)[:size] for _ in range(3))
        a, b = x.astype(np.float32).astype(dtype), dy.astype(np.float32).astype(dtype)
        kernels.lrn_forward(a, y, inverse, g, 1.0, 0.25, beta)
        kernels.lrn_backward(a, y, inverse, b, dx, g, 0.5 * beta, beta)
        results.append((y, inverse, dx))
        assert all((array.base[size:] == 777).all() for array in results[-1])
    for one, exact, rtol in zip(*results, (2e-6, 1e-6, 2e-5)):
        np.testing.assert_allclose(one, exact, rtol=rtol, atol=1e-6)
