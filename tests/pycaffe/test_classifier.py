"""caffe.Classifier: crops, their preparation, and the mean of what the net says of them."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe import pycaffe as caffe
from minicaffe.errors import DataError, ShapeError
from minicaffe.pycaffe import io

from .scoring import files, scores

MEAN = np.array([30, 40, 50])
OPTIONS = {"mean": MEAN, "raw_scale": 255, "channel_swap": (2, 1, 0), "input_scale": 0.1}


def images(*sizes) -> list[np.ndarray]:
    return [np.random.default_rng(i).random((*size, 3), np.float32) for i, size in enumerate(sizes)]


def prepared(image: np.ndarray) -> np.ndarray:
    return ((image[:, :, ::-1] * 255 - MEAN) * 0.1).transpose(2, 0, 1)


def test_ten_crops_of_images_of_any_size(tmp_path):
    classifier = caffe.Classifier(*files(tmp_path), image_dims=[9, 11], **OPTIONS)
    inputs = images((12, 13), (9, 11), (5, 20))
    result = classifier.predict(inputs)
    crops = io.oversample([io.resize_image(image, (9, 11)) for image in inputs], (6, 8))
    wanted = scores(classifier, np.stack([prepared(crop) for crop in crops]))
    assert result.shape == (3, 5)
    np.testing.assert_allclose(result, wanted.reshape(3, 10, 5).mean(1), rtol=1e-4)
    assert isinstance(classifier, caffe.Net)
    assert tuple(classifier.image_dims) == (9, 11) and tuple(classifier.crop_dims) == (6, 8)


def test_the_crop_from_the_centre(tmp_path):
    classifier = caffe.Classifier(*files(tmp_path), image_dims=(9, 11), **OPTIONS)
    (image,) = images((9, 11))
    result = classifier.predict([image], oversample=False)
    np.testing.assert_allclose(result, scores(classifier, prepared(image[1:7, 1:9])[None]), rtol=1e-4)
    assert classifier.predict(iter(images(*[(7, 9)] * 6)), oversample=False).shape == (6, 5)


def test_without_image_dims_the_crop_is_the_image(tmp_path):
    classifier = caffe.Classifier(*files(tmp_path))
    (image,) = images((6, 8))
    once = classifier.predict([image], False)
    np.testing.assert_allclose(once, scores(classifier, image.transpose(2, 0, 1)[None]), rtol=1e-4)
    both = scores(classifier, np.stack([i.transpose(2, 0, 1) for i in (image, image[:, ::-1])])).mean(0)
    np.testing.assert_allclose(classifier.predict([image])[0], both, rtol=1e-4)


def test_mistakes(tmp_path):
    model, weights = files(tmp_path)
    with pytest.raises(RuntimeError, match=r"none\.prototxt"):
        caffe.Classifier(str(tmp_path / "none.prototxt"), weights)
    with pytest.raises(ShapeError, match=r"not less than the input's \(6, 8\); got \(9, 7\)"):
        caffe.Classifier(model, weights, image_dims=(9, 7))
    with pytest.raises(ShapeError, match=r"not less than the input's \(6, 8\); got \(9,\)"):
        caffe.Classifier(model, weights, image_dims=[9])
    with pytest.raises(ValueError, match="mean channels incompatible with input: expected 3; got 1"):
        caffe.Classifier(model, weights, mean=np.zeros(1))
    classifier = caffe.Classifier(model, weights)
    with pytest.raises(DataError, match="there is no image to classify"):
        classifier.predict([])
    with pytest.raises(
        ShapeError, match=r"image 1: an image must have the axes \(H, W, 3\); got \(6, 8, 1\)"
    ):
        classifier.predict([images((6, 8))[0], np.zeros((6, 8, 1))])


def test_nets_without_an_image(tmp_path):
    model, weights = files(tmp_path)
    flat = tmp_path / "flat.prototxt"
    text = open(model).read()
    flat.write_text(text.replace("dim: 4 dim: 3 dim: 6 dim: 8", "dim: 4 dim: 144"))
    with pytest.raises(ShapeError, match=r"input 'data' must be images, \(N, K, H, W\); got \(4, 144\)"):
        caffe.Classifier(str(flat), weights)
    flat.write_text(text.replace('"Input"', '"DummyData"').replace("input_param", "dummy_data_param"))
    with pytest.raises(ShapeError, match="must have an input and an output; hint: use a deploy prototxt"):
        caffe.Classifier(str(flat), weights)
