"""Columns side by side, row by row, against one column after the other."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import softmax as family

from .test_micro import each_dtype


@each_dtype
@pytest.mark.parametrize("outer, classes, inner", [(2, 5, family.WIDE + 44), (3, 40, 7), (1, 1, 2)])
def test_rows_of_columns_are_columns(dtype, outer, classes, inner):
    g = family.Columns(outer, classes, inner)
    rng = np.random.default_rng(0)
    x, dy = 3 * rng.standard_normal((2, outer * classes * inner)).astype(dtype)
    x[0], x[-1] = np.nan, np.inf  # which spoil their columns alone
    results = []
    for form in "composite", "plain":
        kernels = CpuDevice(dtype, kernels=form).bind(family)
        y = x.copy()
        kernels.softmax_forward(y, y, g)
        dx = dy.copy()
        kernels.softmax_backward(y, dx, dx, g)
        results.append((y, dx))
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=2e-5 if dtype == np.float32 else 1e-13, atol=1e-6)
    spoiled = np.isnan(results[0][0].reshape(outer, classes, inner)).all(1)
    assert spoiled[0, 0] and spoiled[-1, -1] and spoiled.sum() == 2
