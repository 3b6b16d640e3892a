"""The index of layer types: Caffe's name -> the module that holds the class of that name.

Importing this package imports no layer; `resolve` does, on first use.
"""

from __future__ import annotations

import importlib

from ..core.layer import Layer
from ..errors import UnknownTypeError, suggest

LAYERS = {
    "Accuracy": "loss.accuracy",
    "Concat": "shape.concat",
    "Convolution": "vision.convolution",
    "Data": "source.data",
    "Dropout": "neuron.dropout",
    "DummyData": "source.dummy_data",
    "Eltwise": "shape.eltwise",
    "EuclideanLoss": "loss.euclidean_loss",
    "Flatten": "shape.flatten",
    "HDF5Data": "source.hdf5_data",
    "InnerProduct": "linear.inner_product",
    "Input": "source.input",
    "LRN": "norm.lrn",
    "Pooling": "vision.pooling",
    "Power": "neuron.power",
    "ReLU": "neuron.relu",
    "Reshape": "shape.reshape",
    "Sigmoid": "neuron.sigmoid",
    "SigmoidCrossEntropyLoss": "loss.sigmoid_cross_entropy_loss",
    "Silence": "sink.silence",
    "Softmax": "loss.softmax",
    "SoftmaxWithLoss": "loss.softmax_with_loss",
    "Split": "shape.split",
    "TanH": "neuron.tanh",
}


def resolve(name: str) -> type[Layer]:
    """The class of layer type `name`; UnknownTypeError, with the closest names, if there is none."""
    if name not in LAYERS:
        raise UnknownTypeError(f"no layer type {name!r}", hint=suggest(name, LAYERS))
    return getattr(importlib.import_module(f".{LAYERS[name]}", __name__), name)
