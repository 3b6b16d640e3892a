"""Classifier: the same numbers as training's, of images of any size, light on dark or dark on light."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from minicaffe.convert.deploy import Deployment
from minicaffe.data import datasets
from minicaffe.errors import ConfigError, DataError, ShapeError, WeightsError
from minicaffe.inference import Classifier
from minicaffe.net import Net
from minicaffe.proto import extensions, text
from minicaffe.proto.schema import NetParameter

from ..support.running import PROTOTXT
from .conftest import DEPLOY, TRAINING


def net(layers: str) -> NetParameter:
    return text.parse(layers, NetParameter)


INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { %s } } }'
GREY = INPUT % "dim: 1 dim: 1 dim: 6 dim: 6"
DENSE = (
    'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3'
    ' weight_filler { type: "gaussian" std: 0.01 } } }'
)
PROB = 'layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }'


def test_a_training_net_gives_what_training_computes(weights):
    """Bit for bit: the probabilities of a batch of the TEST net."""
    tested = Net(TRAINING, phase="TEST")
    tested.load(weights)
    tested.forward()
    pixels, labels = datasets.load("digits/test")
    classifier = Classifier(TRAINING, weights, raw_scale=255, batch=90)
    found = classifier.probabilities(pixels[:90])
    np.testing.assert_array_equal(classifier.net.blobs["data"].data, tested.blobs["data"].data)
    scores = tested.blobs["ip2"].data
    np.testing.assert_allclose(found, np.exp(scores) / np.exp(scores).sum(1, keepdims=True), rtol=1e-5)
    assert (found.argmax(1) == labels[:90]).mean() > 0.8
    assert classifier.kind == "probability" and classifier.labels == list("0123456789")
    # in any batches, of floats too, and by the deploy net
    np.testing.assert_allclose(
        Classifier(TRAINING, weights, raw_scale=255, batch=7).probabilities(pixels[:90]), found, rtol=1e-5
    )
    np.testing.assert_array_equal(classifier.probabilities(pixels[:90].astype(float)), found)
    deployed = Classifier(DEPLOY, weights, scale=0.0625, batch=90)
    np.testing.assert_array_equal(deployed.probabilities(pixels[:90]), found)
    assert classifier.probabilities(pixels[:0]).shape == (0, 10)


def test_white_is_that_of_the_data(weights, images):
    """Digits have pixels from 0 to 16: an image file is brought there."""
    classifier = Classifier(TRAINING, weights)
    assert classifier.preparation.raw_scale == 16
    answers = list(classifier.answers(images, top=2))
    right = [answer.classes[0].label == path.stem[-1] for answer, path in zip(answers, images)]
    assert sum(right) >= 8 and not any(answer.inverted or answer.error for answer in answers)
    assert all(len(a.classes) == 2 and a.classes[0].value >= a.classes[1].value for a in answers)
    assert answers[0].name == str(images[0]) and answers[0].size == (8, 8)


def test_ink_on_paper_is_inverted(weights, images, tmp_path):
    classifier = Classifier(TRAINING, weights)
    for path in images:
        plain = classifier.classify(path)
        paper = ImageOps.invert(Image.open(path)).resize((80, 80), Image.Resampling.NEAREST).convert("RGB")
        paper.save(tmp_path / "paper.png")
        found = classifier.classify(tmp_path / "paper.png")
        assert found.inverted and not plain.inverted
        assert found.classes[0].number == plain.classes[0].number
    assert not Classifier(TRAINING, weights, invert="no").classify(tmp_path / "paper.png").inverted
    assert Classifier(TRAINING, weights, invert="yes").classify(images[0]).inverted


def test_what_an_image_may_be(weights, images):
    classifier = Classifier(TRAINING, weights)
    expected = classifier.classify(images[0]).classes
    assert classifier.classify(images[0].read_bytes()).classes == expected
    assert classifier.classify(str(images[0])).classes == expected
    array = np.asarray(Image.open(images[0]))[None]
    assert classifier.classify(array).classes == expected
    with pytest.raises(ShapeError, match=r"must have the shape \(1, H, W\) and hold bytes; got \(8, 8\)"):
        classifier.classify(array[0])
    with pytest.raises(DataError, match="3 bytes that are no image"):
        classifier.classify(b"cat")
    huge = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(huge, "PNG")
    with pytest.raises(DataError, match="an image of 10000x10000 pixels; expected at most 80000000"):
        classifier.classify(huge.getvalue())
    with pytest.raises(ShapeError, match=r"images must have the shape \(N, 1, 8, 8\); got \(2, 1, 9, 8\)"):
        classifier.probabilities(np.zeros((2, 1, 9, 8)))


def test_unreadable_images_have_an_answer_too(weights, images, tmp_path):
    (tmp_path / "none.png").write_text("cat")
    given = [images[0], tmp_path / "none.png", images[1], tmp_path / "gone.png"]
    answers = list(Classifier(TRAINING, weights, batch=2).answers(given))
    assert [a.name for a in answers] == list(map(str, given)) and [bool(a.classes) for a in answers] == [
        1,
        0,
        1,
        0,
    ]
    assert "none.png: 3 bytes that are no image" in answers[1].error and "cannot read" in answers[3].error


def test_scores_and_sigmoids_are_said():
    assert Classifier(net(GREY + DENSE), None).kind == "score"
    sigmoid = PROB.replace("Softmax", "Sigmoid")
    assert Classifier(net(GREY + DENSE + sigmoid), None).kind == "probability of each class by itself"
    loss = DENSE + 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }'
    labelled = GREY.replace('top: "data"', 'top: "data" top: "label"')
    assert Classifier(net(labelled + loss), None).output == "prob"


def test_ten_parts():
    """The mean over corners, centre, and their mirror images."""
    classifier = Classifier(net(GREY + DENSE + PROB), None, size=(8, 10), oversample=True, batch=20)
    whole = Classifier(net(GREY + DENSE + PROB), None)
    images = np.random.default_rng(1).integers(0, 256, (5, 1, 8, 10), np.uint8)
    parts = [images[:, :, y : y + 6, x : x + 6] for y, x in ((0, 0), (0, 4), (2, 0), (2, 4), (1, 2))]
    parts += [part[..., ::-1] for part in parts]
    for mine, theirs in zip(whole.net.parameters.owned, classifier.net.parameters.owned):
        mine.blob.data[...] = theirs.blob.data
    expected = np.mean([whole.probabilities(part) for part in parts], axis=0)
    np.testing.assert_allclose(classifier.probabilities(images), expected, rtol=1e-5)
    assert Classifier(net(GREY + DENSE + PROB), None, oversample=True).preparation.size == (7, 7)


def test_labels(tmp_path, weights):
    for name in ("net.prototxt", "digits.caffemodel"):
        (tmp_path / name).write_bytes((DEPLOY if "net" in name else weights).read_bytes())
    names = [f"digit {i}" for i in range(10)]
    (tmp_path / "labels.txt").write_text("\n".join(names) + "\n\n")
    assert Classifier(tmp_path / "net.prototxt", weights).labels == names
    assert Classifier(DEPLOY, tmp_path / "digits.caffemodel").labels == names
    assert Classifier(DEPLOY, weights, labels=names[::-1]).labels == names[::-1]
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    with pytest.raises(ConfigError, match=r"labels\.txt: 2 names of classes; the net has 10 classes"):
        Classifier(tmp_path / "net.prototxt", weights)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (INPUT % "dim: 1 dim: 4 dim: 6 dim: 6" + DENSE, r"\(1, 4, 6, 6\), which no image has"),
        (INPUT % "dim: 1 dim: 36" + DENSE, r"\(1, 36\), which no image has"),
        (GREY + GREY.replace("data", "other") + DENSE.replace('"data"', '"data"'), "the net: 2 inputs"),
        (GREY + 'layer { name: "a" type: "AbsVal" bottom: "data" top: "a" }', "no score for each class"),
        (GREY + DENSE + DENSE.replace('"ip"', '"b"'), "the net: 2 outputs: b, ip; hint: say which"),
    ],
)
def test_nets_that_do_not_classify_images(layers, message):
    with pytest.raises((ConfigError, ShapeError), match=message):
        Classifier(net(layers), None)


def test_several_outputs():
    both = GREY + DENSE + DENSE.replace('"ip"', '"b"') + PROB
    assert Classifier(net(both), None).output == "prob"
    assert Classifier(net(both), None, output="b").kind == "score"
    with pytest.raises(ConfigError, match=r"no output 'bb'; hint: known: b, prob"):
        Classifier(net(both), None, output="bb")


def test_weights_of_another_net(weights, tmp_path):
    with pytest.raises(WeightsError, match="no layer of the net takes weights from it"):
        Classifier(net(GREY + DENSE + PROB), weights)
    with pytest.raises(ShapeError, match=r"layer 'conv1'|layer 'ip1'"):
        Classifier(PROTOTXT / "lenet" / "deploy.prototxt", weights)
    more = text.read(DEPLOY, NetParameter)
    more.layer[-2].name = "new"
    with pytest.raises(WeightsError, match="holds no weights for 'new'"):
        Classifier(more, weights)


def test_settings_that_do_not_fit(weights):
    for options, message in (
        ({"invert": "maybe"}, "invert is one of auto, yes, no"),
        ({"mode": "melt"}, "no way to resize 'melt'"),
        ({"size": (4, 8)}, "images of 4 x 8 are smaller than the net's input, 8 x 8"),
        ({"mean": [1.0, 2.0]}, r"mean_value must be given once or once per channel \(1\)"),
        ({"batch": 0}, "batch must be at least 1"),
    ):
        with pytest.raises(ConfigError, match=message):
            Classifier(DEPLOY, weights, **options)


LISTED = """
layer {
  name: "images" type: "ImageData" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 12 %s mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.017 }
  image_data_param { source: "list.txt" batch_size: 6 %s }
}
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3
  weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.mark.parametrize(
    ("transform", "images"),
    [
        ("resize { height: 16 width: 20 }", ""),
        ("", "new_height: 20 new_width: 16"),
        ("", ""),  # all images of one size: it is found out
    ],
)
def test_files_become_what_training_makes_of_them(transform, images, tmp_path, monkeypatch):
    """Bit for bit, of colour images of any size."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    names = []
    for i in range(6):
        size = (17, 23, 3) if not (transform or images) else (*rng.integers(12, 40, 2), 3)
        Image.fromarray(rng.integers(0, 256, size, np.uint8)).save(f"{i}.png")
        names.append(f"{i}.png")
    (tmp_path / "list.txt").write_text("".join(f"{name} {i % 3}\n" for i, name in enumerate(names)))
    (tmp_path / "net.prototxt").write_text(LISTED % (transform, images))
    trained = Net("net.prototxt", phase="TEST", seed=1)
    trained.forward()
    classifier = Classifier("net.prototxt", None)
    fitted = np.stack([classifier.fitted(classifier.pixels(name))[0] for name in names])
    np.testing.assert_array_equal(classifier.preparation(fitted), trained.blobs["data"].data)
    written = Deployment("net.prototxt", written=True).param
    if not transform:  # a net without extensions has none when it is deployed
        assert extensions.strip(written) == []
    for again in (written, Deployment(written, written=True).param):
        deployed = Classifier(again, None)  # which knows the size before the crop
        for image in (*names, rng.integers(0, 256, (3, 41, 52), np.uint8)):
            np.testing.assert_array_equal(
                deployed.fitted(deployed.pixels(image))[0], classifier.fitted(classifier.pixels(image))[0]
            )


def test_a_net_trained_on_dark_on_light(tmp_path, monkeypatch):
    """The training data is looked at: here its ground is light, so light on dark is inverted."""
    monkeypatch.chdir(tmp_path)
    pixels, _ = datasets.load("digits/test")
    for i in range(6):
        Image.fromarray(255 - pixels[i, 0] * 15).save(f"{i}.png")
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {i % 3}\n" for i in range(6)))
    grey = (LISTED % ("", "is_color: false")).replace("crop_size: 12", "")
    grey = grey.replace("mean_value: 117 mean_value: 123", "")
    Image.fromarray(pixels[0, 0] * 15).save("dark.png")
    classifier = Classifier(text.parse(grey, NetParameter), None)
    assert not classifier.classify("0.png").inverted and classifier.classify("dark.png").inverted
    deployed = Classifier(net(GREY.replace("dim: 6", "dim: 8") + DENSE), None)
    assert deployed.classify("0.png").inverted  # nothing tells: taken for characters
    large = net(GREY.replace("dim: 6", "dim: 65") + DENSE)
    for mean, inverted in ((None, False), ([20.0], True), ([128.0], False), ([230.0], False)):
        assert Classifier(large, None, mean=mean).classify("0.png").inverted == inverted
    assert Classifier(large, None, mean=[230.0]).classify("dark.png").inverted
    Image.new("L", (8, 8), 255).save("blank.png")
    assert not deployed.classify("blank.png").inverted


def test_large_images_come_to_training_size_first(tmp_path, monkeypatch):
    """A net that enlarges digits of 8 x 8 sees a large photo as it would the digit."""
    enlarged = text.read(TRAINING, NetParameter)
    for data in enlarged.layer[:2]:
        data.transform_param.resize.height = data.transform_param.resize.width = 12
    classifier = Classifier(enlarged, None)
    digit = np.random.default_rng(1).integers(0, 256, (1, 8, 8), np.uint8)
    large = digit.repeat(9, axis=1).repeat(9, axis=2)
    seen = classifier.preparation.fit(digit)
    assert seen.shape == (1, 12, 12) and classifier.preparation.whole == (8, 8)
    deployed = Deployment(enlarged, written=True).param  # which knows it too
    np.testing.assert_array_equal(
        Classifier(deployed, None).preparation.fit(large), classifier.preparation.fit(large)
    )
    smaller = np.asarray(Image.fromarray(large[0]).resize((8, 8), Image.Resampling.BILINEAR))[None]
    np.testing.assert_array_equal(classifier.preparation.fit(large), classifier.preparation.fit(smaller))


def test_standard_deviations_and_ways_to_fit(tmp_path, monkeypatch):
    """std divides; where an image is filled up, light and dark are exchanged before."""
    classifier = Classifier(net(GREY + DENSE), None, mean=[10.0], std=[4.0], scale=2.0)
    fitted = np.arange(36, dtype=np.uint8).reshape(1, 1, 6, 6)
    np.testing.assert_allclose(classifier.preparation(fitted), (fitted - 10.0) * 2 / 4)
    wide = np.full((1, 6, 12), 250, np.uint8)
    wide[0, 2:4, 5:7] = 5
    for mode, border in (("fill", 0), ("squash", 5)):
        found, inverted = Classifier(net(GREY + DENSE), None, mode=mode).fitted(wide)
        assert inverted and found.shape == (1, 6, 6) and (found[0, 0] == border).all()
