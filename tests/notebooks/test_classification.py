"""00-classification: an image through io.Transformer into a net, its classes, and what is inside the net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minicaffe.pycaffe as caffe
from minicaffe.data import datasets

from ..support.running import PROTOTXT
from . import digits

MEAN = np.array([40.0, 50.0, 60.0])  # BGR, as that of ImageNet
LAYERS = """
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 16 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc8" type: "InnerProduct" bottom: "pool1" top: "fc8"
        inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
"""
INPUT = (
    'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 10 dim: 3 dim: 8 dim: 8 } } }'
)
PROB = 'layer { name: "prob" type: "Softmax" bottom: "fc8" top: "prob" }'
TRAIN = 'layer { name: "data" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "train.txt"'
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc8" bottom: "label" top: "loss" }'


def coloured(image: np.ndarray) -> np.ndarray:
    """A digit (8, 8) of values 0 to 16 as a picture (H, W, RGB) of bytes, twice as large."""
    grey = image.astype(float) / 16
    picture = np.stack([255 * grey, 128 * grey, 255 * (1 - grey)], axis=-1)
    return picture.round().astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)


@pytest.fixture
def transformer() -> caffe.io.Transformer:
    t = caffe.io.Transformer({"data": (10, 3, 8, 8)})
    t.set_transpose("data", (2, 0, 1))  # channels outermost
    t.set_mean("data", MEAN)
    t.set_raw_scale("data", 255)  # from [0, 1] to [0, 255]
    t.set_channel_swap("data", (2, 1, 0))  # RGB to BGR
    return t


@pytest.fixture
def pictures(folder) -> np.ndarray:
    """The test digits as PNG files; returns their labels."""
    samples = datasets.load("digits/test")
    for i, image in enumerate(samples.images[:40]):
        Image.fromarray(coloured(image[0])).save(f"{i}.png")
    return samples.labels[:40]


@pytest.fixture
def net(pictures, transformer) -> caffe.Net:
    """A small net, trained on pictures that went through the transformer too."""
    samples = datasets.load("digits/train")
    data = [transformer.preprocess("data", coloured(image[0]) / np.float32(255)) for image in samples.images]
    digits.write_hdf5("train", data=np.array(data) / 64, label=samples.labels)
    Path("train.prototxt").write_text(TRAIN + " batch_size: 50 } }" + LAYERS + LOSS)
    solver = caffe.get_solver(digits.write_solver("solver", "train.prototxt"))
    solver.step(200)
    solver.net.params["conv1"][0].data[...] /= 64  # for pixels up to 255
    solver.net.save("net.caffemodel")
    Path("deploy.prototxt").write_text(INPUT + LAYERS + PROB)
    return caffe.Net("deploy.prototxt", "net.caffemodel", caffe.TEST)


def test_classes_of_pictures(net, transformer, pictures):
    net.blobs["data"].reshape(50, 3, 8, 8)  # as many as there may be, to begin with
    image = caffe.io.load_image("0.png")
    assert image.shape == (16, 16, 3) and image.dtype == np.float32 and 0 <= image.min() < image.max() <= 1
    transformed = transformer.preprocess("data", image)
    assert transformed.shape == (3, 8, 8)
    net.blobs["data"].data[...] = transformed  # one image, fifty times
    output = net.forward()
    output_prob = output["prob"][0]
    assert output["prob"].shape == (50, 10) and output_prob.argmax() == pictures[0]
    np.testing.assert_allclose(output["prob"], np.tile(output_prob, (50, 1)), atol=1e-6)
    top_inds = output_prob.argsort()[::-1][:5]
    assert top_inds[0] == pictures[0] and (np.diff(output_prob[top_inds]) <= 0).all()

    net.blobs["data"].reshape(len(pictures), 3, 8, 8)
    for i in range(len(pictures)):
        net.blobs["data"].data[i] = transformer.preprocess("data", caffe.io.load_image(f"{i}.png"))
    found = net.forward()["prob"].argmax(axis=1)
    assert (found == pictures).mean() >= 0.85


def test_what_is_inside(net, transformer):
    assert [(name, blob.data.shape) for name, blob in net.blobs.items()] == [
        ("data", (10, 3, 8, 8)),
        ("conv1", (10, 16, 6, 6)),
        ("pool1", (10, 16, 3, 3)),
        ("fc8", (10, 10)),
        ("prob", (10, 10)),
    ]
    assert [(name, p[0].data.shape, p[1].data.shape) for name, p in net.params.items()] == [
        ("conv1", (16, 3, 3, 3), (16,)),
        ("fc8", (10, 144), (10,)),
    ]
    image = caffe.io.load_image("1.png")
    net.blobs["data"].data[...] = transformer.preprocess("data", image)
    net.forward()
    feat = net.blobs["conv1"].data[0, :9]
    assert feat.min() == 0 < feat.max()
    filters = net.params["conv1"][0].data
    assert filters.transpose(0, 2, 3, 1).shape == (16, 3, 3, 3)
    shown = transformer.deprocess("data", net.blobs["data"].data[0])  # back to an image
    np.testing.assert_allclose(shown, caffe.io.resize_image(image, (8, 8)), atol=1e-5)


def test_classifier_does_it_in_one_call(net, pictures):
    """python/classify.py's way: the same net with resizing, mean and swap of its own."""
    classifier = caffe.Classifier(
        "deploy.prototxt",
        "net.caffemodel",
        image_dims=(8, 8),
        mean=MEAN,
        raw_scale=255,
        channel_swap=(2, 1, 0),
    )
    images = [caffe.io.load_image(f"{i}.png") for i in range(len(pictures))]
    probs = classifier.predict(images, oversample=False)
    assert probs.shape == (len(pictures), 10)
    assert (probs.argmax(axis=1) == pictures).mean() >= 0.85


@pytest.mark.slow
def test_caffenet_has_its_shapes_and_takes_one_image():
    net = caffe.Net(str(PROTOTXT / "caffenet" / "deploy.prototxt"), caffe.TEST)
    assert net.blobs["conv1"].data.shape[1:] == (96, 55, 55) and net.params["fc6"][0].data.shape == (
        4096,
        9216,
    )
    transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", np.array([104.0, 117.0, 123.0]))
    transformer.set_raw_scale("data", 255)
    transformer.set_channel_swap("data", (2, 1, 0))
    net.blobs["data"].reshape(1, 3, 227, 227)
    picture = np.random.default_rng(0).random((360, 480, 3), dtype=np.float32)
    net.blobs["data"].data[...] = transformer.preprocess("data", picture)
    prob = net.forward()["prob"]
    assert prob.shape == (1, 1000) and abs(prob.sum() - 1) < 1e-4
