"""Rules about what might be done better."""

from __future__ import annotations

from collections.abc import Iterator

from ..finding import ADVICE, Finding
from ..state import State

LINEAR = {"Convolution": "convolution_param", "InnerProduct": "inner_product_param"}
WITH_BIAS = {**LINEAR, "Deconvolution": "convolution_param"}


def batch_norm_without_scale(state: State) -> Iterator[Finding]:
    """Caffe's BatchNorm has no scale and shift of its own."""
    for i in state.of_type("BatchNorm"):
        if not any(state.layers[j].type in ("Scale", "BatchNorm") for j in state.above[i]):
            what = "no Scale behind it: every channel is left at mean 0 and variance 1"
            yield state.finding(ADVICE, i, what, "add a Scale layer with scale_param { bias_term: true }")


def bias_before_batch_norm(state: State) -> Iterator[Finding]:
    """The mean takes a bias away again."""
    for i in state.of_type("BatchNorm"):
        source = state.origin(i, through=frozenset())
        if source is None or state.layers[i].batch_norm_param.use_global_stats:
            continue
        layer = state.layers[source]
        if layer.type in WITH_BIAS and getattr(layer, WITH_BIAS[layer.type]).bias_term:
            what = f"BatchNorm {state.layers[i].name!r} behind it takes its bias away again"
            yield state.finding(ADVICE, source, what, "bias_term: false")


def dropout_before_batch_norm(state: State) -> Iterator[Finding]:
    """Dropout changes the variance in training alone, so that the running statistics do not fit."""
    for i in state.of_type("BatchNorm"):
        source = state.origin(i, through=frozenset())
        if source is not None and state.layers[source].type == "Dropout":
            what = f"BatchNorm {state.layers[i].name!r} sees another variance in TEST than in TRAIN"
            yield state.finding(ADVICE, source, what, "put Dropout behind BatchNorm")


def linear_after_linear(state: State) -> Iterator[Finding]:
    """Two linear layers in a row compute no more than one."""
    for i in state.of_type(*LINEAR):
        source = state.origin(i)
        if source is not None and state.layers[source].type in LINEAR:
            what = f"it follows layer {state.layers[source].name!r} without a nonlinearity: the two are one"
            yield state.finding(ADVICE, i, what, "put a ReLU in between")


def skipped_elements(state: State) -> Iterator[Finding]:
    """A stride longer than the window: elements that nobody reads."""
    for i in state.of_type("Convolution", "Pooling"):
        layer = state.layers[i]
        if layer.type == "Convolution":
            conf = layer.convolution_param
            kernels, strides, dilated = (
                list(conf.kernel_size),
                list(conf.stride),
                max(conf.dilation, default=1),
            )
        else:
            conf = layer.pooling_param
            kernels, strides, dilated = [conf.kernel_size], [conf.stride], 1
        if kernels and strides and dilated == 1 and 1 < max(kernels) < min(strides):
            what = f"stride {min(strides)} is longer than the kernel, {max(kernels)}: elements are lost"
            yield state.finding(ADVICE, i, what, "lower the stride, or enlarge the kernel")


def no_accuracy(state: State) -> Iterator[Finding]:
    """A test net of a classifier that reports its loss alone."""
    if state.trains or state.deploys or any(state.of_type("Accuracy", "SegAccuracy", "Python")):
        return
    if any(i is not None for i in state.of_type("SoftmaxWithLoss")):
        what = "the test net reports a loss, but no accuracy"
        yield state.finding(ADVICE, None, what, "add an Accuracy layer with include { phase: TEST }")
