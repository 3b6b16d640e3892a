"""The layer types: the index of those that there are, and those of Caffe.

In the schema a type is a mere string.  A type that is in the index and none of Caffe's is an extension.
"""

from __future__ import annotations

# Caffe's name of a type -> the module in minicaffe/layers that holds the class of that name.
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

# What Caffe 1.0 registers.
CAFFE_TYPES = frozenset(
    """AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution Crop
    Data Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data
    HDF5Output HingeLoss Im2col ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData
    MultinomialLogisticLoss PReLU Parameter Pooling Power Python RNN ReLU Reduction Reshape SPP Scale Sigmoid
    SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split Swish TanH Threshold Tile
    WindowData""".split()
)
