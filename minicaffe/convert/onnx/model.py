"""From a complete graph to an ONNX file's bytes: the one place that builds messages of the package onnx.

Opset 17, IR version 8: the oldest pair that has all operators written here, so that every runtime since 2022
reads the file.  What later opsets changed among these (axes of Reduce operators as inputs, the rounding of
ceil_mode, which is never used) would buy nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ConfigError, extra
from .graph import FLOAT, Graph, Tensor
from .proof import FAULT, ProofError
from .translate import Translation, tensors

OPSET, IR = 17, 8
LIMIT = 2**31 - 1  # bytes of a protobuf message
BATCH = "batch"  # the name of the free axis


def require_packages() -> None:
    """ConfigError without onnx and onnxruntime."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"writing ONNX needs onnx and onnxruntime; {error.name} is not installed",
            hint=extra("onnx"),
        ) from None


def to_model(name: str, made: Translation, sizes: dict[Tensor, tuple[Any, ...]]) -> Any:
    """A ModelProto, checked in full; `sizes` are the shapes of inputs and outputs, free axes by name or None.

    Raises ConfigError for parameters of 2 GiB and more, ProofError if the check fails.
    """
    import onnx
    from onnx import checker, helper

    constants = {id(t): t for t in tensors(made.graph) if t.value is not None}
    total = sum(t.value.nbytes for t in constants.values() if t.value is not None)
    if total > LIMIT:
        raise ConfigError(f"the parameters take {total} bytes; an ONNX file holds at most {LIMIT}")
    graph = _to_graph(made.graph, name or "net", sizes)
    for tensor in constants.values():
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(tensor.value), tensor.name))
    model = helper.make_model(
        graph, producer_name="minicaffe", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR
    )
    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ProofError(f"onnx {onnx.__version__} finds the model wrong: {error}", hint=FAULT) from None
    return model


def _to_graph(graph: Graph, name: str, sizes: dict[Tensor, tuple[Any, ...]]) -> Any:
    from onnx import helper

    def values(found: list[Tensor]) -> list[Any]:
        return [helper.make_tensor_value_info(t.name, FLOAT, sizes.get(t)) for t in found]

    nodes = []
    for i, node in enumerate(graph.nodes):
        attributes = {
            key: _to_graph(value, key, {}) if isinstance(value, Graph) else value
            for key, value in node.attributes.items()
        }
        inputs = ["" if tensor is None else tensor.name for tensor in node.inputs]
        outputs = [tensor.name for tensor in node.outputs]
        nodes.append(helper.make_node(node.op, inputs, outputs, f"{node.layer}/{node.op}/{i}", **attributes))
    return helper.make_graph(nodes, name, values(graph.inputs), values(graph.outputs))
