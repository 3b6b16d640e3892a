"""ImageSegData."""

import numpy as np
import pytest

from minicaffe.data import absent
from minicaffe.data.resize import Resize, nearest
from minicaffe.errors import ConfigError, DataError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import TRAIN, NetParameter

from ..support.devices import each_device
from .test_dense_image_data import SIZES, folder, pair

__all__ = ["folder"]  # a fixture


def described(folder, conf="", transform="", kind="PIXEL") -> NetParameter:
    return text.parse(
        f"""layer {{ name: "d" type: "ImageSegData" top: "data" top: "label" top: "size"
        transform_param {{ {transform} }} image_data_param {{ source: "{folder}/list" root_folder: "{folder}"
        label_type: {kind} {conf} }} }}""",
        NetParameter,
    )


def net(folder, conf="", transform="", kind="PIXEL", phase="TRAIN", device=None, seed=5) -> Net:
    return Net(described(folder, conf, transform, kind), phase=phase, seed=seed, device=device)


@each_device
@pytest.mark.parametrize("transform", ["crop_size: 10", "crop_height: 10 crop_width: 10"])
def test_what_is_smaller_is_filled_up(folder, device, transform):
    """With the mean, which is 0 then, and the label that says nothing; mirrored it is so on the left."""
    rig = net(
        folder, "batch_size: 5 ignore_label: 99", f"{transform} mean_value: 7 mirror: true", device=device
    )
    outputs, turned = rig.forward(), set()
    np.testing.assert_array_equal(outputs["size"].reshape(5, 2), SIZES)
    for i, (h, w) in enumerate(SIZES):
        image, label = pair(folder, i)
        wanted, says = np.zeros((3, 10, 10), np.float32), np.full((10, 10), 99)
        wanted[:, :h, :w], says[:h, :w] = image.astype(np.float32) - 7, label
        step = 1 if (outputs["label"][i, 0] == says).all() else -1
        np.testing.assert_array_equal(outputs["data"][i], wanted[:, :, ::step])
        np.testing.assert_array_equal(outputs["label"][i, 0], says[:, ::step])
        turned.add(step)
    assert turned == {1, -1}


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_what_is_larger_is_cut_in_test_to_the_middle(folder, phase):
    rig, places = net(folder, "batch_size: 1", "crop_height: 4 crop_width: 3", phase=phase), set()
    for number in range(60):
        outputs = rig.forward()
        image, label = pair(folder, number % 5)
        found = [
            (top, left)
            for top in range(label.shape[0] - 3)
            for left in range(label.shape[1] - 2)
            if (image[:, top : top + 4, left : left + 3] == outputs["data"][0]).all()
        ]
        ((top, left),) = found
        np.testing.assert_array_equal(outputs["label"][0, 0], label[top : top + 4, left : left + 3])
        assert outputs["size"].ravel().tolist() == [4, 3]
        if number % 5 == 0:
            places.add((top, left))
    assert places == {(1, 1)} if phase == "TEST" else len(places) > 4


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_a_factor_is_drawn_for_both(folder, phase):
    rig = net(folder, "batch_size: 1", "scale_factors: 0.5 scale_factors: 1 scale_factors: 2", phase=phase)
    seen = set()
    for number in range(30):
        outputs = rig.forward()
        image, label = pair(folder, number % 5)
        h, w = (int(extent) for extent in outputs["size"].ravel())
        wanted = np.empty((3, h, w), np.uint8)
        Resize(h, w)(image, wanted)
        np.testing.assert_array_equal(outputs["data"][0], wanted)
        np.testing.assert_array_equal(outputs["label"][0, 0], nearest(label, h, w))
        seen.add(h / label.shape[0])
    assert len(seen) >= 3


def test_one_label_for_all_pixels_and_none(folder):
    (folder / "list").write_text("/0.png 3\n/1.png -1\n/2.png x\n")
    rig = net(folder, "batch_size: 1", "crop_size: 7", "IMAGE")
    for label in (3, -1):
        labels = rig.forward()["label"][0, 0]
        assert (labels[:6, :5] == label).all() and (labels[6:] == 255).all() and (labels[:, 5:] == 255).all()
    with pytest.raises(DataError, match="list:3: expected a whole number as the label of an image; got 'x'"):
        rig.forward()
    (folder / "list").write_text("/0.png\n/1.png 4\n")
    rig = net(folder, "batch_size: 2 ignore_label: 9", "", "NONE")
    assert (rig.forward()["label"] == 9).all()


def test_without_label_type_it_is_one_label(folder):
    (folder / "list").write_text("/0.png 3\n")
    param = described(folder, "batch_size: 1")
    param.layer[0].image_data_param.ClearField("label_type")
    assert (Net(param, phase="TRAIN").forward()["label"] == 3).all()


@pytest.mark.parametrize(
    ("conf", "transform", "message"),
    [
        (
            "crop_size: 3",
            "",
            "image_data_param.crop_size has no effect; hint: set crop_size in transform_param",
        ),
        ("", "crop_size: 3 crop_height: 3", "both crop_size and crop_height are set"),
        ("", "crop_height: 3", r"crop_height and crop_width must both be set, or neither; got \(3, 0\)"),
        ("", "scale_factors: 0", "every scale_factors must be above 0"),
        ("", "resize { height: 3 width: 3 }", "transform_param.resize has no effect here"),
        ("", "fix_crop: true", "transform_param.fix_crop is not supported in this layer"),
    ],
)
def test_fields_that_do_not_fit(folder, conf, transform, message):
    with pytest.raises(ConfigError, match=message):
        net(folder, f"batch_size: 1 {conf}", transform)


def test_what_is_missing_is_known_and_the_shapes_without_it(folder):
    (layer,) = described(folder, "batch_size: 2", "crop_size: 8").layer
    assert not list(absent.files(layer))
    assert absent.shapes(layer, TRAIN, {}) == [(2, 3, 8, 8), (2, 1, 8, 8), (2, 1, 1, 2)]
    (folder / "0.png").unlink()
    (folder / "0l.png").unlink()
    assert [path for _, path in absent.files(layer)] == [f"{folder}/0.png", f"{folder}/0l.png"]
    layer.image_data_param.label_type = 0
    assert [path for _, path in absent.files(layer)] == [f"{folder}/0.png"]
