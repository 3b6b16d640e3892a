"""The index of layer types: Caffe's name -> the module that holds the class of that name.

Importing this package imports no layer; `resolve` does, on first use.
"""

from __future__ import annotations

import importlib

from ..core.layer import Layer
from ..errors import UnknownTypeError
from ..proto import guesses

LAYERS = {
    "AbsVal": "neuron.abs_val",
    "Accuracy": "loss.accuracy",
    "ArgMax": "loss.arg_max",
    "BatchNorm": "norm.batch_norm",
    "BatchReindex": "shape.batch_reindex",
    "Bias": "linear.bias",
    "BNLL": "neuron.bnll",
    "Clip": "neuron.clip",
    "Concat": "shape.concat",
    "ContrastiveLoss": "loss.contrastive_loss",
    "Convolution": "vision.convolution",
    "Crop": "shape.crop",
    "Data": "source.data",
    "Deconvolution": "vision.deconvolution",
    "Dropout": "neuron.dropout",
    "DummyData": "source.dummy_data",
    "Eltwise": "shape.eltwise",
    "ELU": "neuron.elu",
    "Embed": "linear.embed",
    "EuclideanLoss": "loss.euclidean_loss",
    "Exp": "neuron.exp",
    "Filter": "shape.filter",
    "Flatten": "shape.flatten",
    "HDF5Data": "source.hdf5_data",
    "HDF5Output": "sink.hdf5_output",
    "HingeLoss": "loss.hinge_loss",
    "Im2col": "vision.im2col",
    "ImageData": "source.image_data",
    "InfogainLoss": "loss.infogain_loss",
    "InnerProduct": "linear.inner_product",
    "Input": "source.input",
    "Log": "neuron.log",
    "LRN": "norm.lrn",
    "LSTM": "recurrent.lstm",
    "LSTMUnit": "recurrent.lstm_unit",
    "MemoryData": "source.memory_data",
    "MultinomialLogisticLoss": "loss.multinomial_logistic_loss",
    "MVN": "norm.mvn",
    "OneHot": "shape.one_hot",
    "Parameter": "source.parameter",
    "Pooling": "vision.pooling",
    "Power": "neuron.power",
    "PReLU": "neuron.prelu",
    "Python": "user.python",
    "Reduction": "shape.reduction",
    "ReLU": "neuron.relu",
    "Reshape": "shape.reshape",
    "RNN": "recurrent.rnn",
    "Scale": "linear.scale",
    "Sigmoid": "neuron.sigmoid",
    "SigmoidCrossEntropyLoss": "loss.sigmoid_cross_entropy_loss",
    "Silence": "sink.silence",
    "Slice": "shape.slice",
    "Softmax": "loss.softmax",
    "SoftmaxWithLoss": "loss.softmax_with_loss",
    "Split": "shape.split",
    "SPP": "vision.spp",
    "Swish": "neuron.swish",
    "TanH": "neuron.tanh",
    "Threshold": "neuron.threshold",
    "Tile": "shape.tile",
    "WindowData": "source.window_data",
}


def resolve(name: str) -> type[Layer]:
    """The class of layer type `name`; UnknownTypeError, with the name that was meant, if there is none."""
    if name not in LAYERS:
        raise UnknownTypeError(f"no layer type {name!r}", hint=guesses.layer_type(name))
    return getattr(importlib.import_module(f".{LAYERS[name]}", __name__), name)
