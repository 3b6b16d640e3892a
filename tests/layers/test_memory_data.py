"""MemoryData."""

import logging

import numpy as np
import pytest

from minicaffe.data.transformer import Transformer
from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import TRAIN, NetParameter, TransformationParameter

from ..support.devices import each_device

DATA = np.arange(6 * 2 * 3 * 4, dtype=np.float32).reshape(6, 2, 3, 4)
LABELS = np.arange(6, dtype=np.float32)
SHAPE = "batch_size: 2 channels: 2 height: 3 width: 4"


def net(conf=SHAPE, transform="", device=None, seed=5) -> Net:
    layer = f"""layer {{ name: "m" type: "MemoryData" top: "data" top: "label"
      memory_data_param {{ {conf} }} {transform and f"transform_param {{ {transform} }}"} }}"""
    return Net(text.parse(layer, NetParameter), phase="TRAIN", device=device, seed=seed)


@each_device
def test_rows_come_in_order_and_wrap(device):
    rig = net(device=device)
    assert rig.blobs["data"].shape == (2, 2, 3, 4) and rig.blobs["label"].shape == (2,)
    rig.layers[0].reset(DATA, LABELS)
    for number in range(7):
        outputs, at = rig.forward(), 2 * number % 6
        np.testing.assert_array_equal(outputs["data"], DATA[at : at + 2])
        np.testing.assert_array_equal(outputs["label"], LABELS[at : at + 2])


def test_new_data_begins_with_its_first_row():
    rig = net()
    rig.layers[0].reset(DATA, LABELS)
    rig.forward()
    rig.layers[0].reset(DATA[2:], LABELS[2:].reshape(4, 1, 1, 1))
    assert [rig.forward()["label"].tolist() for _ in range(3)] == [[2, 3], [4, 5], [2, 3]]


def test_nothing_is_copied():
    rig, data = net(), DATA.copy()
    rig.layers[0].reset(data, LABELS)
    data[1] = -1
    assert (rig.forward()["data"][1] == -1).all()


def test_added_images_are_transformed():
    conf = "mirror: true crop_size: 3 mean_value: 2 scale: 0.5"
    rig = net("batch_size: 2 channels: 2 height: 3 width: 3", conf)
    layer, images = rig.layers[0], DATA.astype(np.uint8)
    transform = Transformer(text.parse(conf, TransformationParameter), TRAIN, (2, 3, 4))
    for start in (0, 6):  # random numbers go on
        layer.add(images, LABELS.astype(int))
        wanted = np.empty((6, 2, 3, 3), np.float32)
        transform(images, wanted, np.arange(start, start + 6), layer.random.key)
        got = [rig.forward() for _ in range(3)]
        np.testing.assert_array_equal(np.concatenate([g["data"] for g in got]), wanted)
        np.testing.assert_array_equal(np.concatenate([g["label"] for g in got]), LABELS)


def test_added_images_may_have_any_size():
    rig = net(transform="resize { height: 3 width: 4 }")
    rig.layers[0].add([np.full((2, 9, 9), 7, np.uint8), np.full((2, 1, 2), 8, np.uint8)], [1, 2])
    np.testing.assert_array_equal(rig.forward()["data"][:, 0, 0, 0], [7, 8])


def test_reset_warns_that_it_does_not_transform(caplog):
    rig = net(transform="scale: 2")
    with caplog.at_level(logging.WARNING, "minicaffe"):
        rig.layers[0].reset(DATA, LABELS)
    assert "does not transform" in caplog.text
    np.testing.assert_array_equal(rig.forward()["data"], DATA[:2])


def test_a_pass_without_data():
    with pytest.raises(DataError, match=r"'m' \(MemoryData\): there is no data yet; hint: call reset\(data"):
        net().forward()


@pytest.mark.parametrize(
    ("data", "labels", "error", "message"),
    [
        (DATA[:, :1], LABELS, ShapeError, r"the shape \(n, 2, 3, 4\); got \(6, 1, 3, 4\)"),
        (DATA[0], LABELS, ShapeError, r"the shape \(n, 2, 3, 4\); got \(2, 3, 4\)"),
        (DATA[:5], LABELS[:5], DataError, "a multiple of batch_size, 2; got 5"),
        (DATA[:0], LABELS[:0], DataError, "a multiple of batch_size, 2; got 0"),
        (DATA, LABELS[:5], DataError, "6 images need as many labels; got 5"),
    ],
)
def test_arrays_that_do_not_fit(data, labels, error, message):
    with pytest.raises(error, match=rf"layer 'm' \(MemoryData\): .*{message}"):
        net().layers[0].reset(data, labels)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([np.zeros((3, 4))] * 2, r"image 0 must have the axes \(C, H, W\); got \(3, 4\)"),
        ([np.zeros((2, 5, 5))] * 2, r"images must come out as \(2, 3, 4\), .* says; got \(2, 5, 5\)"),
        (
            [np.zeros((2, 3, 4)), np.zeros((2, 4, 3))],
            r"all images of a batch must have the shape \(2, 3, 4\)",
        ),
        ([], "a multiple of batch_size, 2; got 0"),
    ],
)
def test_images_that_do_not_fit(images, message):
    with pytest.raises((ShapeError, DataError), match=rf"layer 'm' \(MemoryData\): .*{message}"):
        net().layers[0].add(images, np.zeros(len(images)))


@pytest.mark.parametrize("field", ["batch_size", "channels", "height", "width"])
def test_sizes_must_be_set(field):
    with pytest.raises(ConfigError, match=f"memory_data_param.{field} must be at least 1"):
        net(" ".join(f"{f}: {int(f != field)}" for f in ("batch_size", "channels", "height", "width")))


def test_fields_without_effect():
    with pytest.raises(ConfigError, match=r"transform_param.force_color has no effect"):
        net(transform="force_color: true")
