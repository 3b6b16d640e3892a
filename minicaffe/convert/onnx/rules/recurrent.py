"""Layers of sequences: LSTM, Lstm, RNN, LSTMUnit; what starts them, and what reads lines out of scores.

ONNX's own LSTM and RNN know no `cont`, which starts sequences anew in the middle of a batch (and Caffe's RNN
has a second tanh).  Scan runs a step's nodes once for every row of z, what all steps take of their inputs.
"""

from __future__ import annotations

import numpy as np

from ....core.blob import Blob
from ....layers.recurrent.bottoms import CONT, STATIC, X
from ..graph import FLOAT, Draft, Graph, NoEquivalent, Tensor


def goes_on(w: Draft, cont: Tensor, state: Tensor) -> Tensor:
    """cont (N) times a state (N, D)."""
    return w("Mul", w("Unsqueeze", cont, [1]), state)


def cells(w: Draft, gates: Tensor, c: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """h and c of gates i, f, o, g side by side on `axis` and the cells before, cont times."""
    i, f, o, g = w.several("Split", gates, outputs=4, axis=axis)
    i, f, o = (w("Sigmoid", gate) for gate in (i, f, o))
    c = w("Add", w("Mul", f, c), w("Mul", i, w("Tanh", g)))
    return w("Mul", o, w("Tanh", c)), c


def lstm_unit(w: Draft) -> list[Tensor]:
    before, gates, cont = w.bottom
    w.whole_numbers(cont, 2)
    h, c = cells(w, gates, w("Mul", w("Unsqueeze", cont, [2]), before), 2)
    return [c, h]


def inputs_share(w: Draft, x: Tensor) -> Tensor:
    """z (T, N, gates D) = x W_x^T + bias (+ x_static W_static^T), x by steps."""
    layer = w.layer
    z = w("Add", w("MatMul", x, transposed(w, layer.w_x)), w.param(layer.bias))
    if layer.static:
        static = w("Flatten", w.bottom[STATIC], axis=1)
        z = w("Add", z, w("MatMul", static, transposed(w, layer.w_static)))
    return z


def transposed(w: Draft, blob: Blob) -> np.ndarray:
    return np.ascontiguousarray(w.values(blob).T.astype(np.float32))


def steps(w: Draft, x: Tensor, goes: Tensor) -> tuple[Tensor, list[Tensor]]:
    """h of all steps (T, N, D), and the states behind the last, (N, D) each, for x and cont by steps."""
    layer, outer = w.layer, w.graph
    if layer.exposed:
        before = [w("Squeeze", x, [0]) for x in w.bottom[len(w.bottom) - layer.states :]]
    else:
        before = [w.constant(np.zeros((layer.n, layer.size), np.float32)) for _ in range(layer.states)]
        if layer.state:
            w.note("every run starts from state 0; the layer itself goes on where its last pass ended")
    z = inputs_share(w, x)
    weights = transposed(w, layer.w_h)
    name = f"{layer.name}/step"
    body = Graph()
    states = [Tensor(f"{name}/{part}") for part in ("h", "c")[: layer.states]]
    z_t, cont = Tensor(f"{name}/z"), Tensor(f"{name}/cont")
    body.inputs = [*states, z_t, cont]
    w.graph = body
    gates = w("Add", z_t, w("MatMul", goes_on(w, cont, states[0]), weights))
    if layer.states == 2:
        h, c = cells(w, gates, goes_on(w, cont, states[1]), 1)
        after = [h, c]
    else:
        h = w("Tanh", gates)
        after = [h]
    body.outputs = [*after, w("Identity", h)]
    w.graph = outer
    *last, all_h = w.several("Scan", *before, z, goes, outputs=layer.states + 1, body=body, num_scan_inputs=2)
    return all_h, last


def by_steps(w: Draft) -> tuple[Tensor, list[Tensor]]:
    """`steps` of bottoms that are so already."""
    w.whole_numbers(w.bottom[CONT], 2)
    return steps(w, w("Reshape", w.bottom[X], [0, 0, -1]), w.bottom[CONT])


def lstm(w: Draft) -> list[Tensor]:
    h, last = by_steps(w)
    return [h, *exposed(w, last)]


def need_steps(w: Draft) -> None:
    """NoEquivalent if the number of steps is free."""
    fixed = w.top_dims[0] is not None and -1 not in w.top_dims[0]
    w.require(fixed, "the number of its steps is part of the file", "export with a fixed batch")


def lstm_sequences(w: Draft) -> Tensor:
    """Lstm."""
    layer = w.layer
    if layer.carrying:
        w.whole_numbers(w.bottom[CONT], 2)
        goes = w("Reshape", w.bottom[CONT], [-1, layer.n])
    else:
        need_steps(w)
        goes = w.constant(np.array(layer.device.get(layer.going_on), np.float32))
    h, _ = steps(w, w("Reshape", w.bottom[X], [-1, layer.n, layer.features]), goes)
    return w.reshaped(h)


def rnn(w: Draft) -> list[Tensor]:
    h, last = by_steps(w)
    o = w("Add", w("MatMul", h, transposed(w, w.layer.w_o)), w.param(w.layer.bias_o))
    return [w("Tanh", o), *exposed(w, last)]


def exposed(w: Draft, last: list[Tensor]) -> list[Tensor]:
    """The last states as tops (1, N, D)."""
    return [w("Unsqueeze", state, [0]) for state in last] if w.layer.exposed else []


def greedy_decoder(w: Draft) -> Tensor:
    """CTCGreedyDecoder: labels that count sort before all others, in the order of steps."""
    g = w.layer.g
    if len(w.bottom) > 1:
        raise NoEquivalent("it compares lines with labels, which a net for use does not have")
    need_steps(w)
    x = w("Reshape", w.x, [0, 0, -1])
    best = w("Transpose", w("Cast", w("ArgMax", x, axis=2, keepdims=0), to=FLOAT), perm=[1, 0])  # (N, T)
    told = w("Abs", w("Sub", best, float(g.blank)))  # above 0 where a label is said
    if g.merge and g.steps > 1:
        first = w.constant(np.ones((g.n, 1), np.float32))
        now, before = w("Slice", best, [1], [g.steps], [1]), w("Slice", best, [0], [g.steps - 1], [1])
        told = w("Mul", told, w("Concat", first, w("Abs", w("Sub", now, before)), axis=1))
    told = w("Min", told, 1.0)
    steps = w.constant(np.arange(g.steps, dtype=np.float32))
    keys = w("Add", steps, w("Mul", w("Sub", 1.0, told), float(g.steps)))
    _, order = w.several("TopK", keys, [g.steps], outputs=2, axis=1, largest=0)
    lines = w("Sub", w("Mul", w("Add", best, 1.0), told), 1.0)
    return w.reshaped(w("GatherElements", lines, order, axis=1))


def continuation(w: Draft) -> Tensor:
    """ContinuationIndicator."""
    values = np.ones(w.layer.shape, np.float32)
    values[0] = 0
    return w.constant(values)


RULES = {
    "ContinuationIndicator": continuation,
    "CTCGreedyDecoder": greedy_decoder,
    "LSTM": lstm,
    "Lstm": lstm_sequences,
    "LSTMUnit": lstm_unit,
    "RNN": rnn,
}
