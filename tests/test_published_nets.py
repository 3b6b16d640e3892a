"""Nets of which weights were published elsewhere than with Caffe: counts, shapes, and the names of layers."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.checking.summary import summarize
from minicaffe.convert.fold import fold
from minicaffe.convert.model import load_all
from minicaffe.net import Net, weights

from .support.published import layer, shipped
from .support.running import PROTOTXT

# Parameters, and multiply-adds of convolutions, of one image.
COUNTS = {
    "squeezenet/deploy": (1_235_496, 387_747_520),
    "mobilenet_ssd/deploy": (5_783_417, 1_148_479_168),
    "mobilenet_ssd/deploy_bn": (5_821_468, 1_148_479_168),
    "enet/deploy": (367_687, 4_006_920_192),
}
SHAPES = {
    "squeezenet/deploy": {
        "conv1": (64, 113, 113),
        "pool1": (64, 56, 56),
        "fire3/concat": (128, 56, 56),
        "fire5/concat": (256, 28, 28),
        "fire7/concat": (384, 14, 14),
        "fire9/concat": (512, 14, 14),
        "conv10": (1000, 14, 14),
        "prob": (1000, 1, 1),
    },
    "mobilenet_ssd/deploy": {
        "conv0": (32, 150, 150),
        "conv11": (512, 19, 19),
        "conv13": (1024, 10, 10),
        "conv14_2": (512, 5, 5),
        "conv15_2": (256, 3, 3),
        "conv16_2": (256, 2, 2),
        "conv17_2": (128, 1, 1),
        "mbox_loc": (1917 * 4,),
        "mbox_conf": (1917 * 21,),
        "mbox_priorbox": (2, 1917 * 4),
    },
    "enet/deploy": {
        "bn0_1": (16, 256, 512),
        "prelu1_4_4": (64, 128, 256),
        "conv2_3_1_a": (32, 62, 130),
        "prelu2_8_4": (128, 64, 128),
        "prelu3_8_4": (128, 64, 128),
        "upsample4_0_4": (64, 128, 256),
        "prelu5_1_4": (16, 256, 512),
        "deconv6_0_0": (19, 512, 1024),
    },
}


@pytest.mark.parametrize("path", COUNTS)
def test_counts(path):
    costs = summarize(str(PROTOTXT / f"{path}.prototxt"), phase="TEST").layers
    learned = [cost.multiply_adds for cost in costs if cost.type in ("Convolution", "Deconvolution")]
    assert (sum(cost.parameters for cost in costs), sum(learned)) == COUNTS[path]


@pytest.mark.parametrize("path", SHAPES)
def test_shapes(path):
    net = Net(PROTOTXT / f"{path}.prototxt", phase="TEST", allocate=False)
    found = {name: net.blobs[name].shape[1:] for name in SHAPES[path]}
    assert found == SHAPES[path]


def test_squeezenet_is_one_net_in_all_its_files():
    def layers(file: str) -> list:
        ends = ("Data", "DummyData", "Input", "SoftmaxWithLoss", "Accuracy", "Softmax")
        return [one for one in shipped(f"squeezenet/{file}.prototxt").layer if one.type not in ends]

    assert layers("train_val") == layers("train_val_dummy") == layers("deploy")


def test_the_names_of_mobilenet_ssd():
    """Those that the published weights have: 35 convolutions in the trunk, and two on each of six maps."""
    net = shipped("mobilenet_ssd/deploy.prototxt")
    names = [one.name for one in net.layer if one.type == "Convolution"]
    trunk = ["conv0", *(f"conv{i}{end}" for i in range(1, 14) for end in ("/dw", ""))]
    trunk += [f"conv{i}_{part}" for i in range(14, 18) for part in (1, 2)]
    maps = ("conv11", "conv13", "conv14_2", "conv15_2", "conv16_2", "conv17_2")
    assert names == [*trunk, *(f"{blob}_mbox_{part}" for blob in maps for part in ("loc", "conf"))]
    outputs = {name: layer(net, f"{name}_mbox_conf").convolution_param.num_output for name in maps}
    assert outputs == {"conv11": 63} | dict.fromkeys(maps[1:], 126)
    assert not [one for one in net.layer if one.name not in names and one.type in ("BatchNorm", "Scale")]


def test_mobilenet_ssd_with_batch_norm_folds_into_the_other(tmp_path):
    """Layer for layer, and what it says of an image stays."""
    path = PROTOTXT / "mobilenet_ssd" / "deploy_bn.prototxt"
    net = Net(path, phase="TEST", seed=1)
    rng = np.random.default_rng(1)
    for one in net.layers:
        if one.type == "BatchNorm":
            mean, variance, count = (blob.data for blob in one.params)
            mean[...] = 0.1 * rng.standard_normal(mean.shape)
            variance[...], count[...] = rng.uniform(0.5, 1.5, variance.shape), 1
    folded = fold(shipped("mobilenet_ssd/deploy_bn.prototxt"), net.to_message())
    other = Net(PROTOTXT / "mobilenet_ssd" / "deploy.prototxt", phase="TEST", seed=2)
    made = {one.name: one for one in folded.net.layer}
    assert list(made) == [one.name for one in shipped("mobilenet_ssd/deploy.prototxt").layer]
    weights.save(folded.weights, tmp_path / "folded.caffemodel")
    load_all(other, tmp_path / "folded.caffemodel")
    image = rng.uniform(-1, 1, (1, 3, 300, 300)).astype(np.float32)
    for built in (net, other):
        built.forward(data=image)
    for name in ("mbox_loc", "mbox_conf", "detection_out"):
        a, b = (built.blobs[name].data for built in (net, other))
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(a).max(), err_msg=name)


def test_the_names_of_enet():
    """Those that the published weights have: conv1_0_0 is the first convolution of module 1.0, and so on."""
    net = shipped("enet/deploy.prototxt")
    names = [one.name for one in net.layer if one.type == "Convolution"]
    modules = ["1_0", *(f"1_{i}" for i in range(1, 5)), "2_0"]
    modules += [f"{stage}_{i}" for stage in (2, 3) for i in range(1, 9)] + ["4_0", "4_1", "4_2", "5_0", "5_1"]
    expected = ["conv0_1"]
    for module in modules:
        parts = ("0", "2", "4") if module in ("4_0", "5_0") else ("0", "1", "2")
        parts = ("0", "1_a", "1", "2") if module in ("2_3", "2_7", "3_3", "3_7") else parts
        parts = (*parts, "4") if module in ("1_0", "2_0") else parts
        expected += [f"conv{module}_{part}" for part in parts]
    assert names == expected
    dilations = {one.name: list(one.convolution_param.dilation) for one in net.layer}
    assert [dilations[f"conv3_{i}_1"] for i in range(1, 9)] == [[], [2], [], [4], [], [8], [], [16]]
    rectifiers = {one.name.partition("_")[0]: one.type for one in net.layer if one.name.startswith("prelu")}
    assert rectifiers == dict.fromkeys(("prelu0", "prelu1", "prelu2", "prelu3"), "PReLU") | {
        "prelu4": "ReLU",
        "prelu5": "ReLU",
    }
    assert [one.name for one in net.layer if one.type == "BN"] == ["bn0_1", "bn4_0_1", "bn5_0_1"]


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v1", "squeezenet"])
def test_a_deploy_net_says_what_training_did_to_images(name):
    """But for the crop, whose size is the input's, and mirroring."""
    (image,) = (
        one.transform_param for one in shipped(f"{name}/deploy.prototxt").layer if one.type == "Input"
    )
    wanted = shipped(f"{name}/train_val.prototxt").layer[1].transform_param
    for field in ("crop_size", "mirror"):
        wanted.ClearField(field)
    assert image == wanted and image.mean_value
