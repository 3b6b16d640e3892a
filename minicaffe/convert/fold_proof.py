"""The proof of a fold: the net that came out computes what the net before it computes, of the same inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..device.cpu import CpuDevice
from ..errors import MiniCaffeError
from ..net import Net, weights
from ..proto.schema import NetParameter
from .deploy import Deployment, Shapes
from .fold import FoldedNet
from .onnx.proof import TOLERANCE, ProofError, difference


def prove(net: NetParameter, stored: NetParameter, folded: FoldedNet, shapes: Shapes | None = None) -> str:
    """Run both nets in the TEST phase on normally distributed inputs; returns a line that says how far their
    outputs are apart, or why they cannot be run: data layers whose shapes are not known, inputs that must be
    whole numbers.  Data layers become inputs, and losses go.

    shapes   of inputs, by name, in place of what the net says

    Raises ProofError for an output that differs by more than 1e-4 of its largest value.
    """
    device = CpuDevice("float64" if _is_double(stored) else "float32")
    try:
        before = _outputs(net, stored, device, shapes)
        after = _outputs(folded.net, folded.weights, device, shapes)
    except ProofError:
        raise
    except MiniCaffeError as error:
        return f"not proven: the outputs before and after could not be compared ({error})"
    worst, where = 0.0, ""
    for name, value in before.items():
        if name not in after or after[name].shape != value.shape:
            raise ProofError(f"output {name!r} is not what it was", hint=_NOTHING_WRITTEN)
        absolute, relative = difference(value, after[name])
        if not relative <= TOLERANCE:
            raise ProofError(
                f"output {name!r} differs by {absolute:.3g} after folding, {relative:.3g} of its largest"
                f" value; at most {TOLERANCE:g} is allowed",
                hint=_NOTHING_WRITTEN,
            )
        if relative >= worst:
            worst, where = relative, name
    if not before or not all(np.isfinite(value).any() for value in before.values()):
        return "not proven: an output has no finite value for random inputs"
    return f"proven: outputs differ by at most {worst:.2g} of their largest value ({where})"


_NOTHING_WRITTEN = "nothing was written; look at the BatchNorm layers whose variances are near 0"


def _is_double(stored: NetParameter) -> bool:
    return any(blob.double_data for layer in stored.layer for blob in layer.blobs)


def _outputs(
    param: NetParameter, stored: NetParameter, device: CpuDevice, shapes: Shapes | None
) -> Mapping[str, np.ndarray]:
    deployed = Deployment(param, shapes=shapes)
    net = Net(deployed.param, device=device, seed=1, forward_only=True)
    weights.load_message(net.parameters, stored, "the weights", quiet=True)
    random = np.random.default_rng(1)
    net.put_inputs({name: random.standard_normal(net.blobs[name].shape) for name in net.inputs})
    return {name: np.array(value) for name, value in net.forward().items()}
