"""Input."""

import numpy as np
import pytest

from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device


def net(conf: str, tops=1, device=None) -> Net:
    names = " ".join(f'top: "{"abc"[i]}"' for i in range(tops))
    layers = f"""
      layer {{ name: "in" type: "Input" {names} input_param {{ {conf} }} }}
      layer {{ name: "relu" type: "ReLU" bottom: "a" top: "y" }}"""
    return Net(text.parse(layers, NetParameter), device=device)


@each_device
def test_what_is_put_in_stays(device):
    rig = net("shape { dim: 2 dim: 3 }", device=device)
    assert rig.inputs == ["a"] and rig.outputs == ["y"]
    x = np.arange(-3.0, 3.0).reshape(2, 3)
    rig.device.put(x, rig.blobs["a"].data)
    for _ in range(2):
        np.testing.assert_array_equal(rig.forward()["y"], np.maximum(x, 0))
    rig.backward()
    np.testing.assert_array_equal(rig.device.get(rig.blobs["a"].data), x)


def test_one_shape_serves_all_tops_or_each_has_its_own():
    rig = net("shape { dim: 2 }", tops=3)
    assert [rig.blobs[name].shape for name in "abc"] == [(2,)] * 3
    rig = net("shape { dim: 2 } shape { dim: 1 dim: 4 } shape { }", tops=3)
    assert [rig.blobs[name].shape for name in "abc"] == [(2,), (1, 4), ()]
    assert rig.inputs == ["a", "b", "c"]


def test_a_shape_given_later_passes_through_the_net():
    rig = net("shape { dim: 2 dim: 3 }")
    rig.blobs["a"].reshape(4, 3)
    rig.reshape()
    rig.blobs["a"].data[...] = 1
    assert rig.forward()["y"].shape == (4, 3)


def test_without_a_shape_tops_are_empty_until_they_get_one():
    rig = net("")
    assert rig.blobs["a"].count == 0
    rig.blobs["a"].reshape(2, 2)
    rig.reshape()
    assert rig.forward()["y"].shape == (2, 2)


def test_the_number_of_shapes_must_fit():
    with pytest.raises(ConfigError, match=r"'in' \(Input\): 2 shapes for 3 tops"):
        net("shape { dim: 2 } shape { dim: 2 }", tops=3)
