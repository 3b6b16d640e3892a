"""A net and its weights as an ONNX file, for inference, with proof: the file is written only after
onnxruntime has computed the same from it as the net (extra `onnx`).

    ../deploy.py  data layers become inputs, losses go
    freedom.py    which extents the file leaves free
    translate.py  layer by layer (rules/) to a graph (graph.py), and names
    model.py      the graph as ONNX's messages, checked
    proof.py      the same inputs through both
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, Place
from ...files import write_atomic
from ...net import Net
from ...proto.schema import Message
from ..deploy import Deployment, Shapes
from ..model import load_all
from .freedom import other_extents, sizes
from .model import BATCH, OPSET, require_packages, to_model
from .proof import TOLERANCE, Agreement, Proof, inputs_for
from .translate import check_types, translate

__all__ = ["Exported", "export"]


@dataclass
class Exported:
    """What was written, and how far it is from the net.

    inputs   shape by name; outputs: the agreement of each
    notes    what the file does not have of the net, and what has another form
    """

    path: str
    inputs: dict[str, tuple[Any, ...]]
    outputs: list[Agreement]
    nodes: int
    parameters: int
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For the terminal."""
        took = ", ".join(f"{name} {_spelled(shape)}" for name, shape in self.inputs.items())
        found = [f"input {took}"]
        for one in self.outputs:
            found.append(
                f"output {one.name} {_spelled(one.shape)}: differs from onnxruntime's by at most"
                f" {one.absolute:.2g}, {one.relative:.2g} of its largest value"
            )
        found += [f"note: {note}" for note in self.notes]
        found.append(f"wrote {self.path}: opset {OPSET}, {self.nodes} nodes, {self.parameters} parameters")
        return found


def export(
    net_param: str | Path | Message,
    weights_path: str | Path | None,
    out_path: str | Path,
    *,
    shapes: Shapes | None = None,
    free_batch: bool = False,
    level: int | None = None,
    stages: Sequence[str] = (),
    inputs: Mapping[str, np.ndarray] | None = None,
    tolerance: float = TOLERANCE,
    seed: int = 1,
) -> Exported:
    """Write a net with its weights as `out_path`, and prove that onnxruntime computes the same from it.

    net_param     a prototxt or NetParameter: a deploy net, or one with data layers and losses
    weights_path  a file of any format that `minicaffe convert` reads; None: what the fillers give
    shapes        of inputs, by name, in place of what the net says; needed for data layers whose source is
                  not here
    level, stages of the net's state, beside phase TEST
    free_batch    the first axis of the inputs may have any extent; proven for two
    inputs        to prove with, by name; random ones if left out
    tolerance     the largest difference of a blob allowed, as a share of its largest value

    The tensors have the names of the blobs.  What an in-place layer overwrites is <blob>:<layer that wrote
    it>; an output that is an input overwritten in place as well, because a graph cannot have both under one
    name.

    Raises ConfigError without onnx and onnxruntime; NoEquivalent, which names every layer that ONNX cannot
    express; WeightsError for layers that the weights lack; ProofError if the results differ; and then
    `out_path` is as it was before.
    """
    require_packages()
    deployed = Deployment(net_param, shapes=shapes, level=level, stages=stages)
    check_types(deployed.param, str(Path(deployed.source).parent) if deployed.source else None)
    net = Net(deployed.param, source=deployed.source, seed=seed, forward_only=True)
    if weights_path is not None:
        load_all(net, weights_path)
    other = other_extents(deployed.param, net, free_batch=free_batch)
    made = translate(net, other)
    shapes_of = sizes(made, net, other)
    model = to_model(net.name, made, shapes_of)
    taken = {tensor.name: shapes_of[tensor] for tensor in made.graph.inputs}
    proof = Proof(model, made, net, tolerance)
    given = {name: np.asarray(array, np.float32) for name, array in (inputs or {}).items()}
    agreements = proof.on(inputs_for(made.graph, net, seed) | given)
    if made.jumping:  # as many are not found in everything
        proof.on(inputs_for(made.graph, net, seed + 1) | given)
    if free_batch and other:
        longer = {name: np.concatenate([a, a[:1]]) for name, a in given.items() if BATCH in taken[name]}
        proof.on(inputs_for(made.graph, other, seed) | given | longer)
    try:
        write_atomic(out_path, proof.content)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot write {out_path}: {reason}") from None
    notes = deployed.notes + made.graph.notes
    notes += [f"{Place.of(one)}: as many rows as it finds, in every run" for one in net.layers if one.settles]
    parameters = sum(owned.blob.count for owned in net.parameters.owned)
    return Exported(str(out_path), taken, agreements, len(model.graph.node), parameters, notes)


def _spelled(shape: tuple[Any, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
