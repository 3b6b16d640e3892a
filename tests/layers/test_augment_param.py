"""augment_param of the layers that take it."""

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datum, idx
from minicaffe.data.augment.augmentation import Augmentation
from minicaffe.data.database import DatabaseWriter
from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import AugmentationParameter, NetParameter, SolverParameter
from minicaffe.solvers.verify import verify_resume

from ..support.devices import make_device
from .test_data import each_name, transforming

IMAGES = np.random.default_rng(5).integers(0, 256, (7, 3, 9, 8), np.uint8)
CHANGES = """
    crop { probability: 0.3 } elastic { probability: 0.3 alpha: 10 sigma: 2 } hue { min: -20 max: 20 }
    affine { probability: 0.7 rotation: 30 translation: 0.2 scale_min: 0.7 scale_max: 1.3 shear: 10 }
    blur { probability: 0.3 sigma_max: 1 } noise { probability: 0.5 std: 9 } erase { probability: 0.3 }
    shade { probability: 0.4 strength_max: 0.8 value: 255 }
"""
SOURCES = ["IDX", "LMDB", "ImageData"]
each_source = pytest.mark.parametrize("kind", SOURCES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The images as an IDX file, a database and a list of files; labels count them."""
    pytest.importorskip("lmdb")
    path = tmp_path_factory.mktemp("images")
    idx.write(path / "images", IMAGES)
    idx.write(path / "labels", np.arange(7, dtype=np.uint8))
    with DatabaseWriter(path / "db") as writer:
        for i, image in enumerate(IMAGES):
            writer.add(datum.from_array(image, i))
            Image.fromarray(image[::-1].transpose(1, 2, 0)).save(path / f"{i}.png")
    (path / "list.txt").write_text("".join(f"{path}/{i}.png {i}\n" for i in range(7)))
    return path


def layer(folder, kind: str, *, batch=3, augment=CHANGES, transform="", data="", shuffle="true") -> str:
    conf = f"batch_size: {batch} shuffle: {shuffle}"
    source = {
        "IDX": f'type: "Data" data_param {{ source: "{folder}/images" backend: IDX {conf} {data} }}',
        "LMDB": f'type: "Data" data_param {{ source: "{folder}/db" backend: LMDB {conf} {data} }}',
        "ImageData": f'type: "ImageData" image_data_param {{ source: "{folder}/list.txt" {conf} }}'
        f" data_param {{ {data} }}",
    }[kind]
    return f"""layer {{ name: "d" {source} top: "data" top: "label"
      augment_param {{ {augment} }} transform_param {{ {transform} }} }}"""


def net(folder, kind: str, *, phase="TRAIN", seed=5, device=None, **conf) -> Net:
    return Net(text.parse(layer(folder, kind, **conf), NetParameter), phase=phase, seed=seed, device=device)


def batches(rig: Net, count: int) -> tuple[np.ndarray, np.ndarray]:
    outputs = [rig.forward() for _ in range(count)]
    return tuple(np.concatenate([out[name] for out in outputs]) for name in ("data", "label"))


def changed(labels: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """What the images of these labels become, from place 0 on."""
    conf = text.parse(CHANGES, AugmentationParameter)
    return Augmentation(conf, 3)(IMAGES[labels.astype(int)], np.arange(len(labels)), key)


@each_source
def test_images_are_changed_as_augmentation_says(folder, kind):
    rig = net(folder, kind)
    images, labels = batches(rig, 7)
    np.testing.assert_array_equal(images, changed(labels, rig.layers[0].random.key))
    assert (images != IMAGES[labels.astype(int)]).any(axis=(1, 2, 3)).all()


def test_all_sources_and_sizes_of_batches_give_the_same(folder):
    wanted, _ = batches(net(folder, "IDX"), 7)
    for kind in SOURCES:
        for batch, data in ((1, ""), (7, "prefetch: 0"), (21, "prefetch: 1")):
            images, _ = batches(net(folder, kind, batch=batch, data=data), 21 // batch)
            np.testing.assert_array_equal(images, wanted)


@each_source
def test_in_test_only_when_it_is_asked_for(folder, kind):
    images, labels = batches(net(folder, kind, phase="TEST"), 3)
    np.testing.assert_array_equal(images, IMAGES[labels.astype(int)])
    rig = net(folder, kind, phase="TEST", augment=f"test: true {CHANGES}")
    images, labels = batches(rig, 3)
    np.testing.assert_array_equal(images, changed(labels, rig.layers[0].random.key))


@each_source
def test_a_resumed_net_sees_what_an_uninterrupted_one_would(folder, kind):
    whole, _ = batches(net(folder, kind, transform="crop_size: 5 mirror: true"), 9)
    resumed = net(folder, kind, transform="crop_size: 5 mirror: true")
    resumed.passes = 5
    np.testing.assert_array_equal(batches(resumed, 4)[0], whole[15:])
    resumed.reseed(6)
    resumed.passes = 0
    assert (batches(resumed, 9)[0] != whole).any()


@each_name
@each_source
def test_changed_bytes_travel_as_bytes(folder, name, kind):
    conf = {"transform": "crop_size: 5 mirror: true mean_value: 33.3 std_value: [78.6, 70, 61]"}
    device, seen = transforming(name)
    rig, host = net(folder, kind, device=device, **conf), net(folder, kind, **conf)
    assert batches(rig, 3)[0].tobytes() == batches(host, 3)[0].tobytes()
    assert seen == [np.uint8] * 3


def test_memory_data_changes_what_is_added():
    conf = f"""layer {{ name: "m" type: "MemoryData" top: "data" top: "label" augment_param {{ {CHANGES} }}
      memory_data_param {{ batch_size: 7 channels: 3 height: 9 width: 8 }} }}"""
    rig = Net(text.parse(conf, NetParameter), phase="TRAIN", seed=5)
    rig.layers[0].add(IMAGES, np.arange(7))
    np.testing.assert_array_equal(rig.forward()["data"], changed(np.arange(7), rig.layers[0].random.key))
    rig.layers[0].add(IMAGES, np.arange(7))  # random numbers go on
    np.testing.assert_array_equal(
        rig.forward()["data"], changed(np.arange(14) % 7, rig.layers[0].random.key)[7:]
    )
    rig.layers[0].reset(IMAGES.astype(np.float32), np.arange(7))
    np.testing.assert_array_equal(rig.forward()["data"], IMAGES)


@each_source
def test_what_is_wrong_names_layer_and_field(folder, kind):
    for phase in ("TRAIN", "TEST"):
        with pytest.raises(ConfigError, match=r"layer 'd' \(\w+\): .*augment_param.noise.std must be set"):
            net(folder, kind, phase=phase, augment="noise { }")
    with pytest.raises(ConfigError, match=r"layer 'd' \(\w+\): .*std_value must be above 0; got 1, 0, 2"):
        net(folder, kind, transform="std_value: [1, 0, 2]")


def test_float64_nets(folder):
    device = make_device("cpu", np.float64)
    np.testing.assert_array_equal(
        batches(net(folder, "IDX", device=device), 3)[0], batches(net(folder, "IDX"), 3)[0]
    )


@pytest.mark.parametrize("batch", [5, 20])
def test_resume_is_exact(folder, batch):
    solver = f"""train_net_param {{ {layer(folder, "IDX", batch=batch, transform="scale: 0.01")}
      layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param {{ num_output: 7 weight_filler {{ type: "xavier" }} }} }}
      layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }} }}
      base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 max_iter: 100"""
    said = verify_resume(text.parse(solver, SolverParameter), 16)
    assert said.startswith("resume is exact: 16 iterations equal 8 + 8")
