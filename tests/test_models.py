"""The nets of prototxt/, and others that Caffe ships, have the layers, blobs, parameters and outputs that
Caffe counts in its own.

Counted as there: over an Input layer of one sample for the data layer, with Splits, shared parameters once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.graph.filter import takes_part
from minicaffe.net import Net
from minicaffe.proto import text, upgrade
from minicaffe.proto.schema import TEST, TRAIN, LayerParameter, NetParameter, NetState
from tools.make_nets import PROTOTXT, nets
from tools.nets.layers import layer
from tools.nets.spelling import spell_net

from .support import published as more

SOURCES = ("Data", "HDF5Data", "ImageData", "WindowData")


class Count(NamedTuple):
    layers: int
    blobs: int
    params: int
    outputs: dict[str, tuple[int, ...]]  # name -> shape, in order


class Row(NamedTuple):
    """A net; `sample` is the shape of one input, for nets with a data layer; counts by phase."""

    net: Callable[[], NetParameter]
    sample: tuple[int, ...] | None
    counts: dict[str, Count]


def shipped(path: str) -> Callable[[], NetParameter]:
    return lambda: more.shipped(path)


def trained(
    train: tuple[int, int], test: tuple[int, int], params: int, scores=("accuracy",)
) -> dict[str, Count]:
    """The counts of a net with a loss in TRAIN and scores beside it in TEST."""
    tested = dict.fromkeys((*scores, "loss"), ())
    return {"TRAIN": Count(*train, params, {"loss": ()}), "TEST": Count(*test, params, tested)}


GOOGLENET = {
    "TRAIN": Count(169, 137, 13378280, {f"loss{i}/loss{i}": () for i in (1, 2, 3)}),
    "TEST": Count(
        178, 158, 13378280,
        {f"loss{i}/{name}": () for i in (1, 2, 3) for name in (f"loss{i}", "top-1", "top-5")},
    ),
}  # fmt: skip
ALEXNET = trained((24, 16), (27, 21), 60965224)
AUTOENCODER = Count(22, 25, 2837314, {"cross_entropy_loss": (), "l2_error": ()})
PASCAL = {"TRAIN": Count(24, 16, 56954261, {}), "TEST": Count(27, 21, 56954261, {"accuracy": ()})}
PAIRS = Count(19, 19, 431102, {"loss": ()})
COLOUR, DIGIT, SMALL, FEATURES = (3, 227, 227), (1, 28, 28), (3, 32, 32), (4,)

ROWS = {
    "lenet": Row(shipped("lenet/deploy.prototxt"), None, {"TEST": Count(9, 8, 431080, {"prob": (64, 10)})}),
    "lenet_train_test": Row(shipped("lenet/train_test.prototxt"), DIGIT, trained((9, 9), (12, 14), 431080)),
    "mnist_autoencoder": Row(
        shipped("autoencoder/train_test.prototxt"), DIGIT, {"TRAIN": AUTOENCODER, "TEST": AUTOENCODER}
    ),
    "mnist_siamese": Row(
        shipped("siamese/deploy.prototxt"), None, {"TEST": Count(9, 8, 431102, {"feat": (10000, 2)})}
    ),
    "mnist_siamese_train_test": Row(
        shipped("siamese/pair_data_train_test.prototxt"), (2, 28, 28), {"TRAIN": PAIRS, "TEST": PAIRS}
    ),
    "cifar10_quick": Row(
        shipped("cifar10_quick/deploy.prototxt"), None, {"TEST": Count(13, 10, 145578, {"prob": (1, 10)})}
    ),
    "cifar10_quick_train_test": Row(
        shipped("cifar10_quick/train_test.prototxt"), SMALL, trained((13, 11), (16, 16), 145578)
    ),
    "cifar10_full": Row(
        shipped("cifar10_full/deploy.prototxt"), None, {"TEST": Count(14, 11, 89578, {"prob": (1, 10)})}
    ),
    "cifar10_full_train_test": Row(
        shipped("cifar10_full/train_test.prototxt"), SMALL, trained((14, 12), (17, 17), 89578)
    ),
    "cifar10_full_sigmoid_train_test": Row(more.sigmoid_cifar10, SMALL, trained((12, 13), (15, 18), 89578)),
    "cifar10_full_sigmoid_train_test_bn": Row(
        more.normalized_cifar10, SMALL, trained((15, 16), (18, 21), 89709)
    ),
    "hdf5_classification": Row(
        lambda: more.hdf5(more.LOGISTIC, "fc1"), FEATURES, trained((3, 4), (6, 9), 10)
    ),
    "hdf5_nonlinear": Row(lambda: more.hdf5(more.HIDDEN, "fc2"), FEATURES, trained((5, 5), (8, 10), 282)),
    "hdf5_nonlinear_auto": Row(
        lambda: more.hdf5(more.HIDDEN, "fc2", always=True),
        FEATURES,
        {phase: Count(8, 10, 282, {"accuracy": (), "loss": ()}) for phase in ("TRAIN", "TEST")},
    ),
    "linreg": Row(
        more.linear_regression, None, {phase: Count(5, 5, 140, {"loss": (1,)}) for phase in ("TRAIN", "TEST")}
    ),
    "net_surgery_conv": Row(more.surgery, None, {"TEST": Count(2, 2, 78, {"conv": (1, 3, 96, 96)})}),
    "caffenet_full_conv": Row(
        more.fully_convolutional, None, {"TEST": Count(24, 15, 60965224, {"prob": (1, 1000, 8, 8)})}
    ),
    "imagenet_val": Row(
        more.features, COLOUR, {"TEST": Count(28, 22, 60965224, {"accuracy": (), "loss": ()})}
    ),
    "finetune_pascal_detection": Row(more.detection, COLOUR, PASCAL),
    "alexnet_deploy": Row(
        shipped("alexnet/deploy.prototxt"), None, {"TEST": Count(24, 15, 60965224, {"prob": (10, 1000)})}
    ),
    "caffenet_deploy": Row(
        shipped("caffenet/deploy.prototxt"), None, {"TEST": Count(24, 15, 60965224, {"prob": (10, 1000)})}
    ),
    "alexnet_train_val": Row(shipped("alexnet/train_val.prototxt"), COLOUR, ALEXNET),
    "caffenet_train_val": Row(shipped("caffenet/train_val.prototxt"), COLOUR, ALEXNET),
    "googlenet_deploy": Row(
        shipped("googlenet/deploy.prototxt"), None, {"TEST": Count(152, 121, 6998552, {"prob": (10, 1000)})}
    ),
    "googlenet_train_val": Row(shipped("googlenet/train_val.prototxt"), (3, 224, 224), GOOGLENET),
    "rcnn_ilsvrc13": Row(
        lambda: more.without_prob(more.reclassified("caffenet/deploy.prototxt", "fc-rcnn", 200)),
        None,
        {"TEST": Count(23, 14, 57687624, {"fc-rcnn": (10, 200)})},
    ),
    "flickr_style_deploy": Row(
        lambda: more.reclassified("caffenet/deploy.prototxt", "fc8_flickr", 20),
        None,
        {"TEST": Count(24, 15, 56950164, {"prob": (10, 20)})},
    ),
    "flickr_style_train_val": Row(
        lambda: more.reclassified("caffenet/train_val.prototxt", "fc8_flickr", 20),
        COLOUR,
        trained((24, 16), (27, 21), 56950164),
    ),
}


class Untouched(CpuDevice):
    """Arrays that nothing is written to, so that the system never gives them memory."""

    def fill(self, array, value):
        pass

    def put(self, host, out):
        pass


def shapes_of(net: NetParameter, phase: str) -> Net:
    """The net, built without values."""
    for one in net.layer:
        one.convolution_param.ClearField("weight_filler")
        one.inner_product_param.ClearField("weight_filler")
    return Net(net, phase=phase, device=Untouched(), keep="needed")


def counted(net: NetParameter, phase: str, sample: tuple[int, ...] | None) -> Count:
    """What is in the net, built for `phase` over one `sample`."""
    if sample:
        tops = next(one.top for one in net.layer if not one.bottom)
        source = LayerParameter(name="input", type="Input", top=tops)
        for shape in [(1, *sample), (1,)][: len(tops)]:
            source.input_param.shape.add(dim=shape)
        rest = [one for one in net.layer if one.bottom]
        net = NetParameter(name=net.name, layer=[source, *rest])
    built = shapes_of(net, phase)
    params = sum(owned.blob.count for owned in built.parameters.owned)
    outputs = {name: built.blobs[name].shape for name in built.outputs}
    return Count(len(built.layers), len(built.graph.blob_names), params, outputs)


@pytest.mark.parametrize(("name", "phase"), [(n, p) for n, row in ROWS.items() for p in row.counts])
def test_counts(name, phase):
    row = ROWS[name]
    found, wanted = counted(row.net(), phase, row.sample), row.counts[phase]
    assert found == wanted
    assert list(found.outputs) == list(wanted.outputs)


def test_a_planted_fault_is_counted():
    net = more.shipped("googlenet/deploy.prototxt")
    net.layer.remove(more.layer(net, "inception_4c/relu_5x5"))
    assert counted(net, "TEST", None) != ROWS["googlenet_deploy"].counts["TEST"]


# -- files


WRITTEN = nets()


@pytest.mark.parametrize("path", WRITTEN)
def test_committed_files_are_what_the_script_writes(path):
    assert (PROTOTXT / path).read_text() == WRITTEN[path], "run python tools/make_nets.py"


@pytest.mark.parametrize(
    "path", sorted(p.relative_to(PROTOTXT) for p in PROTOTXT.glob("*/*solver*.prototxt")), ids=str
)
def test_solvers_name_a_net_beside_them(path):
    solver = upgrade.read_solver(PROTOTXT / path)
    net = upgrade.read_net((PROTOTXT / path).parent / solver.net)
    assert len(solver.test_iter) == max(1, len(solver.test_state))
    assert solver.max_iter > 0 and solver.test_interval > 0
    assert {rule.phase for one in net.layer for rule in one.include} == {0, 1}


@pytest.mark.parametrize("path", sorted({path.split("/")[0] for path in WRITTEN}))
def test_every_folder_has_a_readme(path):
    assert (PROTOTXT / path / "README.md").is_file()
    assert f"({path}/README.md)" in (PROTOTXT / "README.md").read_text()


def test_the_house_style():
    items = [
        layer("Data", "d", [], ["x"], data_param={"source": "1.0 }", "batch_size": 3}),
        "Then:",
        layer("Power", "p", "x", "y", power_param={"power": 2, "scale": -1, "shift": 5e-5}),
    ]
    spelled = spell_net("What it is.\nAnd more.", "N", items)
    assert (
        spelled
        == """# What it is.
