"""Data."""

import gc
import threading

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datasets, datum, idx
from minicaffe.data.class_folders import ImageFolder
from minicaffe.data.database import DatabaseWriter
from minicaffe.data.resize import Resize
from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..data.test_images import RGB, stored
from ..support.devices import CUDA, each_device, make_device

RESIZE = "resize { height: 9 width: 4 }"
IMAGES = (np.arange(7 * 6 * 5) % 251).astype(np.uint8).reshape(7, 6, 5)
LABELS = np.array([3, 1, 4, 1, 5, 9, 2], np.uint8)


@pytest.fixture
def source(tmp_path):
    idx.write(tmp_path / "images", IMAGES)
    idx.write(tmp_path / "labels", LABELS)
    return tmp_path / "images"


def net(
    source, data="", transform="", tops=2, batch=3, phase="TRAIN", seed=5, device=None, backend="IDX"
) -> Net:
    names = " ".join(f'top: "{name}"' for name in ("data", "label")[:tops])
    layer = f"""layer {{
      name: "data" type: "Data" {names}
      data_param {{ source: "{source}" backend: {backend} batch_size: {batch} {data} }}
      transform_param {{ {transform} }}
    }}"""
    return Net(text.parse(layer, NetParameter), phase=phase, seed=seed, device=device)


