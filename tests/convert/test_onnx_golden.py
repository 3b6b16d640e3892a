"""Layers that numbers of Caffe and its forks were recorded of: onnxruntime computes them from the export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe.convert.onnx import export
from minicaffe.convert.onnx.rules import RULES
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter
from minicaffe.proto.upgrade import upgrade_net

from .exporting import onnxruntime

GOLDEN = Path(__file__).parent.parent / "golden"
IN_TRAINING = ("BatchNorm", "Dropout")  # in phase TRAIN they compute something else
FOLDERS = GOLDEN / "layers", GOLDEN / "forks"
CASES = sorted(path for f in FOLDERS for path in f.glob("*.npz") if path.stem.split("_")[0] in RULES)


def section(stored, name: str) -> dict[str, np.ndarray]:
    return {key.split("/", 1)[1]: stored[key] for key in stored.files if key.startswith(f"{name}/")}


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_onnxruntime_computes_caffes_numbers(path, tmp_path):
    stored = np.load(path)
    param = text.parse(str(stored["net"]), NetParameter)
    upgrade_net(param)
    parameters = section(stored, "param")
    (layer,) = (one for one in param.layer if one.name == "layer")
    if str(stored["phase"]) == "TRAIN" and layer.type in IN_TRAINING:
        pytest.skip("recorded in training")
    sources = [top for one in param.layer if one.type == "Input" for top in one.top]
    given = {name: array for name, array in section(stored, "bottom").items() if name in sources}
    net = Net(param, phase="TEST", seed=1)
    for i, array in parameters.items():  # those that are recorded; fillers give the others their constants
        net.params["layer"][int(i)].data[...] = array
    weights, out = tmp_path / "w.caffemodel", tmp_path / "net.onnx"
    net.save(str(weights))
    export(param, weights if parameters else None, out, inputs=given)
    session = onnxruntime.InferenceSession(out)
    read = {value.name for value in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]
    found = session.run(names, {name: array for name, array in given.items() if name in read})
    tops = section(stored, "top")
    compared = 0
    for name, array in zip(names, found):
        plain = name.removesuffix(":layer")
        np.testing.assert_allclose(array, tops[plain], rtol=1e-4, atol=1e-5, err_msg=name)
        compared += 1
    assert compared
