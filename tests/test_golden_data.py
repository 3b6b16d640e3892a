"""Every recorded case of the data layers: three batches of pixels and labels are Caffe's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

FOLDER = Path(__file__).parent / "golden" / "data"
CASES = sorted(FOLDER.glob("*.npz"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path, monkeypatch):
    if path.stem.startswith("lmdb"):
        pytest.importorskip("lmdb")
    monkeypatch.chdir(FOLDER)
    stored = np.load(path)
    net = Net(text.parse(str(stored["net"]), NetParameter), phase=str(stored["phase"]), seed=1)
    for number in range(3):
        outputs = net.forward()
        for name in ("data", "label"):
            np.testing.assert_array_equal(outputs[name], stored[f"batch{number}/{name}"], err_msg=name)
