"""Every test here needs the emulator."""

from __future__ import annotations

import pytest

from ..support import emulator


@pytest.fixture(autouse=True)
def needs_the_emulator():
    if not emulator.available():
        pytest.skip("the CUDA emulator needs Linux and g++")
