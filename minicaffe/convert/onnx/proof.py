"""The proof of an exported model: onnxruntime computes the same as the net, blob by blob."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ...errors import MiniCaffeError
from ...net import Net
from .graph import Graph
from .translate import Translation

TOLERANCE = 1e-4
FAULT = "nothing was written; this is a fault of minicaffe or of the package named"


class ProofError(MiniCaffeError, ArithmeticError):
    """A model that does not compute what the net computes."""


class Agreement(NamedTuple):
    """How far an output of the model is from the net's: the largest difference, and its share of the largest
    value."""

    name: str
    shape: tuple[int, ...]
    absolute: float
    relative: float


def inputs_for(graph: Graph, net: Net, seed: int) -> dict[str, np.ndarray]:
    """Values for the inputs as they stand: normally distributed, or what layers ask for, whole numbers or
    others."""
    random = np.random.default_rng(seed)
    result = {}
    for tensor in graph.inputs:
        shape = net.blobs[tensor.name].shape
        below, draw = graph.below.get(tensor), graph.draws.get(tensor)
        if draw is not None:
            drawn = draw(random, shape).reshape(shape)
        else:
            drawn = random.standard_normal(shape) if below is None else random.integers(0, below, shape)
        result[tensor.name] = drawn.astype(np.float32)
    return result


class Proof:
    """A model's bytes beside the net that it was made of.

    Two sessions run it: as a user would, optimized, for the outputs, and node by node for every blob, because
    a fault far from the outputs may hardly show there.

    A layer that jumps, such as one that sorts scores, turns a difference in the last bit of what it reads
    into another order, and all behind it is another result, though neither is wrong.  What such a layer reads
    is compared first, and then the net's gets the values that onnxruntime's had.  For that the optimized
    model shows them as well.
    """

    def __init__(self, model: Any, made: Translation, net: Net, tolerance: float) -> None:
        self.made, self.net, self.tolerance = made, net, tolerance
        inner = {t.name for t in made.values.values() if t.node} - {t.name for t in made.graph.outputs}
        self.content: bytes = model.SerializeToString()
        self._plain = self._session(self.content, optimize=True)
        outputs = len(model.graph.output)
        read = {self._tensor(name) for i in made.jumping for name in self._bottoms(i)} & inner
        for shown, optimize in ((read, True), (inner, False)):
            for name in sorted(shown):
                model.graph.output.add(name=name)
            session = self._session(model.SerializeToString(), optimize=optimize) if shown else self._plain
            del model.graph.output[outputs:]
            if optimize:
                self._as_used = session
        self._by_node = session

    def on(self, inputs: Mapping[str, np.ndarray]) -> list[Agreement]:
        """Run net and model on the same inputs; the agreement of every output.

        Raises ProofError for a model that onnxruntime does not run, for the first blob whose difference is
        more than `tolerance` of its largest value, and for outputs without a finite value, which show
        nothing.
        """
        found = self._run(self._by_node, inputs)
        self._forward(inputs, found)
        for name, tensor in self.made.values.items():
            if tensor.name in found:
                self._compare(f"blob {name!r}", self._value(name), found[tensor.name])
        result, found = [], self._run(self._as_used, inputs)
        if self.made.jumping:
            self._forward(inputs, found)
        for tensor, blob in zip(self.made.graph.outputs, self.made.outputs):
            ours = self._value(blob.name)
            absolute, relative = self._compare(f"output {tensor.name!r}", ours, found[tensor.name])
            if ours.size and not np.isfinite(ours).any():
                raise ProofError(
                    f"output {tensor.name!r} has no finite value for these inputs: nothing is proven",
                    hint="give inputs that suit the net",
                )
            result.append(Agreement(tensor.name, blob.shape, absolute, relative))
        return result

    def _forward(self, inputs: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> None:
        """A pass of the net, whose jumping layers read what they read in onnxruntime."""
        self.net.reset_state()
        self.net.put_inputs(inputs)
        self.net.observer = _Handover(self, found) if self.made.jumping else None
        try:
            self.net.forward()
        finally:
            self.net.observer = None

    def hand_over(self, i: int, found: Mapping[str, np.ndarray]) -> None:
        """Before layer i of the net runs."""
        for name in self._bottoms(i) if i in self.made.jumping else ():
            theirs = found.get(self._tensor(name))
            if theirs is not None:
                self._compare(f"blob {name!r}", self._value(name), theirs)
                self.net.device.put(theirs, self.net.blobs[name].data)

    def _bottoms(self, i: int) -> list[str]:
        return [blob.name for blob in self.net.bottoms[i]]

    def _tensor(self, blob: str) -> str:
        return self.made.values[blob].name

    def _compare(self, what: str, ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
        if ours.shape != theirs.shape:
            raise ProofError(
                f"{what} has the shape {ours.shape} in the net, {theirs.shape} in onnxruntime", hint=FAULT
            )
        absolute, relative = difference(ours, theirs)
        if not relative <= self.tolerance:
            raise ProofError(
                f"{what} differs by {absolute:.3g} in onnxruntime, {relative:.3g} of its largest value;"
                f" at most {self.tolerance:g} is allowed",
                hint=FAULT,
            )
        return absolute, relative

    def _value(self, name: str) -> np.ndarray:
        return np.asarray(self.net.device.get(self.net.blobs[name].data))

    def _session(self, content: bytes, optimize: bool) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is raised
        if not optimize:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        with _runtime_errors():
            return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def _run(self, session: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        taken = {value.name: inputs[value.name] for value in session.get_inputs()}
        names = [value.name for value in session.get_outputs()]
        with _runtime_errors():
            return dict(zip(names, session.run(names, taken)))


class _Handover:
    """Tells the proof of every layer that is about to run."""

    def __init__(self, proof: Proof, found: Mapping[str, np.ndarray]) -> None:
        self.proof, self.found = proof, found

    def before_forward(self, layer: int) -> None:
        self.proof.hand_over(layer, self.found)

    def after_forward(self, layer: int) -> None:
        pass

    before_backward = after_backward = after_forward


@contextmanager
def _runtime_errors() -> Iterator[None]:
    import onnxruntime as ort

    try:
        yield
    except Exception as error:  # onnxruntime's own have no common base
        what = f"onnxruntime {ort.__version__} does not run the model: {error}"
        raise ProofError(what, hint=FAULT) from None


def difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """The largest difference, absolute and as a share of the largest finite value; NaN equals NaN."""
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(a - b))
    absolute = float(np.where(np.isnan(gap), np.inf, gap).max(initial=0))
    level = float(np.abs(a[np.isfinite(a)]).max(initial=0))
    return absolute, absolute / level if level else (np.inf if absolute else 0.0)
