"""ImageLabelmapData."""

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import images
from minicaffe.data.resize import Resize
from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from .test_dense_image_data import SIZES, folder, pair

__all__ = ["folder"]  # a fixture


@pytest.fixture
def maps(folder):
    """The pairs of `folder`, whose second images are maps of edges."""
    random = np.random.default_rng(1)
    for i, size in enumerate(SIZES):
        map_of = random.choice([0, 127, 128, 255], size).astype(np.uint8)
        Image.fromarray(map_of).save(folder / f"{i}l.png")
    return folder


def net(maps, conf="", transform="", phase="TRAIN", device=None) -> Net:
    layer = f"""layer {{ name: "d" type: "ImageLabelmapData" top: "data" top: "label"
      transform_param {{ {transform} }}
      image_data_param {{ source: "{maps}/list" root_folder: "{maps}" batch_size: 1 {conf} }} }}"""
    return Net(text.parse(layer, NetParameter), phase=phase, seed=5, device=device)


@each_device
def test_edges_are_ones(maps, device):
    rig = net(maps, transform="mean_value: 1 mean_value: 2 mean_value: 3", device=device)
    for i in range(5):
        outputs = rig.forward()
        image, edges = pair(maps, i)
        mean = np.arange(1, 4, dtype=np.float32).reshape(3, 1, 1)
        np.testing.assert_array_equal(outputs["data"][0], image - mean)
        np.testing.assert_array_equal(outputs["label"][0, 0], edges >= 128)


def test_maps_are_resized_before_they_are_edges(maps):
    rig = net(maps, "new_height: 9 new_width: 11")
    for i in range(5):
        wanted = np.empty((1, 9, 11), np.uint8)
        Resize(9, 11)(images.read(maps / f"{i}l.png", images.Channels.GRAY), wanted)
        np.testing.assert_array_equal(rig.forward()["label"][0], wanted >= 128)


def test_crop_and_mirror_are_those_of_both(maps):
    rig = net(maps, transform="crop_size: 3 mirror: true")
    for number in range(30):
        outputs = rig.forward()
        image, edges = pair(maps, number % 5)
        assert any(
            (image[:, top : top + 3, left : left + 3][:, :, ::step] == outputs["data"][0]).all()
            and ((edges >= 128)[top : top + 3, left : left + 3][:, ::step] == outputs["label"][0, 0]).all()
            for top in range(edges.shape[0] - 2)
            for left in range(edges.shape[1] - 2)
            for step in (1, -1)
        )


def test_fields_that_do_not_fit(maps):
    with pytest.raises(
        ConfigError, match=r"image_data_param\.mirror has no effect; hint: set mirror in transfor"
    ):
        net(maps, "mirror: true")
    with pytest.raises(ConfigError, match=r"image_data_param\.label_type is not supported in this layer"):
        net(maps, "label_type: PIXEL")
