"""net_surgery: parameters edited in place, inputs of other sizes, and a classifier made convolutional."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import minicaffe.pycaffe as caffe

from . import digits

CONV = """
name: "convolution"
input: "data"
input_dim: 1 input_dim: 1 input_dim: 100 input_dim: 100
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 3 kernel_size: 5 stride: 1
                            weight_filler { type: "gaussian" std: 0.01 }
                            bias_filler { type: "constant" value: 0 } } }
"""
BELOW = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: %d dim: %d } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
"""
CLASSIFIER = (
    BELOW % (8, 8)
    + """
layer { name: "fc6" type: "InnerProduct" bottom: "pool1" top: "fc6"
        inner_product_param { num_output: 12 weight_filler { type: "xavier" } } }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7"
        inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc7" top: "prob" }
"""
)
CONVOLUTIONAL = (
    BELOW % (16, 20)
    + """
layer { name: "fc6-conv" type: "Convolution" bottom: "pool1" top: "fc6-conv"
        convolution_param { num_output: 12 kernel_size: 3 } }
layer { name: "fc7-conv" type: "Convolution" bottom: "fc6-conv" top: "fc7-conv"
        convolution_param { num_output: 10 kernel_size: 1 } }
layer { name: "prob" type: "Softmax" bottom: "fc7-conv" top: "prob" }
"""
)


@pytest.fixture
def net(folder):
    Path("conv.prototxt").write_text(CONV)
    return caffe.Net("conv.prototxt", caffe.TEST)


def test_an_input_of_another_size(net):
    image = digits.load("test")[0][0, 0]
    assert [(k, v.data.shape) for k, v in net.blobs.items()] == [
        ("data", (1, 1, 100, 100)),
        ("conv", (1, 3, 96, 96)),
    ]
    im_input = image[np.newaxis, np.newaxis, :, :]
    net.blobs["data"].reshape(*im_input.shape)
    net.blobs["data"].data[...] = im_input
    net.forward()
    assert net.blobs["conv"].data.shape == (1, 3, 4, 4)
    weights = net.params["conv"][0].data
    np.testing.assert_allclose(
        net.blobs["conv"].data[0, :, 1, 2],
        (weights[:, 0] * image[1:6, 2:7]).sum(axis=(1, 2)),
        rtol=1e-4,
        atol=1e-6,
    )


def test_parameters_are_edited_in_place(net):
    net.blobs["data"].reshape(1, 1, 8, 8)
    net.blobs["data"].data[...] = digits.load("test")[0][:1]
    net.forward()
    conv0, filters = net.blobs["conv"].data, net.params["conv"][0].data
    assert abs(conv0.mean()) < 0.1
    before = conv0.copy()
    net.params["conv"][1].data[:] = 1.0  # the bias
    net.forward()
    np.testing.assert_allclose(net.blobs["conv"].data, before + 1, atol=1e-5)

    sobel = np.outer((1, 2, 1), (-1, 0, 1))  # in the middle of the second filter
    net.params["conv"][0].data[1] = 0
    net.params["conv"][0].data[1, 0, 1:-1, 1:-1] = sobel
    np.testing.assert_array_equal(
        filters[1, 0, 1:-1, 1:-1], sobel
    )  # an array taken earlier is the same memory
    net.params["conv"][1].data[:] = 0
    net.forward()
    image = net.blobs["data"].data[0, 0]
    np.testing.assert_allclose(net.blobs["conv"].data[0, 1, 0, 0], (sobel * image[1:4, 1:4]).sum(), atol=1e-5)
    net.save("sobel.caffemodel")
    again = caffe.Net("conv.prototxt", "sobel.caffemodel", caffe.TEST)
    np.testing.assert_array_equal(again.params["conv"][0].data, net.params["conv"][0].data)


def test_a_classifier_becomes_convolutional(folder):
    Path("classifier.prototxt").write_text(CLASSIFIER)
    Path("full_conv.prototxt").write_text(CONVOLUTIONAL)
    caffe.set_random_seed(1)
    net = caffe.Net("classifier.prototxt", caffe.TEST)
    net.save("classifier.caffemodel")
    params = ["fc6", "fc7"]
    fc_params = {pr: (net.params[pr][0].data, net.params[pr][1].data) for pr in params}
    assert [fc_params[pr][0].shape for pr in params] == [(12, 54), (10, 12)]

    full = caffe.Net("full_conv.prototxt", "classifier.caffemodel", caffe.TEST)
    params_full = ["fc6-conv", "fc7-conv"]
    conv_params = {pr: (full.params[pr][0].data, full.params[pr][1].data) for pr in params_full}
    assert [conv_params[pr][0].shape for pr in params_full] == [(12, 6, 3, 3), (10, 12, 1, 1)]
    for pr, pr_conv in zip(params, params_full):
        conv_params[pr_conv][0].flat = fc_params[pr][0].flat  # unrolled
        conv_params[pr_conv][1][...] = fc_params[pr][1]
    full.save("full_conv.caffemodel")

    image = np.random.default_rng(0).random((1, 16, 20), dtype=np.float32)
    out = full.forward_all(data=np.asarray([image]))
    assert out["prob"].shape == (1, 10, 5, 7)
    for i in range(5):
        for j in range(7):  # pooling by 2: windows of 8 x 8, 2 apart
            net.blobs["data"].data[0] = image[:, 2 * i : 2 * i + 8, 2 * j : 2 * j + 8]
            one = net.forward()["prob"][0]
            np.testing.assert_allclose(out["prob"][0, :, i, j], one, atol=1e-5)
    loaded = caffe.Net("full_conv.prototxt", "full_conv.caffemodel", caffe.TEST)
    np.testing.assert_array_equal(loaded.forward_all(data=np.asarray([image]))["prob"], out["prob"])
