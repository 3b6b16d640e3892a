"""ResNet-50 and MobileNet v1 are what their papers describe: parameters, multiply-adds, shapes, names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from minicaffe.checking.summary import summarize
from minicaffe.net import Net

from .support.published import shipped
from .support.running import PROTOTXT


class Convolved(NamedTuple):
    """One convolution as a paper's table gives it."""

    name: str
    inputs: int  # channels that one output sees
    outputs: int
    kernel: int
    size: int  # of the output, both ways

    @property
    def weights(self) -> int:
        return self.outputs * self.inputs * self.kernel**2

    @property
    def multiply_adds(self) -> int:
        return self.weights * self.size**2


def resnet50() -> Iterator[Convolved]:
    """Table 1 of He et al. 2015, the column of 50 layers; the stride is in the first 1 x 1."""
    yield Convolved("conv1", 3, 64, 7, 112)
    inputs = 64
    for stage, width, blocks, size in ((2, 64, 3, 56), (3, 128, 4, 28), (4, 256, 6, 14), (5, 512, 3, 7)):
        for block in "abcdef"[:blocks]:
            name = f"res{stage}{block}_branch"
            if block == "a":
                yield Convolved(f"{name}1", inputs, 4 * width, 1, size)
            yield Convolved(f"{name}2a", inputs, width, 1, size)
            yield Convolved(f"{name}2b", width, width, 3, size)
            yield Convolved(f"{name}2c", width, 4 * width, 1, size)
            inputs = 4 * width


def mobilenet_v1() -> Iterator[Convolved]:
    """Table 1 of Howard et al. 2017."""
    yield Convolved("conv1", 3, 32, 3, 112)
    inputs, size = 32, 112
    names = ("2_1", "2_2", "3_1", "3_2", "4_1", "4_2", "5_1", "5_2", "5_3", "5_4", "5_5", "5_6", "6")
    outputs = (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)
    for name, count in zip(names, outputs):
        size //= 2 if name in ("2_2", "3_2", "4_2", "5_6") else 1
        yield Convolved(f"conv{name}/dw", 1, inputs, 3, size)
        yield Convolved(f"conv{name}/sep", inputs, count, 1, size)
        inputs = count
    yield Convolved("fc7", 1024, 1000, 1, 1)


NETS = {
    "resnet50": (resnet50, 53, {"fc1000": 2_049_000}, 25_610_269, 3_857_973_248),
    "mobilenet_v1": (mobilenet_v1, 28, {"fc7": 1_025_000}, 4_253_891, 568_740_352),
}


LEARNED = ("Convolution", "InnerProduct")
ENDS = ("Data", "DummyData", "Input", "SoftmaxWithLoss", "Accuracy", "Softmax")


@pytest.mark.parametrize("name", NETS)
def test_counts(name):
    rows, convolutions, classifiers, params, products = NETS[name]
    net = Net(PROTOTXT / name / "deploy.prototxt", phase="TEST", allocate=False)
    layers = {layer.name: layer for layer in net.layers}
    table = {row.name: row for row in rows()}
    assert len(table) == convolutions
    assert list(table) == [layer.name for layer in net.layers if layer.type == "Convolution"]
    for row in table.values():
        weights = layers[row.name].params[0]
        assert weights.shape == (row.outputs, row.inputs, row.kernel, row.kernel), row.name
        assert net.blobs[row.name].shape == (1, row.outputs, row.size, row.size), row.name
    for one, count in classifiers.items():
        assert sum(blob.count for blob in layers[one].params) == count
    costs = summarize(str(PROTOTXT / name / "deploy.prototxt"), phase="TEST").layers
    assert sum(cost.parameters for cost in costs) == params
    learned = {cost.name: cost.multiply_adds for cost in costs if cost.type in LEARNED}
    assert sum(learned.values()) == products
    assert all(learned[row.name] == row.multiply_adds for row in table.values())


@pytest.mark.parametrize("name", NETS)
def test_training_and_deployment_are_one_net(name):
    """Layer for layer between data and loss, but that a deploy net says that it takes the running moments."""

    def layers(file: str) -> list:
        same = [one for one in shipped(f"{name}/{file}.prototxt").layer if one.type not in ENDS]
        frozen = {one.batch_norm_param.use_global_stats for one in same if one.type == "BatchNorm"}
        assert frozen == {file == "deploy"}
        for one in same:
            one.ClearField("batch_norm_param")
        return same

    assert layers("train_val") == layers("deploy") == layers("train_val_dummy")


@pytest.mark.parametrize("name", NETS)
def test_the_net_to_time_has_the_parameters_of_the_published(name):
    """By layer name and shape, which is how weights are found."""

    def shapes(file: str, phase: str) -> dict[str, list[tuple[int, ...]]]:
        net = Net(PROTOTXT / name / file, phase=phase, allocate=False)
        return {layer: [blob.shape for blob in blobs] for layer, blobs in net.params.items()}

    assert shapes("train_val_dummy.prototxt", "TRAIN") == shapes("deploy.prototxt", "TEST")


@pytest.mark.parametrize("name", NETS)
def test_the_published_order_behind_a_convolution(name):
    """BatchNorm, Scale with a summand, and but for the ends of ResNet's branches a ReLU, all in place."""
    net = shipped(f"{name}/deploy.prototxt")
    behind = {one.name: [] for one in net.layer if one.type == "Convolution" and one.name != "fc7"}
    for one in net.layer:
        if one.top[0] in behind and one.type != "Convolution":
            assert list(one.bottom) == list(one.top)
            behind[one.top[0]].append(one.type)
        assert one.type != "Scale" or one.scale_param.bias_term
    for blob, types in behind.items():
        ends = name == "resnet50" and blob.endswith(("branch1", "branch2c"))
        assert types == ["BatchNorm", "Scale", "ReLU"][: 2 if ends else 3], blob
