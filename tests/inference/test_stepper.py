"""An image followed through a net and back: the numbers of the net's own blobs, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.data import datasets
from minicaffe.errors import ConfigError, DataError
from minicaffe.inference.occlusion import occluded
from minicaffe.inference.stepper import Stepper
from minicaffe.net import Net
from minicaffe.proto import upgrade

from .conftest import DEPLOY, TRAINING

NUMBER = 3  # of the image of the test data


@pytest.fixture(scope="module")
def stepper(weights):
    return Stepper(TRAINING, weights)


@pytest.fixture(scope="module")
def trained(weights):
    """The net that trains, after a pass both ways with that image alone."""
    param = upgrade.read_net(TRAINING)
    param.force_backward = True
    for layer in param.layer:
        if layer.type == "Data":
            layer.data_param.batch_size = 1
            layer.data_param.source = f"digits/test[{NUMBER}:{NUMBER + 1}]"
    net = Net(param, phase="TEST")
    net.load(weights)
    net.forward()
    net.backward()
    return net


def test_every_layer_holds_what_the_training_net_has(stepper, trained):
    """The gradient of the loss, found in the deploy net, is that of the SoftmaxWithLoss it was made from."""
    _, label = stepper.samples.read(NUMBER)
    trace = stepper.follow(stepper.sampled(NUMBER), "loss", label)
    assert trace.value == pytest.approx(trained.loss(), rel=1e-5)
    blobs, seen = trained.blobs, {p.name: p for p in trace.passages}
    assert [p.name for p in trace.passages] == [
        "data", "conv1", "pool1", "conv2", "pool2", "ip1", "relu1", "ip2", "prob",
    ]  # fmt: skip
    for name in ("conv1", "pool1", "conv2", "pool2", "ip2"):
        (top,), (diff,) = seen[name].tops, seen[name].top_diffs
        np.testing.assert_allclose(top, blobs[name].data, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(diff, blobs[name].diff, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(seen["conv1"].bottom_diffs[0], blobs["data"].diff, rtol=1e-3, atol=1e-6)
    for name, blobs_of in trained.params.items():
        for diff, blob in zip(seen[name].param_diffs, blobs_of):
            np.testing.assert_allclose(diff, blob.diff, rtol=1e-3, atol=1e-5)


def test_in_place_layers_are_seen_before_and_after(stepper):
    trace = stepper.follow(stepper.sampled(NUMBER), "loss", 5)
    before, relu = (next(p for p in trace.passages if p.name == name) for name in ("ip1", "relu1"))
    assert (before.tops[0] < 0).any() and not (relu.tops[0] < 0).any()
    np.testing.assert_array_equal(np.maximum(before.tops[0], 0), relu.tops[0])
    np.testing.assert_array_equal(np.where(before.tops[0] > 0, relu.top_diffs[0], 0), relu.bottom_diffs[0])


def test_the_gradient_of_a_score_is_its_slope(stepper):
    """Along a random direction, and no gradient comes to the Softmax behind the score."""
    random = np.random.default_rng(1)
    x = stepper.sampled(NUMBER)
    x += random.normal(0, 0.05, x.shape).astype(np.float32)  # in even areas several values are the maximum
    trace = stepper.follow(x, "score", 4)
    assert trace.passages[-1].top_diffs == [None]
    way = random.normal(size=x.shape).astype(np.float32)
    step = 1e-3
    ends = [stepper.follow(x + sign * step * way, "score", 4).value for sign in (1, -1)]
    slope = float((trace.passages[0].top_diffs[0] * way).sum())
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=2e-2)


def test_an_image_of_the_data_is_prepared_as_training_does(stepper):
    pixels, labels = datasets.load("digits/test")
    _, label = stepper.samples.read(NUMBER)
    assert label == labels[NUMBER] and len(stepper.samples) == 360 and stepper.samples.name(7) == "7"
    np.testing.assert_array_equal(stepper.sampled(NUMBER)[0], pixels[NUMBER] * np.float32(0.0625))


def test_without_data_images_are_brought(weights, images):
    stepper = Stepper(DEPLOY, weights, scale=1 / 255)
    assert len(stepper.samples) == 0
    with pytest.raises(DataError, match="the net's data is not here"):
        stepper.sampled(0)
    trace = stepper.follow(stepper.prepared(stepper.pixels(images[0])))
    assert trace.target == ("none", 0) and trace.value is None and trace.scores.shape == (1, 10)
    assert all(p.top_diffs == [None] * len(p.tops) for p in trace.passages)


@pytest.mark.parametrize(
    ("kind", "number", "error"),
    [("loss", 10, DataError), ("score", -1, DataError), ("wish", 0, ConfigError)],
)
def test_what_cannot_be_asked(stepper, kind, number, error):
    with pytest.raises(error):
        stepper.follow(stepper.sampled(0), kind, number)


def test_where_it_looks(stepper):
    """What is covered is the border's value; the centre of a digit matters more than its corner."""
    x = stepper.sampled(NUMBER)
    found = occluded(stepper, x, 5, 3)
    assert found.values.shape == (6, 6) and found.step == 1
    covered = x.copy()
    covered[0, :, 2:5, 1:4] = 0
    certainty = stepper.follow(covered).scores[0, 5]
    assert found.values[2, 1] == pytest.approx(certainty, rel=1e-5)
    assert found.before == pytest.approx(stepper.follow(x).scores[0, 5], rel=1e-6)
    assert found.before - found.values.min() > 5 * abs(found.before - found.values[5, 5])
    with pytest.raises(DataError, match="a patch of 9 pixels; expected 1 to 8"):
        occluded(stepper, x, 5, 9)
