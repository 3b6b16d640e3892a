"""DenseImageData."""

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import absent, images
from minicaffe.data.resize import Resize, nearest
from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import binary, text
from minicaffe.proto.schema import TRAIN, NetParameter

from ..support.devices import each_device

SIZES = [(6, 5), (6, 5), (6, 5), (9, 4), (6, 5)]


@pytest.fixture
def folder(tmp_path):
    """Images, labels from 0 to 6, and a list of both."""
    random = np.random.default_rng(4)
    for i, size in enumerate(SIZES):
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / f"{i}.png")
        Image.fromarray(random.integers(0, 7, size, np.uint8)).save(tmp_path / f"{i}l.png")
    (tmp_path / "list").write_text("".join(f"/{i}.png /{i}l.png\n" for i in range(len(SIZES))))
    return tmp_path


def described(folder, conf="", transform="") -> NetParameter:
    return text.parse(
        f"""layer {{ name: "d" type: "DenseImageData" top: "data" top: "label"
        transform_param {{ {transform} }}
        dense_image_data_param {{ source: "{folder}/list" root_folder: "{folder}" {conf} }} }}""",
        NetParameter,
    )


def net(folder, conf="", transform="", seed=5, phase="TRAIN", device=None) -> Net:
    return Net(described(folder, conf, transform), phase=phase, seed=seed, device=device)


def pair(folder, i):
    image = images.read(folder / f"{i}.png")
    return image, images.read(folder / f"{i}l.png", images.Channels.GRAY)[0]


@each_device
def test_pairs_come_one_by_one_in_their_own_size(folder, device):
    rig = net(folder, "batch_size: 1", "mean_value: 3 scale: 0.5", device=device)
    for number in range(7):
        outputs, i = rig.forward(), number % 5
        image, label = pair(folder, i)
        assert outputs["data"].shape == (1, 3, *SIZES[i]) and outputs["label"].shape == (1, 1, *SIZES[i])
        np.testing.assert_array_equal(outputs["data"][0], (image.astype(np.float32) - 3) / 2)
        np.testing.assert_array_equal(outputs["label"][0, 0], label)