def batches(net: Net, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The next batches, one after the other: images and labels."""
    outputs = [net.forward() for _ in range(count)]
    return tuple(np.concatenate([out[name] for out in outputs]) for name in ("data", "label"))


def order(net: Net, count: int) -> list[int]:
    """Which samples come next; the pixels tell."""
    images, labels = batches(net, count)
    found = [int(np.flatnonzero((IMAGES == image[0]).all((1, 2)))[0]) for image in images]
    np.testing.assert_array_equal(labels, LABELS[found])
    return found


@each_device
@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_samples_come_in_order_and_wrap(source, device, prefetch):
    rig = net(source, f"prefetch: {prefetch}", device=device)
    assert rig.blobs["data"].shape == (3, 1, 6, 5) and rig.blobs["label"].shape == (3,)
    assert order(rig, 10) == [i % 7 for i in range(30)]


def test_pixels_are_transformed(source):
    rig = net(source, transform="scale: 0.5 mean_value: 10 crop_size: 4", phase="TEST")
    images, _ = batches(rig, 2)
    np.testing.assert_array_equal(images[:, 0], (IMAGES[:6, 1:5, 0:4].astype(np.float32) - 10) * 0.5)


def test_one_top_needs_no_labels(source):
    source.with_name("labels").unlink()
    rig = net(source, tops=1)
    assert rig.outputs == ["data"] and rig.forward()["data"].shape == (3, 1, 6, 5)
    with pytest.raises(DataError, match="no labels beside it"):
        net(source)


def test_a_batch_may_be_larger_than_the_data(source):
    assert order(net(source, batch=20), 1) == [i % 7 for i in range(20)]


def test_backward_leaves_the_tops_alone(source):
    rig = net(source)
    rig.forward()
    before = rig.blobs["data"].data.copy()
    rig.backward()
    np.testing.assert_array_equal(rig.blobs["data"].data, before)


# -- order as a function


def test_shuffled_epochs_are_permutations_that_the_seed_decides(source):
    drawn = order(net(source, "shuffle: true"), 14)
    epochs = [drawn[i : i + 7] for i in range(0, 42, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs) and len(set(map(tuple, epochs))) > 3
    assert order(net(source, "shuffle: true"), 14) == drawn
    assert order(net(source, "shuffle: true", seed=6), 14) != drawn


RANDOM = {"data": "shuffle: true", "transform": "mirror: true crop_size: 3"}


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_resumed_net_sees_what_an_uninterrupted_one_would(source, prefetch):
    conf = {**RANDOM, "data": f"shuffle: true prefetch: {prefetch}"}
    whole, _ = batches(net(source, **conf), 12)
    resumed = net(source, **conf)
    resumed.passes = 8
    np.testing.assert_array_equal(batches(resumed, 4)[0], whole[24:])
    resumed.passes = 2  # back again
    np.testing.assert_array_equal(batches(resumed, 10)[0], whole[6:])


def test_prefetch_and_device_change_nothing(source):
    results = [
        batches(net(source, f"shuffle: true prefetch: {n}", RANDOM["transform"]), 6) for n in (0, 1, 5)
    ]
    for images, labels in results[1:]:
        np.testing.assert_array_equal(images, results[0][0])
        np.testing.assert_array_equal(labels, results[0][1])


def test_another_seed_takes_hold_at_once(source):
    rig, other = net(source, **RANDOM, seed=1), net(source, **RANDOM, seed=2)
    batches(rig, 3)
    rig.reseed(2)
    rig.passes = 0
    np.testing.assert_array_equal(batches(rig, 3)[0], batches(other, 3)[0])


def test_crops_and_mirrors_are_the_layers_own(source):
    """Two layers with one seed draw different numbers; the shuffle is the same, so that they stay in step."""
    rig = net(source, **RANDOM)
    twin = rig.param.layer[0]
    param = NetParameter(layer=[twin, twin])
    param.layer[1].name = "other"
    param.layer[1].top[:] = ["data2", "label2"]
    outputs = Net(param, phase="TRAIN", seed=5).forward()
    np.testing.assert_array_equal(outputs["label"], outputs["label2"])
    assert (outputs["data"] != outputs["data2"]).any()


# -- life cycle


def test_the_thread_ends_with_the_net(source):
    before = set(threading.enumerate())  # of nets that other tests keep
    rig = net(source)
    rig.forward()
    threads = [t for t in threading.enumerate() if t.name == "minicaffe prefetch" and t not in before]
    assert threads
    del rig
    gc.collect()
    for thread in threads:
        thread.join(timeout=5)
        assert not thread.is_alive()


def test_memory_that_was_reshaped_comes_back(source):
    rig = net(source)
    rig.blobs["data"].reshape(1, 1, 6, 5)
    rig.forward()
    assert rig.blobs["data"].shape == (3, 1, 6, 5)
    assert order(rig, 1) == [3, 4, 5]


# -- resize


def test_pixels_are_resized_first(source):
    rig = net(source, transform="resize { height: 12 width: 9 } crop_size: 8 scale: 0.5", phase="TEST")
    images, _ = batches(rig, 2)
    wanted = np.empty((7, 1, 12, 9), np.uint8)
    Resize(12, 9)(IMAGES[:, None], wanted)
    np.testing.assert_array_equal(images, wanted[:6, :, 2:10, 0:8] * np.float32(0.5))


# -- LMDB


@pytest.fixture
def database(tmp_path):
    """The same images and labels, every other of them encoded."""
    pytest.importorskip("lmdb")
    with DatabaseWriter(tmp_path / "db") as writer:
        for i, (image, label) in enumerate(zip(IMAGES, LABELS)):
            raw, encoded = datum.from_array(image[None], label), datum.from_encoded(stored(image), label)
            writer.add(encoded if i % 2 else raw, f"{i}.png")
    return tmp_path / "db"


def lmdb_net(source, data="", transform="", **conf) -> Net:
    return net(source, data, transform, backend="LMDB", **conf)


@each_device
@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_records_come_in_order_and_wrap(database, device, prefetch):
    rig = lmdb_net(database, f"prefetch: {prefetch}", device=device)
    assert rig.blobs["data"].shape == (3, 1, 6, 5) and rig.blobs["label"].shape == (3,)
    assert order(rig, 10) == [i % 7 for i in range(30)]


@pytest.mark.parametrize("data", ["", "shuffle: true", "shuffle: true prefetch: 0"])
@pytest.mark.parametrize("transform", ["", "mirror: true crop_size: 3 mean_value: 2"])
def test_a_database_gives_what_idx_gives(source, database, data, transform):
    idx_net, rig = net(source, data, transform), lmdb_net(database, data, transform)
    for one, other in zip(batches(idx_net, 8), batches(rig, 8)):
        np.testing.assert_array_equal(one, other)
    for passes, seed in ((11, 5), (3, 5), (3, 6)):
        for either in (idx_net, rig):
            either.reseed(seed)
            either.passes = passes
        np.testing.assert_array_equal(batches(idx_net, 2)[0], batches(rig, 2)[0])


def test_two_nets_may_read_one_database(database):
    one, other = lmdb_net(database), lmdb_net(database, "shuffle: true", tops=1)
    for _ in range(3):
        one.forward()
        assert other.forward()["data"].shape == (3, 1, 6, 5)


def test_images_of_many_sizes_one_by_one(tmp_path):
    """The net follows, and what was prepared ahead stays right."""
    pytest.importorskip("lmdb")
    sizes = [(2, 3), (2, 3), (4, 4), (1, 7), (2, 3)]
    with DatabaseWriter(tmp_path / "db") as writer:
        for i, size in enumerate(sizes):
            writer.add(datum.from_array(np.full((2, *size), i + 1, np.uint8), i))
    param = text.parse(
        f"""layer {{ name: "d" type: "Data" top: "data" top: "label"
          data_param {{ source: "{tmp_path}/db" backend: LMDB batch_size: 1 }} }}
        layer {{ name: "p" type: "Power" bottom: "data" top: "double" power_param {{ scale: 2 }} }}
        layer {{ name: "r" type: "Reduction" bottom: "double" top: "sum" }}""",
        NetParameter,
    )
    for keep in ("all", "needed"):
        rig = Net(param, phase="TRAIN", keep=keep)
        assert rig.blobs["double"].shape == (1, 2, 2, 3)
        for number in range(12):
            i, outputs = number % 5, rig.forward()
            assert rig.blobs["double"].shape == (1, 2, *sizes[i])
            assert outputs["label"] == i and outputs["sum"] == 4 * (i + 1) * sizes[i][0] * sizes[i][1]
    with pytest.raises(ShapeError, match=r"db: record '00000003': all images of a batch must have"):
        rig = lmdb_net(tmp_path / "db", batch=2)
        rig.forward()
        rig.forward()


def test_encoded_images_become_grey_or_colour(tmp_path):
    pytest.importorskip("lmdb")
    with DatabaseWriter(tmp_path / "db") as writer:
        for _ in range(3):
            writer.add(datum.from_encoded(stored(RGB)))
    shapes = [
        lmdb_net(tmp_path / "db", transform=transform).forward()["data"].shape[1]
        for transform in ("", "force_gray: true", "force_color: true")
    ]
    assert shapes == [3, 1, 3]


def test_errors_of_databases(database, tmp_path):
    with pytest.raises(DataError, match=r"'data' \(Data\): .*none: no LMDB database"):
        lmdb_net(tmp_path / "none")
    with pytest.raises(DataError, match=r"db: record '00000000_0.png': raw pixels of 1 channels"):
        lmdb_net(database, transform="force_color: true")
    with pytest.raises(ConfigError, match=r"record '00000000_0.png': crop_size 6 is larger than the images"):
        lmdb_net(database, transform="crop_size: 6")
    with pytest.raises(ConfigError, match="LEVELDB cannot be read; hint: this is an LMDB: set backend: LMDB"):
        net(database, backend="LEVELDB")
    with DatabaseWriter(tmp_path / "bad") as writer:
        writer.add(datum.from_array(IMAGES[:1]))
        writer.add(datum.from_encoded(stored(RGB)[:-30]))
    rig = lmdb_net(tmp_path / "bad", batch=1)
    rig.forward()
    with pytest.raises(DataError, match=r"'data' \(Data\): .*bad: record '00000001': not a whole image"):
        rig.forward()


# -- bytes to a device that transforms them


@pytest.fixture
def folder(tmp_path):
    """The images of IMAGES as files, in a folder for each label."""
    for number, (image, label) in enumerate(zip(IMAGES, LABELS)):
        (tmp_path / "classes" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "classes" / str(label) / f"{number}.png")
    return tmp_path / "classes"


@pytest.mark.parametrize("transform", ["", "scale: 0.5 mean_value: 3", "crop_size: 3 mirror: true", RESIZE])
def test_a_folder_of_class_folders_gives_what_idx_gives(source, folder, transform):
    images, labels = batches(net(folder, "shuffle: true", transform, batch=7, backend="FOLDER"), 3)
    records, classes = ImageFolder(str(folder)), np.unique(LABELS)
    at = [int(records.place(index).rpartition("/")[2].removesuffix(".png")) for index in range(7)]
    idx.write(source, IMAGES[at])
    idx.write(source.with_name("labels"), np.searchsorted(classes, LABELS[at]).astype(np.uint8))
    expected = batches(net(source, "shuffle: true", transform, batch=7), 3)
    np.testing.assert_array_equal(images, expected[0])
    np.testing.assert_array_equal(labels, expected[1])


def test_parts_and_colours_of_a_folder(folder):
    images, labels = batches(net(f"{folder}[:3]", transform="force_color: true", backend="FOLDER"), 1)
    assert images.shape == (3, 3, 6, 5)
    rest, others = batches(net(f"{folder}[3:]", batch=4, backend="FOLDER"), 1)
    assert rest.shape == (4, 1, 6, 5)
    classes = np.unique(LABELS)
    assert sorted(classes[[*labels.astype(int), *others.astype(int)]]) == sorted(LABELS)


def test_errors_of_folders(folder, tmp_path):
    with pytest.raises(DataError, match=r"a folder of folders; if they are classes, .* set backend: FOLDER"):
        net(folder, backend="LMDB")
    (folder / "9" / "5.png").write_bytes(b"none")
    rig = net(folder, batch=7, backend="FOLDER")
    with pytest.raises(DataError, match=r"classes/9/5.png: 4 bytes that are no image Pillow knows"):
        rig.forward()
    (folder / "0").mkdir()
    with pytest.raises(DataError, match="classes/0: a class without images"):
        net(folder, backend="FOLDER")
    with pytest.raises(ConfigError, match=r"data_param.source must be set; hint: a folder of class folders"):
        net("", backend="FOLDER")


def transforming(name: str, dtype=np.float32):
    """A device of this name that transforms, and what it was sent: the types of images, in turn."""
    seen: list[np.dtype] = []

    class Transforming(type(make_device(name, dtype))):
        transforms = True

        def feed(self):
            feed = super().feed()
            put = feed.put

            def seen_put(host, holder):
                if np.ndim(host) == 4:
                    seen.append(host.dtype)
                put(host, holder)

            feed.put = seen_put
            return feed

    return Transforming(dtype), seen


each_name = pytest.mark.parametrize("name", ["cpu", *CUDA])


@each_name
@pytest.mark.parametrize("backend", ["IDX", "LMDB"])
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("data", "transform"),
    [
        ("", ""),
        ("prefetch: 0", "scale: 0.00390625"),
        ("prefetch: 1 shuffle: true", "crop_size: 3 mirror: true mean_value: 33.3 scale: 0.017"),
        ("shuffle: true", "resize { height: 9 width: 8 } crop_size: 5 mirror: true mean_value: 7.7"),
    ],
)
def test_what_travels_as_bytes_has_the_same_bits(
    source, database, name, backend, phase, dtype, data, transform
):
    where = {"IDX": source, "LMDB": database}[backend]
    device, seen = transforming(name, dtype)
    rig = net(where, data, transform, phase=phase, backend=backend, device=device)
    host = net(where, data, transform, phase=phase, backend=backend, device=make_device("cpu", dtype))
    for seed, passes in ((5, 0), (5, 9), (6, 2)):
        for either in (rig, host):
            either.reseed(seed)
            either.passes = passes
        for one, other in zip(batches(rig, 3), batches(host, 3)):
            assert one.dtype == other.dtype == dtype and one.tobytes() == other.tobytes()
    assert seen == [np.uint8] * 9


@each_name
def test_floats_among_bytes_are_transformed_on_the_host(tmp_path, name):
    pytest.importorskip("lmdb")
    images = [IMAGES[:1], IMAGES[1:2], IMAGES[2:3] * np.float32(0.3), IMAGES[3:4]]
    with DatabaseWriter(tmp_path / "db") as writer:
        for i, image in enumerate(images):
            writer.add(datum.from_array(image, i))
    device, seen = transforming(name)
    transform = "mean_value: 3 scale: 0.5 mirror: true"
    rig, host = (
        lmdb_net(tmp_path / "db", "prefetch: 2", transform, batch=2, device=d) for d in (device, None)
    )
    for one, other in zip(batches(rig, 6), batches(host, 6)):
        np.testing.assert_array_equal(one, other)
    assert seen == [np.uint8, np.float32] * 3


@each_name
def test_sizes_that_change_are_followed_as_bytes(tmp_path, name):
    pytest.importorskip("lmdb")
    sizes = [(2, 3), (2, 3), (4, 4), (1, 7), (2, 3)]
    with DatabaseWriter(tmp_path / "db") as writer:
        for i, size in enumerate(sizes):
            writer.add(datum.from_array(np.full((2, *size), i + 1, np.uint8), i))
    device, seen = transforming(name)
    rig = lmdb_net(tmp_path / "db", transform="scale: 2", batch=1, device=device)
    for number in range(12):
        i, outputs = number % 5, rig.forward()
        assert outputs["data"].shape == (1, 2, *sizes[i]) and outputs["label"] == i
        assert (outputs["data"] == 2 * (i + 1)).all()
    assert seen == [np.uint8] * 12


# -- digits and errors


def test_named_sets():
    rig = net("digits/train", batch=4)
    images, labels = batches(rig, 2)
    wanted = datasets.load("digits/train")
    np.testing.assert_array_equal(images, wanted.images[:8])
    np.testing.assert_array_equal(labels, wanted.labels[:8])


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("scale: 2", "scale"),
        ('mean_file: "x"', "mean_file"),
        ("crop_size: 3", "crop_size"),
        ("mirror: true", "mirror"),
    ],
)
def test_fields_that_caffe_ignores_are_refused(source, field, hint):
    with pytest.raises(
        ConfigError, match=rf"'data' \(Data\): data_param.{hint} has no effect; hint: set {hint} in"
    ):
        net(source, field)


@pytest.mark.parametrize(
    ("data", "transform", "message"),
    [
        ("rand_skip: 3", "", "rand_skip has no effect; hint: remove it"),
        ("force_encoded_color: true", "", "force_encoded_color has no effect; hint: set force_color in"),
        ("", "force_gray: true", "transform_param.force_gray is for encoded images; IDX holds pixels"),
        ("", "force_color: true force_gray: true", "both transform_param.force_color and force_gray are set"),
        ("", "crop_size: 6", "crop_size 6 is larger than the images, 6 x 5; hint: at most 5 fits"),
    ],
)
def test_fields_that_do_not_fit(source, data, transform, message):
    with pytest.raises(ConfigError, match=message):
        net(source, data, transform)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        (
            'source: "x" batch_size: 1',
            "backend LEVELDB, the default, cannot be read; hint: convert it to an LMDB",
        ),
        ('source: "x" batch_size: 1 backend: LEVELDB', "backend LEVELDB cannot be read; hint"),
        ("batch_size: 1 backend: LMDB", "source must be set; hint: the folder of the database"),
        ("batch_size: 1 backend: IDX", "source must be set; hint: one of digits/train"),
        ('source: "digits/test" backend: IDX', "batch_size must be at least 1"),
    ],
)
def test_fields_that_are_missing(conf, message):
    layer = f'layer {{ name: "d" type: "Data" top: "x" data_param {{ {conf} }} }}'
    with pytest.raises(ConfigError, match=f"data_param.{message}"):
        Net(text.parse(layer, NetParameter))
