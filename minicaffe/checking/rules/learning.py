"""Rules about what can be learned."""

from __future__ import annotations

from collections.abc import Iterator

from ..finding import ADVICE, WARNING, Finding
from ..state import State
from .structure import made_layers

WEIGHTED = {
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "Embed": "embed_param",
    "InnerProduct": "inner_product_param",
}


def nothing_to_learn(state: State) -> Iterator[Finding]:
    """A training net without a parameter that is trained."""
    if state.net and state.trains and not any(any(layer.param_gradient) for layer in state.net.layers):
        what = "no layer has a parameter that is trained"
        yield state.finding(WARNING, None, what, "set lr_mult above 0 where learning is wanted")


def constant_weights(state: State) -> Iterator[Finding]:
    """Equal weights stay equal: all outputs of a layer get the same gradient; at 0 nothing passes at all."""
    weighted = list(state.of_type(*WEIGHTED))
    if not state.trains or len(weighted) < 2:  # a single layer, as in logistic regression, does learn
        return
    for i in weighted:
        layer = state.layers[i]
        conf = getattr(layer, WEIGHTED[layer.type])
        filler = conf.weight_filler
        if filler.type == "constant" and not layer.blobs and conf.num_output != 1:
            given = "" if conf.HasField("weight_filler") else ", the default"
            what = f"weight_filler is constant {filler.value:g}{given}: " + (
                "all outputs stay alike" if filler.value else "nothing can be learned from zeros"
            )
            yield state.finding(
                WARNING, i, what, 'weight_filler { type: "xavier" }, or "msra" in front of a ReLU'
            )


def not_under_a_loss(state: State) -> Iterator[Finding]:
    """Parameters that are to be trained in a layer that no loss depends on."""
    if state.net is None or not state.trains:
        return
    runs = {id(layer): backward.runs for layer, backward in zip(state.net.layers, state.net.gradients)}
    if not any(runs.values()):  # no loss at all: said elsewhere
        return
    for i, layer, _ in made_layers(state):
        if any(layer.param_gradient) and not runs[id(layer)]:
            what = "its parameters stay as they are: no loss depends on them"
            yield state.finding(WARNING, i, what, "connect it to a loss, or set lr_mult: 0")


def batch_of_one(state: State) -> Iterator[Finding]:
    """Statistics of a single sample."""
    if state.net is None or not state.trains:
        return
    for i, layer, tops in made_layers(state):
        conf = layer.param.batch_norm_param
        if layer.type == "BatchNorm" and not conf.use_global_stats and tops[0].shape[0] == 1:
            what = "takes its statistics from batches of one"
            yield state.finding(WARNING, i, what, "raise batch_size, or set use_global_stats: true")


def softmax_twice(state: State) -> Iterator[Finding]:
    """Probabilities where scores are expected: the loss squashes by itself."""
    for loss, squash in (("SoftmaxWithLoss", "Softmax"), ("SigmoidCrossEntropyLoss", "Sigmoid")):
        for i in state.of_type(loss):
            source = state.origin(i)
            if source is not None and state.layers[source].type == squash:
                what = (
                    f"{loss} contains a {squash}; it is fed by layer {state.layers[source].name!r}, another"
                )
                yield state.finding(WARNING, i, what, "feed it the scores in front of that layer")


def scores_as_probabilities(state: State) -> Iterator[Finding]:
    """Scores where probabilities are expected."""
    for i in state.of_type("MultinomialLogisticLoss"):
        source = state.origin(i)
        if source is not None and state.layers[source].type in (*WEIGHTED, "ReLU"):
            what = f"takes probabilities; layer {state.layers[source].name!r} makes scores"
            yield state.finding(WARNING, i, what, "use SoftmaxWithLoss, or put a Softmax in between")


def activation_on_scores(state: State) -> Iterator[Finding]:
    """A ReLU on scores: classes below zero get no gradient."""
    for i in state.of_type("SoftmaxWithLoss", "SigmoidCrossEntropyLoss"):
        source = state.origin(i)
        if source is not None and state.layers[source].type in ("ReLU", "Sigmoid", "TanH"):
            kind = state.layers[source].type
            if (kind, state.layers[i].type) != ("Sigmoid", "SigmoidCrossEntropyLoss"):
                what = (
                    f"the scores go through a {kind}, layer {state.layers[source].name!r}, which bounds them"
                )
                yield state.finding(ADVICE, i, what, "feed the loss the layer below it")
