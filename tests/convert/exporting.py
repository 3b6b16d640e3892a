"""What the tests of the ONNX export share: nets in few words, and what onnxruntime makes of a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minicaffe.convert.onnx import Exported, export
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

onnx = pytest.importorskip("onnx")  # who imports this module is skipped without them
onnxruntime = pytest.importorskip("onnxruntime")


def net(layers: str, **inputs: tuple[int, ...]) -> NetParameter:
    """A net of `layers` over inputs of these shapes."""
    param = text.parse(layers, NetParameter)
    sources = []
    for name, shape in inputs.items():
        source = NetParameter().layer.add(name=name, type="Input", top=[name])
        source.input_param.shape.add(dim=shape)
        sources.append(source)
    return NetParameter(name="net", layer=[*sources, *param.layer])


def layer(kind: str, parameters: str = "", bottom=("x",), top=("y",), name: str = "layer") -> str:
    """One layer, with parameters in prototxt."""
    blobs = "".join(f' bottom: "{b}"' for b in bottom) + "".join(f' top: "{t}"' for t in top)
    return f'layer {{ name: "{name}" type: "{kind}"{blobs} {parameters} }}\n'


def single(kind: str, parameters: str, shapes, tops: int) -> NetParameter:
    """A net of one layer over inputs x0, x1... with tops y0, y1..."""
    inputs = {f"x{i}": shape for i, shape in enumerate(shapes)}
    head = layer(kind, parameters, inputs, [f"y{i}" for i in range(tops)])
    if not inputs:  # a net needs something to compute from
        head, inputs = (
            layer(kind, parameters, (), ("y0",)) + layer("AbsVal", "", ["x"], ["z"], "abs"),
            {"x": (1,)},
        )
    return net(head, **inputs)


def written(param: NetParameter, weights=None, **options) -> tuple[Exported, Any]:
    """The report and the model of an export that proved itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        report = export(param, weights, path, **options)
        return report, onnx.load(path)


def computed(model: Any, **inputs: np.ndarray) -> list[np.ndarray]:
    """The outputs of a model."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def operators(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]
