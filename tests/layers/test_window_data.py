"""WindowData; the windows themselves are tested in data/test_windows.py."""

import numpy as np
import pytest
from PIL import Image

from minicaffe.errors import ConfigError, DataError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from .test_data import each_name, transforming


@pytest.fixture
def folder(tmp_path):
    pixels = np.random.default_rng(4).integers(1, 256, (10, 12, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    lines = ["# 0", f"{tmp_path}/a.png", "3", "10", "12", "40"]
    for i in range(20):
        lines += [
            f"{i + 1} 0.{60 + i} {i % 5} {i % 4} {i % 5 + 6} 9",
            f"3 0.{10 + i} 0 {i % 5} 11 {i % 5 + 3}",
        ]
    (tmp_path / "windows.txt").write_text("\n".join(lines))
    return tmp_path


def net(folder, conf="", transform="crop_size: 4", seed=5, prefetch=4, device=None) -> Net:
    layer = f"""layer {{ name: "w" type: "WindowData" top: "data" top: "label"
      transform_param {{ {transform} }} data_param {{ prefetch: {prefetch} }}
      window_data_param {{ source: "{folder}/windows.txt" batch_size: 8 {conf} }} }}"""
    return Net(text.parse(layer, NetParameter), phase="TRAIN", seed=seed, device=device)


@each_device
def test_shapes_and_the_share_of_foreground(folder, device):
    rig = net(folder, "fg_fraction: 0.4", device=device)
    for _ in range(3):
        outputs = rig.forward()
        assert outputs["data"].shape == (8, 3, 4, 4) and outputs["label"].shape == (8,)
        assert (outputs["label"][:5] == 0).all() and (outputs["label"][5:] > 0).all()


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_pass_is_a_function_of_the_seed(folder, prefetch):
    conf = {"conf": "context_pad: 1", "transform": "crop_size: 5 mirror: true", "prefetch": prefetch}
    rig = net(folder, **conf)
    whole = [rig.forward()["data"] for _ in range(8)]
    other = net(folder, **conf, seed=1)
    assert (other.forward()["data"] != whole[0]).any()
    other.reseed(5)
    for passes in (6, 2):
        other.passes = passes
        np.testing.assert_array_equal(other.forward()["data"], whole[passes])


@each_name
def test_windows_are_transformed_on_the_host_whatever_the_device(folder, name):
    device, seen = transforming(name)
    rig, host = net(folder, device=device), net(folder)
    for _ in range(3):
        for one, other in zip(rig.forward().values(), host.forward().values()):
            np.testing.assert_array_equal(one, other)
    assert seen == [np.float32] * 3


def test_the_scale_may_stand_in_either_message(folder):
    plain = net(folder).forward()["data"]
    for conf, transform in (("scale: 0.5", ""), ("", "scale: 0.5"), ("scale: 0.5", "scale: 0.5")):
        scaled = net(folder, conf, f"crop_size: 4 {transform}").forward()["data"]
        np.testing.assert_array_equal(scaled, plain * np.float32(0.5))


@pytest.mark.parametrize(
    ("conf", "transform", "message"),
    [
        ("", "", "transform_param.crop_size must be at least 1"),
        ("context_pad: 2", "crop_size: 4", "context_pad 2 on both sides leaves nothing of crop_size 4"),
        ('crop_mode: "fit"', "crop_size: 4", 'crop_mode must be "warp" or "square"; got "fit"'),
        ("fg_fraction: 1.5", "crop_size: 4", "fg_fraction must lie between 0 and 1; got 1.5"),
        ("scale: 2", "crop_size: 4 scale: 3", "transform_param.scale and window_data_param.scale differ"),
        ("mirror: true", "crop_size: 4", "window_data_param.mirror has no effect; hint: set mirror in"),
        ("", "crop_size: 4 resize { height: 3 width: 3 }", "transform_param.resize has no effect here"),
    ],
)
def test_fields_that_do_not_fit(folder, conf, transform, message):
    with pytest.raises(ConfigError, match=rf"'w' \(WindowData\): .*{message}"):
        net(folder, conf, transform)


def test_what_is_missing(folder):
    head = 'layer { name: "w" type: "WindowData" top: "data" top: "label" window_data_param'
    with pytest.raises(ConfigError, match=r"window_data_param.source must be set"):
        Net(text.parse(f"{head} {{ }} }}", NetParameter))
    with pytest.raises(ConfigError, match=r"window_data_param.batch_size must be at least 1"):
        Net(text.parse(f'{head} {{ source: "x" }} }}', NetParameter))
    with pytest.raises(DataError, match=r"windows.txt: a batch needs 2 foreground windows; there is none"):
        net(folder, "fg_threshold: 0.9")
