"""Layers that Caffe's numbers were recorded of: what onnxruntime computes from the export is Caffe's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe.convert.onnx import export
from minicaffe.convert.onnx.rules import RULES
from minicaffe.proto import binary, text
from minicaffe.proto.schema import NetParameter

from .exporting import onnxruntime

FOLDER = Path(__file__).parent.parent / "golden" / "layers"
IN_TRAINING = ("BatchNorm", "Dropout")  # in phase TRAIN they compute something else
CASES = sorted(path for path in FOLDER.glob("*.npz") if path.stem.split("_")[0] in RULES)


def section(stored, name: str) -> dict[str, np.ndarray]:
    return {key.split("/", 1)[1]: stored[key] for key in stored.files if key.startswith(f"{name}/")}


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_onnxruntime_computes_caffes_numbers(path, tmp_path):
    stored = np.load(path)
    param = text.parse(str(stored["net"]), NetParameter)
    parameters = section(stored, "param")
    (layer,) = (one for one in param.layer if one.name == "layer")
    if str(stored["phase"]) == "TRAIN" and layer.type in IN_TRAINING:
        pytest.skip("recorded in training")
    sources = [one.top[0] for one in param.layer if one.type == "Input"]
    given = {name: array for name, array in section(stored, "bottom").items() if name in sources}
    weights = NetParameter(name="w")
    stored_layer = weights.layer.add(name="layer", type=layer.type)
    stored_layer.blobs.extend(binary.from_array(array) for array in parameters.values())
    binary_path = tmp_path / "w.caffemodel"
    binary_path.write_bytes(weights.SerializeToString())
    out = tmp_path / "net.onnx"
    export(param, binary_path if parameters else None, out, inputs=given)
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
