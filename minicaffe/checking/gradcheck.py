"""Finite differences against backward for every layer of a net, in place within the net."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, suggest
from ..net import Net
from .difference import FAIL, KINK, OK, Probe, compare, culprit
from .isolated import Isolated

NOT_CHECKED = "not checked"
DIRECTIONS = 4
COORDINATES = 4


class GradientVerdict(NamedTuple):
    """What is found out about one gradient.

    blob     the bottom's name, or "param 0"
    checked  how many directions and coordinates were tried
    error    the largest relative error; None if nothing was tried
    verdict  "ok", "kink", "FAIL" or "not checked"
    note     why it is not ok
    element  of a FAIL: the index of the element that is most to blame
    numeric, analytic   its partial derivative by differences and by backward
    """

    layer: str
    type: str
    blob: str
    checked: int
    error: float | None
    verdict: str
    note: str = ""
    element: tuple[int, ...] | None = None
    numeric: float | None = None
    analytic: float | None = None


def gradcheck(
    net: Net,
    layers: Collection[str] = (),
    *,
    directions: int = DIRECTIONS,
    coordinates: int = COORDINATES,
    seed: int = 0,
) -> list[GradientVerdict]:
    """Run the net forward once, and compare the backward of every layer, or of those named, with central
    differences of its forward.

    net          in float64; its data layers bring the batch.  Fill Input layers before, or call fill_inputs
    directions   random directions per blob, in which all of its elements move
    coordinates  elements per blob that are moved alone: half of them where the gradient is largest

    Each layer is taken by itself, at the bottoms and parameters that it has in the pass, with random numbers
    as gradient of its tops; so an error shows in the layer that makes it.  Bottoms without a gradient
    (labels) and parameters that are not trained are not checked.

    Raises ConfigError for a net in another precision, and for a layer that is not there.
    """
    if net.device.dtype != np.float64:
        raise ConfigError(
            f"gradients are checked in float64; the net is in {net.device.dtype}",
            hint="Net(..., device=CpuDevice(numpy.float64))",
        )
    names = [layer.name for layer in net.layers]
    for name in layers:
        if name not in names:
            raise ConfigError(f"the net has no layer {name!r}", hint=suggest(name, names))
    rows: list[GradientVerdict] = []
    net.stage()
    for i, layer in enumerate(net.layers):
        alone = None
        if layer.writes:
            if not layers or layer.name in layers:
                rows.append(
                    GradientVerdict(layer.name, layer.type, "", 0, None, NOT_CHECKED, "it writes a file")
                )
            continue
        if not layers or layer.name in layers:
            if layer.source or not (layer.params or net.bottoms[i]):
                rows.append(
                    GradientVerdict(layer.name, layer.type, "", 0, None, NOT_CHECKED, "it brings data in")
                )
            else:
                alone = Isolated(net, i)  # before the layer runs, which may overwrite its bottoms
        net.run_forward(i, i)
        if alone is not None:
            rng = np.random.default_rng([seed, i])
            rows += _check(net, i, alone, rng, directions, coordinates)
    net.verify()
    return rows


def fill_inputs(net: Net, seed: int = 0) -> None:
    """Put random numbers into the tops of Input layers: normal ones, but 0 or 1 for labels."""
    rng = np.random.default_rng(seed)
    labels: set[int] = set()
    for node in reversed(net.graph.nodes):
        for i, blob in enumerate(node.bottoms):
            through = node.param.type == "Split" and labels.intersection(node.tops)
            if through or not node.kind.differentiable(i, node.param):
                labels.add(blob)
    for blob, name in zip(net.graph.inputs, net.inputs):
        shape = net.blobs[name].shape
        array = rng.integers(0, 2, shape) if blob in labels else rng.standard_normal(shape)
        net.device.put(array, net.blobs[name].data)


def _check(
    net: Net, i: int, alone: Isolated, rng: np.random.Generator, directions: int, coordinates: int
) -> Iterator[GradientVerdict]:
    """The rows of layer i."""
    layer, bottoms = net.layers[i], list(net.graph.nodes[i].param.bottom)
    where = (layer.name, layer.type)
    blobs = bottoms + [f"param {j}" for j in range(len(layer.params))]
    reasons = ["" if d else "it has no gradient" for d in alone.propagate]
    reasons += ["" if learned else "it is not trained (lr_mult 0)" for learned in alone.learned]
    reasons = [
        reason or ("" if value.size else "it is empty")
        for reason, value in zip(reasons, [*alone.bottoms, *alone.params])
    ]
    if all(reasons):
        yield from (
            GradientVerdict(*where, blob, 0, None, NOT_CHECKED, why) for blob, why in zip(blobs, reasons)
        )
        return
    tops = alone.evaluate(alone.bottoms, alone.params)
    if not all(np.isfinite(top).all() for top in tops):
        yield from (
            GradientVerdict(*where, blob, 0, None, NOT_CHECKED, "a top is not finite") for blob in blobs
        )
        return
    slopes = _slopes(net, i, tops, rng)
    down, up = alone.gradients(slopes)
    for k, (blob, reason, gradient) in enumerate(zip(blobs, reasons, [*down, *up])):
        if reason or gradient is None:
            yield GradientVerdict(*where, blob, 0, None, NOT_CHECKED, reason)
            continue
        probe = _probe(alone, k, tops, slopes, gradient)
        moves = list(_moves(gradient, rng, directions, coordinates))
        outcomes = [compare(probe, direction) for direction in moves]
        worst = max(outcomes, key=lambda outcome: (OK, KINK, FAIL).index(outcome.verdict))
        error = max((o.error for o in outcomes if o.verdict == worst.verdict), default=0.0)
        row = GradientVerdict(*where, blob, len(outcomes), error, worst.verdict, worst.note)
        if worst.verdict == FAIL:
            failed = [move for move, outcome in zip(moves, outcomes) if outcome.verdict == FAIL]
            found = culprit(probe, min(failed, key=np.count_nonzero))  # a single element, if one was moved
            row = row._replace(**found._asdict()) if found else row
        yield row


def _probe(
    alone: Isolated, k: int, tops: Sequence[np.ndarray], slopes: Sequence[np.ndarray], gradient: np.ndarray
) -> Probe:
    """The layer as a function of its array k, counting bottoms and then parameters."""
    values, count = [*alone.bottoms, *alone.params], len(alone.bottoms)

    def evaluate(value: np.ndarray) -> list[np.ndarray]:
        moved = [*values[:k], value, *values[k + 1 :]]
        return alone.evaluate(moved[:count], moved[count:])

    def backward(other: Sequence[np.ndarray]) -> np.ndarray:
        down, up = alone.gradients(other)
        return [*down, *up][k]  # type: ignore[return-value]

    return Probe(values[k], tops, evaluate, slopes, gradient, backward)


def _moves(
    gradient: np.ndarray, rng: np.random.Generator, directions: int, coordinates: int
) -> Iterator[np.ndarray]:
    """Directions to move in: random ones, and single elements, each once."""
    if gradient.size > 1:
        for _ in range(directions):
            yield rng.standard_normal(gradient.shape)
    single = min(coordinates, gradient.size)
    largest = np.argsort(-np.abs(gradient), axis=None, kind="stable")[: -(-single // 2)]
    others = rng.permutation(gradient.size)
    chosen = [*largest, *others[~np.isin(others, largest)]][:single]
    for place in chosen:
        direction = np.zeros(gradient.shape)
        direction.flat[place] = 1.0
        yield direction


def _slopes(net: Net, i: int, tops: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Random gradients for the tops; 0 for what passes none back, and for what stands beside a loss and is
    only looked at."""
    node, layer = net.graph.nodes[i], net.layers[i]
    result = []
    for j, top in enumerate(tops):
        slope = rng.uniform(0.5, 1.5, top.shape) * rng.choice([-1.0, 1.0], top.shape)
        beside = layer.loss_weight and j > 0 and node.tops[j] in net.graph.outputs
        result.append(slope * (not beside and j not in layer.detached_tops))
    return result
