"""Nets that Caffe ships and prototxt/ does not: edits of those that it does, and small ones written here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from minicaffe.proto import text, upgrade
from minicaffe.proto.schema import LayerParameter, NetParameter
from tools.nets import layers as l

PROTOTXT = Path(__file__).resolve().parent.parent.parent / "prototxt"


def shipped(path: str) -> NetParameter:
    return upgrade.read_net(PROTOTXT / path)


def parsed(layers: str) -> NetParameter:
    return text.parse(layers, NetParameter)


def layer(net: NetParameter, name: str) -> LayerParameter:
    """The first layer of that name."""
    return next(one for one in net.layer if one.name == name)


def replace(net: NetParameter, change: Callable[[LayerParameter], list[LayerParameter]]) -> NetParameter:
    """The net with every layer replaced by the layers that `change` makes of it."""
    layers = [new for one in net.layer for new in change(one)]
    edited = NetParameter(name=net.name)
    edited.layer.extend(layers)
    return edited


def renamed(net: NetParameter, old: str, new: str) -> NetParameter:
    """The net with layer and blob `old` called `new`."""
    for one in net.layer:
        if one.name == old:
            one.name = new
        for names in (one.bottom, one.top):
            names[:] = [new if name == old else name for name in names]
    return net


def reclassified(path: str, name: str, classes: int) -> NetParameter:
    """An ImageNet net whose fc8 has another name and number of classes."""
    net = shipped(path)
    layer(net, "fc8").inner_product_param.num_output = classes
    return renamed(net, "fc8", name)


# -- CIFAR-10 with sigmoids


def sigmoid_cifar10() -> NetParameter:
    """cifar10_full with a Sigmoid, not in place, for every ReLU, and without normalization."""

    def change(one: LayerParameter) -> list[LayerParameter]:
        if one.type == "LRN":
            return []
        if one.type == "ReLU":
            one.name, one.type = one.name.replace("relu", "Sigmoid"), "Sigmoid"
            del one.top[:]
            one.top.append(one.name)
        return [one]

    return _rewired(replace(shipped("cifar10_full/train_test.prototxt"), change))


def normalized_cifar10() -> NetParameter:
    """The same with BatchNorm before every Sigmoid, and convolutions without bias."""

    def change(one: LayerParameter) -> list[LayerParameter]:
        if one.type == "Convolution":
            one.convolution_param.bias_term = False
            del one.param[1:]
        if one.type != "Sigmoid":
            return [one]
        name = one.name.replace("Sigmoid", "bn")
        statistics = [{"lr_mult": 0}] * 3
        norm = LayerParameter(name=name, type="BatchNorm", bottom=one.bottom, top=[name], param=statistics)
        one.bottom[:] = [name]
        return [norm, one]

    return replace(sigmoid_cifar10(), change)


def _rewired(net: NetParameter) -> NetParameter:
    """Where a layer was dropped or a top renamed, later layers read what now stands in its place."""
    now = "data"
    for one in net.layer:
        if one.type in ("Data", "Accuracy", "SoftmaxWithLoss"):
            continue
        one.bottom[:] = [now]
        now = one.top[0]
    return net


# -- CaffeNet and what was made of it


def fully_convolutional() -> NetParameter:
    """CaffeNet with convolutions for inner products: a map of scores."""
    net = shipped("caffenet/deploy.prototxt")
    shape = layer(net, "data").input_param.shape[0]
    shape.dim[:] = [1, 3, 451, 451]
    for name, kernel in (("fc6", 6), ("fc7", 1), ("fc8", 1)):
        one = layer(net, name)
        one.convolution_param.num_output = one.inner_product_param.num_output
        one.convolution_param.kernel_size.append(kernel)
        one.type = "Convolution"
        one.ClearField("inner_product_param")
        renamed(net, name, f"{name}-conv")
    return net


def features() -> NetParameter:
    """CaffeNet with probabilities beside the loss, for extract_features."""

    def change(one: LayerParameter) -> list[LayerParameter]:
        if one.type != "Accuracy":
            return [one]
        one.bottom[0] = "prob"
        return [LayerParameter(name="prob", type="Softmax", bottom=["fc8"], top=["prob"]), one]

    return replace(shipped("caffenet/train_val.prototxt"), change)


def detection() -> NetParameter:
    """CaffeNet for 21 classes of windows, whose loss has no top."""
    net = reclassified("caffenet/train_val.prototxt", "fc8_pascal", 21)
    del layer(net, "loss").top[:]
    return net


def without_prob(net: NetParameter) -> NetParameter:
    return replace(net, lambda one: [] if one.type == "Softmax" else [one])


# -- small nets

LOGISTIC = """
layer { name: "fc1" type: "InnerProduct" bottom: "data" top: "fc1" inner_product_param { num_output: 2 } }
"""
HIDDEN = """
layer { name: "fc1" type: "InnerProduct" bottom: "data" top: "fc1" inner_product_param { num_output: 40 } }
layer { name: "relu1" type: "ReLU" bottom: "fc1" top: "fc1" }
layer { name: "fc2" type: "InnerProduct" bottom: "fc1" top: "fc2" inner_product_param { num_output: 2 } }
"""


def hdf5(body: str, scores: str, *, always: bool = False) -> NetParameter:
    """A classifier of four features; accuracy in TEST or always."""
    net = parsed('layer { name: "data" type: "HDF5Data" top: "data" top: "label" }' + body)
    accuracy = l.accuracy(scores)
    if always:
        accuracy.ClearField("include")
    net.layer.extend([accuracy, l.softmax_loss(scores)])
    return net


def linear_regression() -> NetParameter:
    return parsed("""
    layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 10 dim: 3 dim: 2 } } }
    layer { name: "y" type: "DummyData" top: "y" dummy_data_param { shape { dim: 10 dim: 3 dim: 2 } } }
    layer { name: "ipx" type: "InnerProduct" bottom: "x" top: "ipx" inner_product_param { num_output: 10 } }
    layer { name: "ipy" type: "InnerProduct" bottom: "y" top: "ipy" inner_product_param { num_output: 10 } }
    layer { name: "loss" type: "Python" bottom: "ipx" bottom: "ipy" top: "loss" loss_weight: 1
      python_param { module: "tests.support.python_layers" layer: "Distance" } }
    """)


def surgery() -> NetParameter:
    return parsed("""
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 100 dim: 100 } } }
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
      convolution_param { num_output: 3 kernel_size: 5 } }
    """)
