"""What a preview shows is what training sees."""

import numpy as np
import pytest
from PIL import Image

from minicaffe.checking.preview import places, preview
from minicaffe.data import idx
from minicaffe.data.order import Order
from minicaffe.errors import ConfigError, DataError, MiniCaffeError
from minicaffe.net import Net
from minicaffe.solvers.solver import Solver

IMAGES = np.random.default_rng(5).integers(0, 256, (7, 9, 8), np.uint8)
LAYER = """layer {{ name: "d" type: "Data" top: "data" top: "label" {rule}
  data_param {{ source: "{folder}/images" backend: IDX batch_size: 3 shuffle: {shuffle} }}
  augment_param {{ affine {{ rotation: 30 translation: 0.2 }} noise {{ std: 9 }} }}
  transform_param {{ crop_size: 6 mirror: true mean_value: 33.3 std_value: 78.6 }} }}
"""


@pytest.fixture
def folder(tmp_path):
    idx.write(tmp_path / "images", IMAGES)
    idx.write(tmp_path / "labels", np.arange(7, dtype=np.uint8))
    return tmp_path


def write(folder, shuffle="false", rule="", more="") -> str:
    path = folder / "net.prototxt"
    path.write_text(LAYER.format(folder=folder, shuffle=shuffle, rule=rule) + more)
    return str(path)


@pytest.mark.parametrize("shuffle", ["false", "true"])
def test_samples_are_what_the_net_gets(folder, shuffle):
    path = write(folder, shuffle)
    rig = Net(path, phase="TRAIN", seed=9)
    outputs = [rig.forward() for _ in range(7)]  # three epochs
    images, labels = (np.concatenate([out[name] for out in outputs]) for name in ("data", "label"))
    seen = preview(path, images=5, samples=3, seed=9)
    assert [image.label for image in seen] == labels[:5].tolist()
    for image in seen:
        np.testing.assert_array_equal(image.original[0], IMAGES[image.label])
        wanted = images[labels == image.label] * 78.6 + 33.3
        np.testing.assert_allclose(image.samples, wanted, atol=1e-3)


def test_fewer_images_than_asked_for(folder):
    assert len(preview(write(folder), images=100, samples=1)) == 7


def test_the_seed_is_the_solvers(folder):
    path = write(folder, "true", more='layer { name: "s" type: "Silence" bottom: "data" bottom: "label" }')
    solver = folder / "solver.prototxt"
    solver.write_text(f'net: "{path}" base_lr: 0 lr_policy: "fixed" max_iter: 1 random_seed: 77\n')
    one, other = preview(str(solver), images=2), preview(path, images=2, seed=77)
    for a, b in zip(one, other):
        np.testing.assert_array_equal(a.samples, b.samples)
    trained = Solver.create(str(solver)).net
    trained.forward()
    first = trained.blobs["data"].data[0] * 78.6 + 33.3
    np.testing.assert_allclose(one[0].samples[0], first, atol=1e-3)


def test_test_sees_images_as_they_are(folder):
    for image in preview(write(folder), images=2, samples=4, phase="TEST"):
        middle = image.original[:, 1:7, 1:7]
        assert all(
            np.abs(sample - middle).max() < 1e-3 or np.abs(sample[:, :, ::-1] - middle).max() < 1e-3
            for sample in image.samples
        )


def test_images_of_many_sizes(tmp_path):
    for i, size in enumerate([(20, 30), (12, 12)]):
        Image.fromarray(np.full((*size, 3), 50 + i, np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/0.png 4\n{tmp_path}/1.png 5\n")
    path = tmp_path / "net.prototxt"
    path.write_text(
        f"""layer {{ name: "i" type: "ImageData" top: "data" top: "label" transform_param {{ mirror: true }}
        image_data_param {{ source: "{tmp_path}/list.txt" rand_skip: 2 }} }}"""
    )
    seen = preview(str(path), samples=3)
    assert sorted(image.label for image in seen) == [4, 5]
    for image in seen:
        assert [sample.shape for sample in image.samples] == [image.original.shape] * 3


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("rand_skip", [0, 5])
def test_places(shuffle, rand_skip):
    order = Order(6, shuffle=shuffle, seed=3, rand_skip=rand_skip)
    for sample in range(6):
        at = places(order, sample, 4)
        assert len(at) == 4 and (order.samples(at) == sample).all() and at[0] < 12


def test_what_cannot_be_shown(folder):
    rule = "include { phase: TRAIN }"
    with pytest.raises(ConfigError, match=r"net.prototxt: no layer of the net in phase TEST reads images"):
        preview(write(folder, rule=rule), phase="TEST")
    with pytest.raises(ConfigError, match="no layer 'e' of the net in phase TRAIN reads images"):
        preview(write(folder), layer="e")
    (folder / "images").unlink()
    with pytest.raises((DataError, MiniCaffeError), match="images"):
        preview(write(folder))