# And more.
name: "N"

layer {
  name: "d"
  type: "Data"
  top: "x"
  data_param { source: "1.0 }" batch_size: 3 }
}

# Then:
layer {
  name: "p"
  type: "Power"
  bottom: "x"
  top: "y"
  power_param { power: 2 scale: -1 shift: 5e-05 }
}
"""
    )
    wide = spell_net("", "N", [layer("Input", "i", [], "x", input_param={"shape": [{"dim": [1] * 30}]})])
    assert "\n  input_param {\n    shape {\n      dim: 1\n" in wide
    assert text.parse(wide, NetParameter).layer[0].input_param.shape[0].dim == [1] * 30


# -- nets of our own


@pytest.mark.parametrize(
    ("name", "size"),
    [("alexnet", 227), ("caffenet", 227), ("googlenet", 224), ("mobilenet_v1", 224), ("resnet50", 224)],
)
def test_nets_to_time_need_no_data(name, size):
    net = shapes_of(more.shipped(f"{name}/train_val_dummy.prototxt"), "TRAIN")
    assert [net.blobs[top].shape for top in ("data", "label")] == [(32, 3, size, size), (32,)]
    published = more.shipped(f"{name}/train_val.prototxt")
    assert [one.name for one in net.param.layer if one.type not in ("DummyData", "Split")] == [
        one.name for one in published.layer if one.type not in ("Data", "Accuracy")
    ]


@pytest.mark.parametrize(
    ("path", "sample", "start"),
    [
        ("googlenet/mnist_train_val.prototxt", (1, 224, 224), "conv1/7x7_s2"),
        ("googlenet/mnist_28_train_val.prototxt", DIGIT, "inception_3a/1x1"),
        ("googlenet/digits_train_val.prototxt", (1, 224, 224), "conv1/7x7_s2"),
    ],
)
def test_googlenet_for_mnist_is_googlenet(path, sample, start):
    """Layer for layer from `start` on, but for ten classes and, over 28 x 28, two poolings."""

    def layers(net: NetParameter) -> list[LayerParameter]:
        names = [one.name for one in net.layer]
        same = net.layer[names.index(start) :]
        for one in same:
            one.inner_product_param.ClearField("num_output")
            one.bottom[:] = [name.replace("conv2/norm2", "pool2/3x3_s2") for name in one.bottom]
        return [one for one in same if not one.name.startswith("pool5/") and one.name != "loss3/classifier"]

    ours = more.shipped(path)
    assert list(counted(ours, "TEST", sample).outputs) == list(GOOGLENET["TEST"].outputs)
    assert {one.inner_product_param.num_output for one in ours.layer if "classifier" in one.name} == {10}
    published = layers(more.shipped("googlenet/train_val.prototxt"))
    assert layers(more.shipped(path)) == published and len(published) > 100


@pytest.mark.parametrize(
    ("stage", "phase", "path"),
    [("train", TRAIN, "train_val"), ("val", TEST, "train_val"), ("deploy", TEST, "deploy")],
)
def test_one_file_holds_what_three_say(stage, phase, path):
    """DIGITS' form of GoogLeNet, but for the names of the data layers, and what is filled in."""

    def layers(path: str, state: NetState) -> list[LayerParameter]:
        same = [one for one in more.shipped(path).layer if takes_part(one, state) and one.type != "Input"]
        for one in same:
            one.name = "data" if one.type == "Data" else one.name
            one.inner_product_param.ClearField("num_output")
            for field in ("include", "exclude", "data_param"):
                one.ClearField(field)
        return same

    state = NetState(phase=phase, stage=[stage])
    whole = layers("googlenet/digits_all_in_one.prototxt", state)
    assert whole == layers(f"googlenet/digits_{path}.prototxt", NetState(phase=phase)) and len(whole) > 100


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_siamese_pairs_say_whether_they_are_of_one_class(pairs):
    net = more.replace(
        more.shipped("siamese/train_test.prototxt"),
        lambda one: [one] if one.name in ("difference", "distance", "differ", "sim") else [],
    )
    source = layer("Input", "input", [], ["label", "label_p"], input_param={"shape": [{"dim": [len(pairs)]}]})
    net = NetParameter(layer=[source, *net.layer])
    label, label_p = (np.array(one) for one in zip(*pairs))
    found = Net(net, phase="TRAIN").forward(label=label, label_p=label_p)
    np.testing.assert_array_equal(found["sim"], label == label_p)


def test_siamese_branches_see_different_digits():
    def change(one: LayerParameter) -> list[LayerParameter]:
        one.data_param.source = one.data_param.source.replace("mnist", "digits")
        return [one] if one.type == "Data" else []

    net = Net(more.replace(more.shipped("siamese/train_test.prototxt"), change), phase="TRAIN", seed=1)
    found = net.forward()
    assert np.any(found["data"] != found["data_p"], axis=(1, 2, 3)).mean() > 0.9