@pytest.mark.parametrize("divide", [1, 2])
def test_labels_are_resized_by_nearest_neighbour(folder, divide):
    conf = f"batch_size: 5 new_height: 8 new_width: 7 is_color: false label_divide_factor: {divide}"
    outputs = net(folder, conf).forward()
    for i in range(5):
        gray = images.read(folder / f"{i}.png", images.Channels.GRAY)
        wanted = np.empty((1, 8, 7), np.uint8)
        Resize(8, 7)(gray, wanted)
        np.testing.assert_array_equal(outputs["data"][i], wanted)
        label = nearest(pair(folder, i)[1], 8 // divide, 7 // divide)
        np.testing.assert_array_equal(outputs["label"][i, 0], label)


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_crop_and_mirror_are_those_of_both(folder, phase):
    """Drawn in TEST too, and all of them."""
    rig = net(folder, "batch_size: 1 crop_height: 4 crop_width: 3 mirror: true", phase=phase)
    seen = set()
    for number in range(300):
        outputs = rig.forward()
        image, label = pair(folder, number % 5)
        found = [
            (top, left, step)
            for top in range(label.shape[0] - 3)
            for left in range(label.shape[1] - 2)
            for step in (1, -1)
            if (image[:, top : top + 4, left : left + 3][:, :, ::step] == outputs["data"][0]).all()
        ]
        ((top, left, step),) = found
        window = label[top : top + 4, left : left + 3][:, ::step]
        np.testing.assert_array_equal(outputs["label"][0, 0], window)
        if number % 5 == 0:
            seen.add(found[0])
    assert len(seen) > 12  # of 18


def test_a_batch_is_a_function_of_seed_and_pass(folder):
    conf = "batch_size: 2 new_height: 5 new_width: 5 crop_height: 4 crop_width: 3 mirror: true shuffle: true"
    rig = net(folder, f"{conf} rand_skip: 3")
    whole = [rig.forward() for _ in range(6)]
    resumed = net(folder, f"{conf} rand_skip: 3")
    for passes in (4, 1):
        resumed.passes = passes
        for name, array in resumed.forward().items():
            np.testing.assert_array_equal(array, whole[passes][name])
    other = net(folder, f"{conf} rand_skip: 3", seed=6)
    assert any((other.forward()["data"] != one["data"]).any() for one in whole)


@pytest.mark.parametrize(
    ("conf", "transform", "error", "message"),
    [
        ("batch_size: 0", "", ConfigError, "dense_image_data_param.batch_size must be at least 1"),
        (
            "batch_size: 1 new_height: 3",
            "",
            ConfigError,
            "both new_height and new_width, or neither; got 3 an",
        ),
        (
            "batch_size: 1",
            "mirror: true",
            ConfigError,
            "transform_param.mirror has no effect here; hint: set m",
        ),
        ("batch_size: 1", "crop_size: 3", ConfigError, "transform_param.crop_size has no effect here"),
        ("batch_size: 1", "mean_file: 'MEAN'", ConfigError, "may differ in size: a mean_file does not fit"),
        (
            "batch_size: 1 mean_file: 'm'",
            "",
            ConfigError,
            "dense_image_data_param.mean_file is not supported",
        ),
        ("batch_size: 1 crop_width: 3", "", ConfigError, r"must both be set, or neither; got \(0, 3\)"),
        ("batch_size: 1 crop_width: 3 crop_height: 9", "", ConfigError, "list:1: the crop, 9 x 3, is larger"),
        (
            "batch_size: 1 crop_width: 3 crop_height: 3 label_divide_factor: 2",
            "",
            ConfigError,
            "1 with a crop",
        ),
    ],
)
def test_fields_that_do_not_fit(folder, conf, transform, error, message):
    mean = binary.from_array(np.zeros((3, 6, 5), np.float32))
    (folder / "MEAN").write_bytes(mean.SerializeToString())
    with pytest.raises(error, match=message):
        net(folder, conf, transform.replace("MEAN", f"{folder}/MEAN"))


def test_images_that_do_not_fit(folder):
    with pytest.raises(ShapeError, match=r"list:4: all images of a batch must have the shape \(3, 6, 5\)"):
        net(folder, "batch_size: 5").forward()
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(folder / "0l.png")
    with pytest.raises(
        DataError, match=r"list:1: .*0l.png: a label must be as large as its image, 6 x 5; got"
    ):
        net(folder, "batch_size: 1")
    (folder / "1l.png").unlink()
    rig = net(folder, "batch_size: 1 new_height: 4 new_width: 4")
    rig.forward()
    with pytest.raises(DataError, match=r"1l\.png"):
        rig.forward()


def test_what_is_missing_is_known_and_the_shapes_without_it(folder):
    (layer,) = described(folder / "none", "batch_size: 2 new_height: 8 new_width: 6").layer
    assert list(absent.files(layer)) == [("dense_image_data_param.source", f"{folder}/none/list")]
    assert absent.shapes(layer, TRAIN, {}) == [(2, 3, 8, 6), (2, 1, 8, 6)]
    assert absent.shapes(layer, TRAIN, {"data": (5, 1, 9, 9)}) == [(5, 1, 9, 9), (5, 1, 9, 9)]
    layer.dense_image_data_param.label_divide_factor = 2
    assert absent.shapes(layer, TRAIN, {}) == [(2, 3, 8, 6), (2, 1, 4, 3)]
    layer.dense_image_data_param.new_height = 0
    assert absent.shapes(layer, TRAIN, {}) is None
    (folder / "0l.png").unlink()
    (layer,) = described(folder, "batch_size: 1").layer
    assert [path for _, path in absent.files(layer)] == [f"{folder}/0l.png"]
