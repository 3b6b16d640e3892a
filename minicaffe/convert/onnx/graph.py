"""An ONNX graph while it is being written: tensors, nodes, and the draft that a layer's rule writes with.

Nothing here needs the package onnx: model.py makes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.blob import Blob
from ...core.layer import Layer
from ...errors import ConfigError, Place

FLOAT, INT64, BOOL, DOUBLE = 1, 7, 9, 11  # TensorProto.DataType, for Cast
# What hands on the numbers of its first input (Concat: of every input) as they are.
CARRYING = {"Cast", "Concat", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze"}
RESHAPING = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}  # and all of them, in their order

# Values for an input, of a generator and its shape.
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


class NoEquivalent(ConfigError):
    """A layer, or an option of one, that ONNX cannot express."""


class Tensor:
    """A value in the graph.  It gets its name when the graph is complete; `hint` is what to call it if no
    blob of the net lends it one.  A constant has a value."""

    def __init__(self, hint: str, *, value: np.ndarray | None = None, node: Node | None = None) -> None:
        self.hint = hint
        self.value = value
        self.node = node  # that computes it
        self.name = ""


@dataclass(eq=False)
class Node:
    """One operation; an input left out is None, an attribute may be a Graph (the body of a Scan)."""

    op: str
    inputs: list[Tensor | None]
    attributes: dict[str, Any]
    layer: str
    outputs: list[Tensor] = field(default_factory=list)


@dataclass(eq=False)
class Graph:
    """Nodes in order of execution between inputs and outputs; notes are for the person who exports."""

    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    below: dict[Tensor, int] = field(default_factory=dict)  # inputs that hold whole numbers below this
    draws: dict[Tensor, Draw] = field(default_factory=dict)  # inputs that hold what this makes up

    def add(
        self, op: str, inputs: Sequence[Tensor | None], layer: str, outputs: int, **attributes: Any
    ) -> Node:
        node = Node(op, list(inputs), attributes, layer)
        node.outputs = [Tensor(f"{layer}/{op}", node=node) for _ in range(outputs)]
        self.nodes.append(node)
        return node


class Draft:
    """What the rule of one layer reads and writes.

    layer      the layer, set up: rules take its parameters from there
    bottom     its input tensors; x is the first
    shapes     of the bottoms
    top_shapes of the tops
    top_dims   the same for Reshape: -1 for the one axis that goes with the batch, if that is free, or with
               what was found before; None if several do
    jumps      set by a rule whose layer chooses or rounds: a change in the last bit of what it reads may
               change all that it computes

    Called with an operator's name and inputs it adds a node and returns its output.  Inputs may also be
    arrays, numbers (float32 scalars) and lists (int64): they become constants.
    """

    def __init__(
        self,
        graph: Graph,
        layer: Layer,
        bottom: list[Tensor],
        shapes: list[tuple[int, ...]],
        top_shapes: list[tuple[int, ...]],
        top_dims: list[tuple[int, ...] | None],
        params: dict[Any, Tensor],
    ) -> None:
        self.graph = graph
        self.layer: Any = layer  # rules know its class
        self.bottom, self.shapes, self.top_shapes, self.top_dims = bottom, shapes, top_shapes, top_dims
        self._params = params
        self.jumps = False

    @property
    def x(self) -> Tensor:
        return self.bottom[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of x."""
        return self.shapes[0]

    def axis(self, index: int) -> int:
        """An axis of x, counted from the front."""
        return index % len(self.shape)

    def __call__(self, op: str, *inputs: Any, **attributes: Any) -> Tensor:
        return self.several(op, *inputs, outputs=1, **attributes)[0]

    def several(self, op: str, *inputs: Any, outputs: int, **attributes: Any) -> list[Tensor]:
        """A node with several outputs."""
        found = [value if value is None else self.constant(value) for value in inputs]
        return self.graph.add(op, found, self.layer.name, outputs, **attributes).outputs

    def constant(self, value: Any) -> Tensor:
        """An array, number or list as a tensor; a tensor as it is."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, (list, tuple)):
            value = np.array(value, np.int64)
        elif not isinstance(value, np.ndarray):
            value = np.array(value, np.float32)
        return Tensor(f"{self.layer.name}/constant", value=value)

    def param(self, blob: Blob, shape: Sequence[int] | None = None) -> Tensor:
        """A parameter of the layer as a constant, perhaps in another shape; what layers share is stored
        once."""
        shape = tuple(blob.shape if shape is None else shape)
        key = blob.data.ctypes.data, shape  # layers that share a parameter have a Blob each, over one array
        if key not in self._params:
            value = np.array(self.layer.device.get(blob.data), np.float32).reshape(shape)
            self._params[key] = Tensor(blob.name, value=value)
        return self._params[key]

    def values(self, blob: Blob) -> np.ndarray:
        """A parameter in double precision, to compute constants from."""
        return np.asarray(self.layer.device.get(blob.data), np.float64)

    def reshaped(self, x: Tensor, top: int = 0) -> Tensor:
        """x in the shape of a top."""
        dims = self.top_dims[top]
        if dims is None:
            raise NoEquivalent(
                "several axes of its top go with the batch, or with what is found",
                hint="export with a fixed batch",
            )
        return self("Reshape", x, list(dims))

    def require(self, condition: bool, reason: str, hint: str = "") -> None:
        """NoEquivalent(reason) unless condition."""
        if not condition:
            raise NoEquivalent(reason, hint=hint)

    def note(self, text: str) -> None:
        """Something that whoever exports should know."""
        self.graph.notes.append(f"{Place.of(self.layer)}: {text}")

    def whole_numbers(self, x: Tensor, below: int) -> None:
        """x must be whole numbers from 0 to below - 1: so are then the inputs that it is made of, which the
        proof makes up."""
        if x in self.graph.inputs:
            self.graph.below[x] = min(below, self.graph.below.get(x, below))
        elif x.node and x.node.op in CARRYING:
            for tensor in x.node.inputs if x.node.op == "Concat" else x.node.inputs[:1]:
                if tensor is not None:
                    self.whole_numbers(tensor, below)

    def made_up(self, x: Tensor, draw: Draw) -> None:
        """The proof is to draw x so, if it is an input, perhaps in another shape."""
        if x in self.graph.inputs:
            self.graph.draws.setdefault(x, draw)
        elif x.node and x.node.op in RESHAPING and x.node.inputs[0] is not None:
            self.made_up(x.node.inputs[0], draw)
