"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import logging

import numba
import pytest
from hypothesis import HealthCheck, settings

from .support.devices import make_device

# Kernels compile on first use, so time says nothing about an example; devices are shared between examples on
# purpose.
settings.register_profile(
    "minicaffe",
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("minicaffe")

# Collecting makes some millions of objects, all of which stay: to look among them for garbage would take as
# long as many tests, while they are collected and at every search thereafter.
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def quiet_log():
    """The command line sends the log to stderr for good; a test gives it back."""
    logger = logging.getLogger("minicaffe")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def one_thread():
    """For passes of many small launches a second thread saves nothing, and on a busy machine it waits."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


@pytest.fixture
def device(request):
    """The device a test is parametrized with (support.devices.each_device), in float64."""
    return make_device(request.param)


@pytest.fixture
def cpu():
    """The CPU in float64."""
    return make_device("cpu")
