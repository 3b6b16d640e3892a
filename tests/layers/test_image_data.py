"""ImageData."""

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import images
from minicaffe.data.resize import Resize
from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from .test_data import each_name, transforming

SIZES = [(6, 5), (6, 5), (6, 5), (9, 4), (4, 12), (6, 5), (6, 5)]


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(4)
    for i, size in enumerate(SIZES):
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / f"an image {i}.png")
    (tmp_path / "list.txt").write_text("".join(f"image {i}.png {10 * i}\n" for i in range(len(SIZES))))
    return tmp_path


def net(folder, conf="", transform="", seed=5, phase="TRAIN", extra="", device=None, tops=2) -> Net:
    names = " ".join(f'top: "{name}"' for name in ("data", "label")[:tops])
    layer = f"""layer {{ name: "i" type: "ImageData" {names} {extra} transform_param {{ {transform} }}
      image_data_param {{ source: "{folder}/list.txt" root_folder: "{folder}/an " {conf} }} }}"""
    return Net(text.parse(layer, NetParameter), phase=phase, seed=seed, device=device)


def labels(rig: Net, count: int) -> list[int]:
    return [int(label) // 10 for _ in range(count) for label in rig.forward()["label"]]


@each_device
def test_images_come_one_by_one_in_their_own_size(folder, device):
    rig = net(folder, device=device)
    for number in range(9):
        outputs, i = rig.forward(), number % 7
        assert outputs["label"] == 10 * i and outputs["data"].shape == (1, 3, *SIZES[i])
        np.testing.assert_array_equal(outputs["data"][0], images.read(folder / f"an image {i}.png"))


@pytest.mark.parametrize("how", ["conf", "transform"])
def test_images_are_resized(folder, how):
    size = {"conf": "", "transform": ""}
    size[how] = "new_height: 7 new_width: 8" if how == "conf" else "resize { height: 7 width: 8 }"
    rig = net(folder, f"batch_size: 4 is_color: false {size['conf']}", f"mean_value: 3 {size['transform']}")
    outputs = rig.forward()
    assert outputs["data"].shape == (4, 1, 7, 8)
    for i, pixels in enumerate(outputs["data"]):
        wanted = np.empty((1, 7, 8), np.uint8)
        Resize(7, 8)(images.read(folder / f"an image {i}.png", images.Channels.GRAY), wanted)
        np.testing.assert_array_equal(pixels, wanted.astype(np.float32) - 3)


@each_name
@pytest.mark.parametrize(
    ("conf", "transform", "sent"),
    [
        ("batch_size: 4 new_height: 7 new_width: 8", "mean_value: 3 crop_size: 5 mirror: true", np.uint8),
        ("batch_size: 7", "crop_size: 4 scale: 0.3", np.float32),  # two sizes in every batch
        ("batch_size: 1", "scale: 0.3", np.uint8),
    ],
)
def test_what_travels_as_bytes_has_the_same_bits(folder, name, conf, transform, sent):
    device, seen = transforming(name)
    rig, host = net(folder, conf, transform, device=device), net(folder, conf, transform)
    for _ in range(8):
        for one, other in zip(rig.forward().values(), host.forward().values()):
            assert one.shape == other.shape and one.tobytes() == other.tobytes()
    assert seen == [sent] * 8


def test_a_crop_takes_many_sizes(folder):
    outputs = net(folder, "batch_size: 7", "crop_size: 4", phase="TEST").forward()
    assert outputs["data"].shape == (7, 3, 4, 4)
    for i, (h, w) in enumerate(SIZES):
        top, left = (h - 4) // 2, (w - 4) // 2
        image = images.read(folder / f"an image {i}.png")
        np.testing.assert_array_equal(outputs["data"][i], image[:, top : top + 4, left : left + 4])


def test_shuffled_epochs_are_permutations_that_the_seed_decides(folder):
    drawn = labels(net(folder, "shuffle: true"), 28)
    assert all(sorted(drawn[i : i + 7]) == list(range(7)) for i in range(0, 28, 7))
    assert drawn[:7] != drawn[7:14] and drawn == labels(net(folder, "shuffle: true"), 28)
    assert drawn != labels(net(folder, "shuffle: true", seed=6), 28)


def test_rand_skip_begins_where_the_seed_says(folder):
    first = {labels(net(folder, "rand_skip: 3", seed=seed), 1)[0] for seed in range(20)}
    assert first == {0, 1, 2}
    drawn = labels(net(folder, "rand_skip: 3"), 9)
    assert drawn == [(drawn[0] + i) % 7 for i in range(9)]


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_resumed_net_sees_what_an_uninterrupted_one_would(folder, prefetch):
    conf = {
        "conf": "batch_size: 2 shuffle: true rand_skip: 9",
        "transform": "crop_size: 3 mirror: true",
        "extra": f"data_param {{ prefetch: {prefetch} }}",
    }
    rig = net(folder, **conf)
    whole = [rig.forward()["data"] for _ in range(10)]
    resumed = net(folder, **conf)
    for passes in (7, 2):
        resumed.passes = passes
        np.testing.assert_array_equal(resumed.forward()["data"], whole[passes])


@pytest.mark.parametrize(
    ("conf", "transform", "message"),
    [
        ("batch_size: 0", "", "image_data_param.batch_size must be at least 1"),
        ("new_height: 3", "", "both new_height and new_width, or neither; got 3 and 0"),
        (
            "new_height: 3 new_width: 3",
            "resize { height: 3 width: 3 }",
            "both new_height and transform_param.re",
        ),
        (
            "crop_size: 3",
            "",
            "image_data_param.crop_size has no effect; hint: set crop_size in transform_param",
        ),
        ("scale: 3", "", "image_data_param.scale has no effect"),
        ("", "force_gray: true", "transform_param.force_gray has no effect; hint: set is_color"),
        ("", "crop_size: 7", r"list.txt:1: crop_size 7 is larger than the images, 6 x 5"),
    ],
)
def test_fields_that_do_not_fit(folder, conf, transform, message):
    with pytest.raises(ConfigError, match=rf"'i' \(ImageData\): .*{message}"):
        net(folder, conf, transform)


def test_what_is_missing(folder):
    with pytest.raises(ShapeError, match="takes 2 tops; got 1"):
        net(folder, tops=1)
    layer = 'layer { name: "i" type: "ImageData" top: "data" top: "label" }'
    with pytest.raises(ConfigError, match=r"image_data_param.source must be set"):
        Net(text.parse(layer, NetParameter))
    with pytest.raises(DataError, match=r"cannot read .*list.txt"):
        net(folder / "none")


def test_images_that_do_not_fit_each_other(folder):
    rig = net(folder, "batch_size: 2")
    rig.forward()
    with pytest.raises(
        ShapeError, match=r"list.txt:4: all images of a batch .*got \(3, 9, 4\); hint: transform"
    ):
        rig.forward()


def test_damaged_images_are_named(folder):
    path = folder / "an image 1.png"
    path.write_bytes(path.read_bytes()[:-30])
    rig = net(folder)
    rig.forward()
    with pytest.raises(DataError, match=r"'i' \(ImageData\): .*list.txt:2: .*image 1.png: not a whole image"):
        rig.forward()
