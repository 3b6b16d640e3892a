"""The deploy net of a train_val net computes what the published deploy net computes."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.convert.deploy import WHITE, Deployment, speaks_of_deployment, trains
from minicaffe.errors import ConfigError, MiniCaffeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, TransformationParameter

from ..support.annotated import voc_folder
from ..support.running import PROTOTXT

LARGE = pytest.mark.slow
COLOUR = {"data": (1, 3, 32, 32)}  # the databases are not here


@pytest.mark.parametrize(
    ("folder", "training", "shapes"),
    [
        ("lenet", "train_test", None),
        ("digits", "train_test", None),
        ("cifar10_quick", "train_test", COLOUR),
        ("cifar10_full", "train_test", COLOUR),
        pytest.param("googlenet", "train_val", None, marks=LARGE),
        pytest.param("alexnet", "train_val", None, marks=LARGE),
        pytest.param("caffenet", "train_val", None, marks=LARGE),
    ],
)
def test_the_published_deploy_net(folder, training, shapes):
    deployment = Deployment(PROTOTXT / folder / f"{training}.prototxt", shapes=shapes, written=True)
    made = Net(deployment.param, seed=1, forward_only=True)
    published = Net(PROTOTXT / folder / "deploy.prototxt", phase="TEST", forward_only=True, share=made)
    assert [layer.name for layer in made.layers if layer.params] == [
        layer.name for layer in published.layers if layer.params
    ]
    assert made.inputs == published.inputs == ["data"] and made.outputs == published.outputs == ["prob"]
    image = np.random.default_rng(1).uniform(-1, 1, made.blobs["data"].shape).astype(np.float32)
    assert image.shape == (1, *published.blobs["data"].shape[1:])
    np.testing.assert_array_equal(made.forward(data=image)["prob"], published.forward(data=image)["prob"])


def test_googlenet_loses_its_auxiliary_classifiers():
    """Layer by layer, but for what only training looks at."""
    made = Deployment(PROTOTXT / "googlenet" / "train_val.prototxt", written=True)
    published = text.read(PROTOTXT / "googlenet" / "deploy.prototxt", NetParameter)
    assert "data is taken as 1x3x224x224: give its shape" in made.notes[-1]
    for net in (made.param, published):
        net.layer[0].Clear()  # the inputs differ in the size of their batch
    assert made.param == published


def layers(*parts: str) -> NetParameter:
    return text.parse("".join(parts), NetParameter)


def layer(kind: str, bottoms: str, tops: str, more: str = "", name: str = "") -> str:
    blobs = " ".join([*(f'bottom: "{b}"' for b in bottoms.split()), *(f'top: "{t}"' for t in tops.split())])
    return f'layer {{ name: "{name or tops.split()[0]}" type: "{kind}" {blobs} {more} }} '


DATA = layer(
    "DummyData", "", "data label", "dummy_data_param { shape { dim: 4 dim: 6 } shape { dim: 4 } }", "in"
)
DENSE = "inner_product_param { num_output: 3 }"
LOSS = layer("SoftmaxWithLoss", "ip label", "loss")


def spelled(net: NetParameter) -> list[str]:
    return [f"{one.type} {one.name}: {' '.join(one.bottom)} -> {' '.join(one.top)}" for one in net.layer]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # two heads of one weight are two tasks; each keeps its own name
        (
            [layer("InnerProduct", "data", "a", DENSE), layer("SoftmaxWithLoss", "ip label", "loss")]
            + [layer("SoftmaxWithLoss", "a label", "other")],
            ["InnerProduct ip: data -> ip", "InnerProduct a: data -> a", "Softmax loss: ip -> loss/prob"]
            + ["Softmax other: a -> other/prob"],
        ),
        # sigmoids
        (
            [layer("SigmoidCrossEntropyLoss", "ip target", "loss")],
            ["InnerProduct ip: data -> ip", "Sigmoid prob: ip -> prob"],
        ),
        # an activation that is there already, for the test
        (
            [layer("Softmax", "ip", "scores", "include { phase: TEST }"), LOSS],
            ["InnerProduct ip: data -> ip", "Softmax scores: ip -> scores"],
        ),
        # a loss of TRAIN alone says what the scores are
        (
            [layer("SoftmaxWithLoss", "ip label", "loss", "include { phase: TRAIN }")]
            + [layer("Accuracy", "ip label", "accuracy", "include { phase: TEST }")],
            ["InnerProduct ip: data -> ip", "Softmax prob: ip -> prob"],
        ),
        # what serves a lesser loss alone goes, in place or not
        (
            [layer("InnerProduct", "data", "aux", DENSE), layer("ReLU", "aux", "aux", name="relu")]
            + [layer("InnerProduct", "aux", "aux2", DENSE), LOSS]
            + [layer("SoftmaxWithLoss", "aux2 label", "l2", "loss_weight: 0.3")],
            ["InnerProduct ip: data -> ip", "Softmax prob: ip -> prob"],
        ),
        # prob is taken
        (
            [layer("Power", "ip", "prob"), LOSS],
            ["InnerProduct ip: data -> ip", "Power prob: ip -> prob", "Softmax loss: ip -> loss/prob"],
        ),
    ],
)  # fmt: skip
def test_heads(parts, expected):
    target = layer("DummyData", "", "target", "dummy_data_param { shape { dim: 4 dim: 3 } }")
    net = layers(DATA, target, layer("InnerProduct", "data", "ip", DENSE), *parts)
    made = Deployment(net, written=True)
    assert spelled(made.param) == ["Input data:  -> data", *expected]
    assert trains(net) and not trains(made.param)
    assert list(made.param.layer[0].input_param.shape[0].dim) == [1, 6]
    Net(made.param)
    assert Deployment(made.param, written=True).param == made.param  # what is deployed stays as it is


def test_sinks_go():
    quiet = 'layer { name: "quiet" type: "Silence" bottom: "label" } '
    file = 'layer { name: "file" type: "HDF5Output" bottom: "ip" bottom: "label" } '
    made = Deployment(layers(DATA, layer("InnerProduct", "data", "ip", DENSE), quiet, file), written=True)
    assert spelled(made.param) == ["Input data:  -> data", "InnerProduct ip: data -> ip"]


def test_preprocessing_travels_with_the_input():
    """In transform_param of the Input, which Caffe passes over; what is drawn at random stays behind."""
    made = Deployment(PROTOTXT / "caffenet" / "train_val.prototxt", written=True)
    conf = made.param.layer[0].transform_param
    assert conf.crop_size == 227 and conf.mean_file.endswith("mean.binaryproto")
    assert not conf.HasField("mirror")


def test_what_is_known_of_the_data():
    digits = Deployment(PROTOTXT / "digits" / "train_test.prototxt", written=True)
    assert digits.white("data") == 16 and digits.images("data", 3)[0].shape == (1, 8, 8)
    absent = Deployment(PROTOTXT / "caffenet" / "train_val.prototxt", written=True)
    assert absent.white("data") == WHITE and absent.images("data", 3) == []


def test_all_in_one():
    """The stage deploy is meant; the data of training tells the shape."""
    net = text.read(PROTOTXT / "digits" / "all_in_one.prototxt", NetParameter)
    assert speaks_of_deployment(net)
    with pytest.raises(MiniCaffeError, match=r"'val-data' \(Data\).*give the shape of data"):
        Deployment(net, written=True)
    for data in net.layer[:2]:
        data.data_param.source, data.data_param.backend = "digits/train", data.data_param.IDX
        data.data_param.batch_size = 5
    made = Deployment(net, written=True).param
    assert list(made.layer[0].input_param.shape[0].dim) == [1, 1, 8, 8]
    assert [one.type for one in made.layer][-2:] == ["InnerProduct", "Softmax"]
    assert not any(one.include or one.exclude for one in made.layer)


@pytest.mark.parametrize(
    ("given", "kept", "note"),
    [
        (
            "resize_param { height: 9 width: 8 } crop_h: 5 crop_w: 5",
            "resize { height: 9 width: 8 } crop_size: 5",
            "",
        ),
        (
            "resize_param { resize_mode: FIT_LARGE_SIZE_AND_PAD height: 9 width: 8 }",
            "",
            "FIT_LARGE_SIZE_AND_PAD",
        ),
    ],
)
def test_images_with_boxes(tmp_path, given, kept, note):
    """Changes at random go; what is done to every image stays, as an Input has it."""
    transform = (
        f"mean_value: 7 mirror: true emit_constraint {{ }} {given} expand_param {{ max_expand_ratio: 2 }}"
    )
    data = f"""layer {{ name: "data" type: "AnnotatedData" top: "data" top: "label"
      data_param {{ source: "{voc_folder(tmp_path / "x")}" backend: VOC batch_size: 3 }}
      transform_param {{ {transform} }}
      annotated_data_param {{ batch_sampler {{ }} }} }}"""
    made = Deployment(layers(data, layer("InnerProduct", "data", "ip", DENSE)), written=True)
    said = made.param.layer[0].transform_param
    assert said == text.parse(f"mean_value: 7 {kept}", TransformationParameter)
    assert any(note in line and "beforehand" in line for line in made.notes) == bool(note)
    assert made.class_names("data") == ["background", "cat", "dog"]
    shape = Net(made.param).blobs["data"].shape
    assert shape == ((1, 3, 5, 5) if kept else (1, 3, 9, 8))


def test_errors():
    with pytest.raises(ConfigError, match="no layer that computes something"):
        Deployment(layers(DATA), written=True)
    with pytest.raises(ConfigError, match="'dat', which is no input; hint: did you mean 'data'"):
        Deployment(
            layers(DATA, layer("InnerProduct", "data", "ip", DENSE)), shapes={"dat": (1,)}, written=True
        )
    with pytest.raises(MiniCaffeError, match=r"layer 'x' .*no layer type 'Convlution'"):
        Deployment(layers(DATA, layer("Convlution", "data", "x")), written=True)
