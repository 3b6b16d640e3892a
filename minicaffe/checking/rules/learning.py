"""Rules about what can be learned."""

from __future__ import annotations

from collections.abc import Iterator

from ..finding import ADVICE, WARNING, Finding
from ..state import SHAPING, State
from .structure import made_layers

WEIGHTED = {
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "Embed": "embed_param",
    "InnerProduct": "inner_product_param",
}
LOSSES = (
    *("EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss"),
    *("SigmoidCrossEntropyLoss", "SoftmaxWithLoss"),
)
BATCHES = {
    "AnnotatedData": "data_param",
    "Data": "data_param",
    "HDF5Data": "hdf5_data_param",
    "ImageData": "image_data_param",
}
RESHAPING = SHAPING - {"Dropout"}


def nothing_to_learn(state: State) -> Iterator[Finding]:
    """A training net without a parameter that is trained."""
    if state.net and state.trains and not any(any(layer.param_gradient) for layer in state.net.layers):
        what = "no layer has a parameter that is trained"
        yield state.finding(WARNING, None, what, "set lr_mult above 0 where learning is wanted")


def constant_weights(state: State) -> Iterator[Finding]:
    """Equal weights stay equal: all outputs of a layer get the same gradient; at 0 nothing passes at all.
    One finding for all layers."""
    weighted = list(state.of_type(*WEIGHTED))
    if len(weighted) < 2 or not state.trains or state.weights:  # one layer, as in logistic regression, learns
        return
    found = []
    for i in weighted:
        conf = getattr(state.layers[i], WEIGHTED[state.layers[i].type])
        if conf.weight_filler.type == "constant" and not state.layers[i].blobs and conf.num_output != 1:
            found.append((i, conf))
    if found:
        i, conf = found[0]
        value = conf.weight_filler.value
        default = "" if conf.HasField("weight_filler") else ", the default"
        effect = "all outputs stay alike" if value else "nothing can be learned from zeros"
        others = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
        what = f"weight_filler is constant {value:g}{default}: {effect}{others}"
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
    """Statistics of a single sample; where shapes are not known, batch_size tells."""
    if not state.trains:
        return
    if state.net is not None:
        alone = {i for i, _, tops in made_layers(state) if tops and tops[0].shape[:1] == (1,)}
    else:
        sizes = {
            getattr(state.layers[i], BATCHES[state.layers[i].type]).batch_size
            for i in state.of_type(*BATCHES)
        }
        alone = set(range(len(state.layers))) if sizes == {1} else set()
    for i in state.of_type("BatchNorm"):
        if i in alone and not state.layers[i].batch_norm_param.use_global_stats:
            what = "takes its statistics from batches of one"
            yield state.finding(WARNING, i, what, "raise batch_size, or set use_global_stats: true")


def statistics_that_never_start(state: State) -> Iterator[Finding]:
    """BatchNorm with the running statistics, which nothing has made yet: they are 0."""
    if not state.trains or state.weights:
        return
    for i in state.of_type("BatchNorm"):
        layer = state.layers[i]
        if layer.batch_norm_param.use_global_stats and not layer.blobs:
            what = "use_global_stats: true in training: without weights to start from its statistics stay 0"
            yield state.finding(WARNING, i, what, "remove use_global_stats, or start from weights")


def statistics_of_the_batch(state: State) -> Iterator[Finding]:
    """BatchNorm that in use looks at the batch at hand."""
    if state.trains:
        return
    for i in state.of_type("BatchNorm"):
        conf = state.layers[i].batch_norm_param
        if conf.HasField("use_global_stats") and not conf.use_global_stats:
            what = "use_global_stats: false: an output depends on what else is in its batch"
            yield state.finding(WARNING, i, what, "remove it: TEST takes the statistics of training")


def dropped_scores(state: State) -> Iterator[Finding]:
    """Dropout behind the last layer: scores that are wiped out at random."""
    for i in state.of_type(*LOSSES, "Softmax"):
        source = state.origin(i, through=RESHAPING)
        if source is None or state.layers[source].type != "Dropout":
            continue
        maker = state.origin(source, through=RESHAPING)
        if maker is not None and state.layers[maker].type in WEIGHTED:
            what = f"it wipes out scores of layer {state.layers[maker].name!r} on their way into the loss"
            yield state.finding(WARNING, source, what, "put it in front of that layer")


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
