"""What published scripts do with pycaffe, in small: DeepDream, style transfer, DIGITS, Faster R-CNN."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from google.protobuf import text_format
from scipy.optimize import minimize

from minicaffe import pycaffe as caffe
from minicaffe.pycaffe.proto import caffe_pb2

from .nets import write

SIZE = 12

INCEPTION = """
name: "inception"
input: "data" input_dim: 1 input_dim: 3 input_dim: 12 input_dim: 12
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" relu_param { negative_slope: 0.1 } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "3x3" type: "Convolution" bottom: "pool1" top: "3x3"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "1x1" type: "Convolution" bottom: "pool1" top: "1x1"
  convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "4c/output" type: "Concat" bottom: "3x3" bottom: "1x1" top: "4c/output" }
layer { name: "pool" type: "Pooling" bottom: "4c/output" top: "pool"
  pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


@pytest.fixture
def deploy(mode) -> str:
    """A prototxt, with weights in inception.caffemodel."""
    path = write("inception.prototxt", INCEPTION)
    caffe.Net(path, caffe.TEST).save("inception.caffemodel")
    return path


def forced(path: str) -> str:
    """The net with force_backward, as scripts set it."""
    model = caffe.io.caffe_pb2.NetParameter()
    with open(path) as file:
        text_format.Merge(file.read(), model)
    model.force_backward = True
    return write("forced.prototxt", str(model))


def test_deep_dream(deploy):
    """Ascent on the activations of a layer, over octaves, from shifted images: src and dst are held, the
    input takes on another size in every octave."""
    net = caffe.Classifier(
        forced(deploy), "inception.caffemodel", mean=np.float32([104, 116, 122]), channel_swap=(2, 1, 0)
    )
    mean = net.transformer.mean["data"]
    rng = np.random.default_rng(1)
    image = np.rollaxis(rng.uniform(0, 255, (SIZE, SIZE, 3)), 2)[::-1].astype(np.float32) - mean
    src, dst = net.blobs["data"], net.blobs["4c/output"]
    for size in (6, 9, SIZE):
        src.reshape(1, 3, size, size)
        src.data[0] = image[:, :size, :size]
        energies = []
        for shift in ((1, -2), (0, 3), (2, 2)):
            src.data[0] = np.roll(src.data[0], shift, (1, 2))
            net.forward(end="4c/output")
            energies.append(float(np.square(dst.data).sum()))
            dst.diff[:] = dst.data
            net.backward(start="4c/output")
            gradient = src.diff[0]
            assert gradient.shape == (3, size, size)
            src.data[:] += 8 / np.abs(gradient).mean() * gradient
            src.data[0] = np.roll(src.data[0], [-s for s in shift], (1, 2))
        assert energies[0] < energies[-1]
        src.data[:] = np.clip(src.data, -mean, 255 - mean)
    dreamt = src.data.copy()
    assert net.forward(end="4c/output").keys() == {"4c/output"}
    fresh = caffe.Net("forced.prototxt", "inception.caffemodel", caffe.TEST)
    np.testing.assert_array_equal(fresh.forward(data=dreamt, end="4c/output")["4c/output"], dst.data)


def test_style_by_lbfgs(deploy):
    """Gradients put into two layers, backward from one to the next, SciPy's optimizer around."""
    net = caffe.Net(forced(deploy), "inception.caffemodel", caffe.TEST)
    rng = np.random.default_rng(2)
    layers = ["4c/output", "conv1"]
    net.forward(data=rng.standard_normal((1, 3, SIZE, SIZE)))
    goals = {layer: net.blobs[layer].data.copy() for layer in layers}

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        net.blobs["data"].data[...] = x.reshape(net.blobs["data"].data.shape)
        net.forward(end=layers[0])
        apart = {layer: net.blobs[layer].data - goals[layer] for layer in layers}
        net.blobs[layers[0]].diff[...] = apart[layers[0]]
        net.backward(start=layers[0], end="pool1")
        net.blobs["conv1"].diff[...] += apart["conv1"]
        net.backward(start="relu1")
        total = sum(0.5 * np.square(d.astype(float)).sum() for d in apart.values())
        return total, net.blobs["data"].diff.flatten().astype(float)

    start = rng.standard_normal(3 * SIZE * SIZE)
    direction = rng.standard_normal(start.size)
    slope = (loss(start + 1e-3 * direction)[0] - loss(start - 1e-3 * direction)[0]) / 2e-3
    assert slope == pytest.approx(loss(start)[1] @ direction, rel=1e-2)
    found = minimize(loss, start, method="L-BFGS-B", jac=True, options={"maxiter": 15})
    assert found.fun < loss(start)[0] / 10


def test_digits_classifies_images_with_a_stored_mean(deploy):
    """Sizes from the description, a mean out of a binaryproto, a batch as large as the images are many."""
    description, mean = caffe_pb2.NetParameter(), caffe_pb2.BlobProto()
    with open(deploy) as file:
        text_format.Merge(file.read(), description)
    stored = caffe.io.array_to_blobproto(np.full((1, 3, 20, 20), 3)).SerializeToString()
    mean.MergeFromString(stored)
    transformer = caffe.io.Transformer(inputs={"data": description.input_dim})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", caffe.io.blobproto_to_array(mean)[0])
    net = caffe.Net(deploy, "inception.caffemodel", caffe.TEST)
    images = np.random.default_rng(3).uniform(0, 255, (4, SIZE, SIZE, 3))
    net.blobs["data"].reshape(len(images), *description.input_dim[1:])
    for index, image in enumerate(images):
        net.blobs["data"].data[index] = transformer.preprocess("data", image)
    scores = net.forward()[net.outputs[-1]]
    alone = caffe.Net(deploy, "inception.caffemodel", caffe.TEST)
    for image, score in zip(images, scores):
        found = alone.forward(data=image.transpose(2, 0, 1)[None] - 3)["prob"][0]
        np.testing.assert_allclose(score, found, rtol=1e-4, atol=1e-6)


DETECTION_LAYERS = '''
import caffe
import numpy as np


class RoIData(caffe.Layer):
    """Images of many sizes; the tops get their shapes in setup and in forward, as in Faster R-CNN."""

    def setup(self, bottom, top):
        assert self.param_str_ == self.param_str == "21"
        self.random = None
        top[0].reshape(1, 3, 8, 8)
        top[1].reshape(1, 3)

    def set_roidb(self, seed):
        self.random = np.random.RandomState(seed)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        height, width = self.random.randint(6, 14, 2)
        image = self.random.randn(1, 3, height, width)
        for blob, values in zip(top, (image, np.array([[height, width, 1.0]]))):
            blob.reshape(*values.shape)
            blob.data[...] = values.astype(np.float32, copy=False)

    def backward(self, top, propagate_down, bottom):
        pass


class Proposal(RoIData):
    """As many regions as the image is high, from 1 to 5."""

    def setup(self, bottom, top):
        top[0].reshape(1, 5)

    def forward(self, bottom, top):
        count = int(bottom[0].data[0, 0]) % 5 + 1
        top[0].reshape(count, 5)
        top[0].data[...] = np.arange(count * 5).reshape(count, 5) / 5


class RoIMean(RoIData):
    """The features' means, times a number of the region."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(bottom[1].num, bottom[0].channels)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[1].data[:, 1:2] * bottom[0].data.mean((0, 2, 3))

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            pixels = bottom[0].height * bottom[0].width
            bottom[0].diff[...] = (top[0].diff * bottom[1].data[:, 1:2]).sum(0)[:, None, None] / pixels


class Loss(RoIData):
    """Half the sum of squares, of scores weighed by a parameter per class."""

    def setup(self, bottom, top):
        self.blobs.add_blob(bottom[0].shape[1])
        self.blobs[0].data[...] = 1

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.weighed = bottom[0].data * self.blobs[0].data
        top[0].data[0] = np.square(self.weighed).sum() / 2

    def backward(self, top, propagate_down, bottom):
        slope = top[0].diff[0] * self.weighed
        self.blobs[0].diff[...] += (slope * bottom[0].data).sum(0)
        bottom[0].diff[...] = slope * self.blobs[0].data
'''

DETECTION = """
layer { name: "input-data" type: "Python" top: "data" top: "im_info"
  python_param { module: "detection_layers" layer: "RoIData" param_str: "21" } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "proposal" type: "Python" bottom: "im_info" top: "rois"
  python_param { module: "detection_layers" layer: "Proposal" } }
layer { name: "roi" type: "Python" bottom: "conv1" bottom: "rois" top: "pooled"
  python_param { module: "detection_layers" layer: "RoIMean" } }
layer { name: "bbox_pred" type: "InnerProduct" bottom: "pooled" top: "bbox_pred"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "Python" bottom: "bbox_pred" top: "loss" loss_weight: 0.5 param { decay_mult: 0 }
  python_param { module: "detection_layers" layer: "Loss" } }
"""
SOLVER = """
train_net: "detection.prototxt" base_lr: 0.01 lr_policy: "step" gamma: 0.1 stepsize: 50 momentum: 0.9
weight_decay: 0.0005 snapshot: 0 snapshot_prefix: "frcn" random_seed: 1
"""


def test_faster_rcnn_trains_by_single_steps(mode, tmp_path, monkeypatch):
    """A solver around layers in Python whose shapes change in every pass; weights are rescaled for a
    snapshot, and back."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "detection_layers", raising=False)
    write("detection_layers.py", DETECTION_LAYERS)
    write("detection.prototxt", DETECTION)
    solver = caffe.SGDSolver(write("solver.prototxt", SOLVER))
    settings = caffe_pb2.SolverParameter()
    with open("solver.prototxt") as file:
        text_format.Merge(file.read(), settings)
    net = solver.net
    net.layers[0].set_roidb(7)
    before = {name: [blob.data.copy() for blob in blobs] for name, blobs in net.params.items()}
    shapes, counts = set(), set()
    while solver.iter < 8:
        solver.step(1)
        shapes.add(net.blobs["data"].data.shape)
        counts.add(net.blobs["bbox_pred"].data.shape[0])
        assert net.blobs["conv1"].data.shape[2:] == net.blobs["data"].data.shape[2:]
        assert net.blobs["loss"].diff[0] == 0.5
    assert len(shapes) > 3 and len(counts) > 2
    for name, arrays in before.items():
        assert (net.params[name][0].data != arrays[0]).any()

    stds = np.arange(1, 6, dtype=np.float32)
    trained = net.params["bbox_pred"][0].data.copy()
    net.params["bbox_pred"][0].data[...] = net.params["bbox_pred"][0].data * stds[:, np.newaxis]
    net.save(f"{settings.snapshot_prefix}_iter_{solver.iter}.caffemodel")
    net.params["bbox_pred"][0].data[...] = trained
    stored = caffe_pb2.NetParameter()
    with open("frcn_iter_8.caffemodel", "rb") as file:
        stored.ParseFromString(file.read())
    layers = {layer.name: layer for layer in stored.layer}
    np.testing.assert_allclose(
        caffe.io.blobproto_to_array(layers["bbox_pred"].blobs[0]), trained * stds[:, None], rtol=1e-6
    )
    assert len(layers["loss"].blobs) == 1
    solver.step(1)


def test_fine_tuning_by_surgery_on_the_description(deploy):
    """Rates per layer and a new last layer, by protobuf alone; another shape is refused by name."""
    model = caffe_pb2.NetParameter()
    with open(deploy) as file:
        text_format.Merge(file.read(), model)
    for layer in model.layer:
        if layer.type == "Convolution":
            layer.ClearField("param")
            layer.param.add(lr_mult=0)
            layer.param.add(lr_mult=0)
    last = next(layer for layer in model.layer if layer.name == "fc")
    last.inner_product_param.num_output = 7
    with pytest.raises(ValueError, match=r"layer 'fc' .* stored with shape \(5, 6\); the net has \(7, 6\)"):
        caffe.Net(write("wider.prototxt", str(model)), "inception.caffemodel", caffe.TEST)
    last.name = "fc-new"
    net = caffe.Net(write("wider.prototxt", str(model)), "inception.caffemodel", caffe.TEST)
    source = caffe.Net(deploy, "inception.caffemodel", caffe.TEST)
    np.testing.assert_array_equal(net.params["conv1"][0].data, source.params["conv1"][0].data)
    net.forward()
    net.backward(prob=np.ones((1, 7)))
    assert net.params["fc-new"][0].diff.shape == (7, 6) and not net.params["conv1"][0].diff.any()
