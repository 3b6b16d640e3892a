"""DummyData."""

import numpy as np
import pytest

from minicaffe.errors import ConfigError, UnknownTypeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device

SHAPE = "shape { dim: 2 dim: 3 }"
GAUSSIAN = 'data_filler { type: "gaussian" std: 2 }'


def constant(value: float) -> str:
    return f'data_filler {{ type: "constant" value: {value} }}'


def net(conf: str, tops=1, name="dummy", seed=5, device=None) -> Net:
    names = " ".join(f'top: "{"abc"[i]}"' for i in range(tops))
    layer = f'layer {{ name: "{name}" type: "DummyData" {names} dummy_data_param {{ {conf} }} }}'
    return Net(text.parse(layer, NetParameter), phase="TRAIN", seed=seed, device=device)


@each_device
def test_constants_and_random_tops(device):
    rig = net(f"{SHAPE} {constant(7)} {GAUSSIAN} {constant(9)}", tops=3, device=device)
    first, second = rig.forward(), rig.forward()
    for name, value in (("a", 7), ("c", 9)):
        np.testing.assert_array_equal(first[name], np.full((2, 3), value))
        np.testing.assert_array_equal(second[name], first[name])
    assert (first["b"] != second["b"]).all() and np.abs(first["b"]).max() < 20


def test_edits_of_constants_persist_and_those_of_random_tops_do_not():
    rig = net(f"{SHAPE} {constant(7)} {GAUSSIAN}", tops=2)
    rig.forward()
    for blob in rig.blobs.values():
        blob.data[...] = 100
    outputs = rig.forward()
    assert (outputs["a"] == 100).all() and (outputs["b"] != 100).all()


def test_an_edit_before_the_first_pass_persists_too():
    rig = net(f"{SHAPE} {constant(7)}")
    rig.blobs["a"].data[0] = 3
    np.testing.assert_array_equal(rig.forward()["a"], [[3, 3, 3], [0, 0, 0]])


def test_without_filler_everything_is_zero():
    assert (net(SHAPE).forward()["a"] == 0).all()


def test_random_values_follow_from_seed_name_top_and_pass():
    def draw(passes=0, top="a", **conf):
        rig = net(f"{SHAPE} {GAUSSIAN}", tops=2, **conf)
        rig.passes = passes
        return rig.forward()[top]

    np.testing.assert_array_equal(draw(), draw())
    for other in (draw(seed=6), draw(name="other"), draw(top="b"), draw(passes=1)):
        assert (draw() != other).all()
    rig = net(f"{SHAPE} {GAUSSIAN}", tops=2)
    rig.forward()
    np.testing.assert_array_equal(rig.forward()["a"], draw(passes=1))


def test_one_filler_or_shape_serves_all_tops():
    outputs = net(f"{SHAPE} {constant(2)}", tops=3).forward()
    assert all(value.shape == (2, 3) and (value == 2).all() for value in outputs.values())
    outputs = net(f"{SHAPE} shape {{ dim: 4 }} shape {{ }}", tops=3).forward()
    assert [outputs[name].shape for name in "abc"] == [(2, 3), (4,), ()]


def test_legacy_shapes():
    outputs = net("num: 2 channels: 3 height: 4 height: 5 width: 6", tops=2).forward()
    assert outputs["a"].shape == (2, 3, 4, 6) and outputs["b"].shape == (2, 3, 5, 6)


def test_a_reshaped_top_returns_to_its_shape():
    rig = net(f"{SHAPE} {constant(2)}")
    rig.forward()
    rig.blobs["a"].reshape(5, 5)
    np.testing.assert_array_equal(rig.forward()["a"], np.full((2, 3), 2))


@pytest.mark.parametrize(
    ("conf", "tops", "message"),
    [
        ("", 1, r"dummy_data_param.shape must be given once or once per top \(1\); got 0"),
        (f"{SHAPE} {SHAPE}", 3, r"shape must be given once or once per top \(3\); got 2"),
        (f"{SHAPE} {GAUSSIAN} {GAUSSIAN}", 3, r"data_filler must be given once or once per top \(3\); got 2"),
        (f"{SHAPE} num: 1", 1, "both shape and num, channels, height or width are set; hint: keep shape"),
        ("num: 1 channels: 1 height: 1", 1, r"width must be given once or once per top \(1\); got 0"),
        ("num: 1 num: 2 channels: 1 height: 1 width: 1", 3, "num must be given once .* got 2"),
        (
            f'{SHAPE} data_filler {{ type: "gaussian" std: 0 }}',
            1,
            "top 0: gaussian filler: std must be above 0",
        ),
        (f"{SHAPE} data_filler {{ sparse: 2 }}", 1, "top 0: filler sparse is for type gaussian only"),
    ],
)
def test_fields_that_do_not_fit(conf, tops, message):
    with pytest.raises(ConfigError, match=message):
        net(conf, tops)


def test_unknown_fillers():
    with pytest.raises(
        UnknownTypeError, match="top 1: no filler type 'gausian'; hint: did you mean 'gaussian'"
    ):
        net(f'{SHAPE} {GAUSSIAN} data_filler {{ type: "gausian" }}', tops=2)
