"""Every notebook works in a folder of its own, on the CPU."""

from __future__ import annotations

import pytest

import minicaffe.pycaffe as caffe


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    caffe.set_mode_cpu()
    return tmp_path
