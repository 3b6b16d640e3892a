"""AnnotatedData."""

import numpy as np
import pytest

from minicaffe.data.database import DatabaseWriter
from minicaffe.data.detection.batches import AnnotatedBatches
from minicaffe.data.detection.database import to_record
from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.layers import resolve
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.annotated import SCENES, database, objects_of, picture, source
from ..support.devices import each_device
from .test_data import each_name, transforming

BACKENDS = ["VOC", "COCO", "LMDB"]
SAMPLERS = """batch_sampler { max_sample: 1 max_trials: 1 }
  batch_sampler { sampler { min_scale: 0.4 max_scale: 1 min_aspect_ratio: 0.5 max_aspect_ratio: 2 }
    sample_constraint { min_object_coverage: 0.3 } max_sample: 1 max_trials: 50 }
  batch_sampler { sampler { min_scale: 0.5 } sample_constraint { max_jaccard_overlap: 0.9 } max_trials: 9 }"""
COLOURS = """distort_param { brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5 contrast_lower: 0.5
  contrast_upper: 1.5 hue_prob: 0.5 hue_delta: 18 saturation_prob: 0.5 saturation_lower: 0.5
  saturation_upper: 1.5 random_order_prob: 0.2 }"""
RESIZE = """resize_param { resize_mode: WARP height: 60 width: 64 interp_mode: LINEAR interp_mode: AREA
  interp_mode: NEAREST interp_mode: CUBIC interp_mode: LANCZOS4 }"""
MOVES = f"expand_param {{ prob: 0.5 max_expand_ratio: 3 }} {RESIZE} mirror: true emit_constraint {{ }}"
NOISE = "noise_param { saltpepper: true saltpepper_param { fraction: 0.1 value: 255 } jpeg: 80 }"
EVERYTHING = f"{COLOURS} {MOVES} {NOISE} crop_h: 56 crop_w: 56 mean_value: [104, 117, 123] scale: 0.5"


@pytest.fixture(scope="module", params=BACKENDS)
def data(request, tmp_path_factory):
    """The source of a data set, and its backend."""
    return source(request.param, tmp_path_factory.mktemp("set") / "x"), request.param


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    return source("VOC", tmp_path_factory.mktemp("set") / "x"), "VOC"


def net(
    data, transform=RESIZE, conf="", annotated="", batch=4, phase="TRAIN", seed=5, device=None, tops=2, **kw
):
    names = " ".join(f'top: "{name}"' for name in ("data", "label")[:tops])
    layer = f"""layer {{ name: "a" type: "AnnotatedData" {names} transform_param {{ {transform} }}
      data_param {{ source: "{data[0]}" backend: {data[1]} batch_size: {batch} {conf} }}
      annotated_data_param {{ {annotated} }} }}"""
    return Net(text.parse(layer, NetParameter), phase=phase, seed=seed, device=device, **kw)


def test_images_and_their_rows(data):
    check_rows(net(data, batch=3))


@each_device
def test_rows_on_devices(voc, device):
    check_rows(net(voc, batch=3, device=device))


def check_rows(rig):
    assert rig.blobs["data"].shape == (3, 3, 60, 64) and rig.blobs["label"].shape == (1, 1, 1, 8)
    rows = []
    for _ in range(4):
        outputs = rig.forward()
        assert outputs["data"].shape == (3, 3, 60, 64)
        rows.append(outputs["label"])
        assert rows[-1].shape == (1, 1, len(rows[-1][0, 0]), 8)
    assert [len(table[0, 0]) for table in rows] == [4, 5, 2, 4]
    wanted = [
        [k, label, instance, *corners, difficult]
        for k, scene in enumerate(SCENES[:3])
        for corners, label, instance, difficult in zip(*objects_of(scene))
    ]
    np.testing.assert_allclose(rows[0][0, 0], wanted, rtol=1e-6)


def test_a_batch_without_objects_has_a_row_of_minus_one(voc):
    rig = net(voc, batch=1)
    tables = [rig.forward()["label"][0, 0] for _ in range(4)]
    assert [len(table) for table in tables] == [1, 3, 1, 1]
    assert (tables[2] == -1).all() and (tables[0] != -1).all()


def test_boxes_go_with_the_pixels(voc):
    """After everything that moves pixels, the bright part of an image is where its box is."""
    moved = f"{MOVES} crop_size: 52 mean_value: 20"
    rig = net(voc, moved.replace("emit_constraint { }", ""), annotated=SAMPLERS, conf="shuffle: true")
    alone = 0
    for _ in range(40):
        outputs = rig.forward()
        rows = outputs["label"][0, 0]
        for k, image in enumerate(outputs["data"]):
            mine = rows[rows[:, 0] == k]
            bright = image.max(axis=0) > 90
            if len(mine) == 0:
                assert bright.sum() <= 52 * 3  # less than a pixel of the source, enlarged
            if len(mine) != 1 or not bright.any():
                continue
            alone += 1
            ys, xs = np.nonzero(bright)
            found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / 52
            np.testing.assert_allclose(found, mine[0, 3:7], atol=0.06)
    assert alone > 60


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_resumed_net_sees_what_an_uninterrupted_one_would(voc, prefetch):
    conf = {"transform": EVERYTHING, "annotated": SAMPLERS, "conf": f"shuffle: true prefetch: {prefetch}"}
    rig = net(voc, **conf)
    whole = [rig.forward() for _ in range(8)]
    resumed = net(voc, **conf)
    for passes in (6, 2):
        resumed.passes = passes
        for name, value in resumed.forward().items():
            assert value.tobytes() == whole[passes][name].tobytes()
    other = net(voc, seed=6, **conf)
    assert any((other.forward()["data"] != seen["data"]).any() for seen in whole)


def test_neither_threads_nor_the_size_of_the_batch_matter(voc):
    layer = net(voc, EVERYTHING, annotated=SAMPLERS).layers[0]
    make = layer.batches()
    tables = []
    for threads in (1, 2, 3):
        records, param = make.records, layer.param
        same = AnnotatedBatches(
            records, param.annotated_data_param, param.transform_param, layer.phase, make.channels,
            make.order, make.share, threads,
        )  # fmt: skip
        out = layer._slot(None)
        same(1, out)
        tables.append((out.images.tobytes(), out.labels.tobytes()))
    assert tables[0] == tables[1] == tables[2]
    by_four = net(voc, EVERYTHING, annotated=SAMPLERS)
    by_one = net(voc, EVERYTHING, annotated=SAMPLERS, batch=1)
    for _ in range(3):
        images = by_four.forward()["data"]
        for image in images:
            np.testing.assert_array_equal(by_one.forward()["data"][0], image)


@each_name
def test_what_travels_as_bytes_has_the_same_bits(voc, name):
    device, seen = transforming(name)
    conf = {"transform": EVERYTHING, "annotated": SAMPLERS}
    rig, host = net(voc, device=device, **conf), net(voc, **conf)
    for _ in range(6):
        for one, other in zip(rig.forward().values(), host.forward().values()):
            assert one.shape == other.shape and one.tobytes() == other.tobytes()
    assert [kind for kind in seen if kind == np.uint8] == [np.uint8] * 6  # the others are of rows


@pytest.mark.parametrize("raw", [False, True])
def test_pixels_of_a_database(tmp_path, raw):
    rig = net((database(tmp_path / "db", SCENES[:1], raw), "LMDB"), "mean_value: 3 scale: 2", batch=2)
    images = rig.forward()["data"]
    np.testing.assert_array_equal(
        images, 2 * (picture(SCENES[0])[None].astype(np.float32) - [[[[3]]]]).repeat(2, 0)
    )


def test_small_sizes_keep_proportions(voc):
    fit = "resize_param { resize_mode: FIT_SMALL_SIZE height: 30 width: 30 }"
    rig = net(voc, fit, batch=1)
    assert [rig.forward()["data"].shape[2:] for _ in range(4)] == [(30, 45), (30, 30), (30, 44), (40, 30)]
    cropped = net(voc, f"{fit} crop_size: 28")
    assert cropped.forward()["data"].shape == (4, 3, 28, 28)


def test_records_with_labels_alone(tmp_path):
    with DatabaseWriter(tmp_path / "db") as writer:
        for label in range(3):
            record = to_record(picture(SCENES[0]), objects_of(SCENES[0]))
            record.ClearField("type")
            record.datum.label = label
            writer.add(record)
    data = tmp_path / "db", "LMDB"
    outputs = net(data, batch=3).forward()
    assert outputs["label"].tolist() == [0, 1, 2] and outputs["data"].shape == (3, 3, 60, 64)
    assert net(data, annotated="anno_type: BBOX", batch=3).forward()["label"].shape == (1, 1, 3, 8)
    assert list(net(data, batch=3, tops=1).forward()) == ["data"]


def test_what_evaluations_ask(voc):
    epoch = net(voc).layers[0].epoch()
    assert epoch.length == 4 and list(epoch.classes) == ["background", "cat", "dog"]
    assert epoch.name(2).endswith("train.txt:3")


@pytest.mark.parametrize(
    "where, value, message",
    [
        ("batch", 0, "data_param.batch_size must be at least 1"),
        ("conf", "rand_skip: 3", "data_param.rand_skip has no effect"),
        ("conf", 'root_folder: "x"', "data_param.root_folder is for backend COCO"),
        (
            "annotated",
            "batch_sampler { sampler { min_scale: 0 } }",
            r"er\[0\].sampler.min_scale must be at least",
        ),
        (
            "annotated",
            "batch_sampler { max_trials: 4000000000 }",
            "max_trials must be at least 0 and at most 10000",
        ),
        ("annotated", "anno_type: LANE", "anno_type must be BBOX"),
        ("annotated", "yolo_data_jitter: 0.5", "annotated_data_param.yolo_data_jitter is not supported"),
        (
            "alone",
            "expand_param { max_expand_ratio: 2 }",
            "expand_param makes images of many sizes; hint: transform",
        ),
        ("alone", "resize { height: 3 width: 3 }", "resize has no effect here; hint: resize_param"),
        (
            "alone",
            "resize_param { height: 3 }",
            "resize_param.width must be at least 1 and at most 32768; got 0",
        ),
        (
            "alone",
            "resize_param { height: 3 width: 3 height_scale: 2 }",
            "resize_param.height_scale is not supp",
        ),
        (
            "alone",
            "resize_param { resize_mode: FIT_SMALL_SIZE height: 3 width: 3 }",
            "FIT_SMALL_SIZE leaves images of many sizes; batch_size must be 1, got 4; hint: or set crop_size",
        ),
        ("also", RESIZE, "resize_param is given 2 times"),
        ("also", "crop_h: 3", "crop_h and crop_w must be equal, without crop_size; got 3 and 0"),
        ("also", "crop_size: 61", "crop_size 61 is larger than the images, 60 x 64"),
        ("also", "noise_param { clahe: true }", "noise_param.clahe is not supported; hint: remove"),
        ("also", "noise_param { convert_to_lab: true }", "noise_param.convert_to_lab is not supported"),
        ("also", "noise_param { jpeg: 101 }", "noise_param.jpeg must be at least -1 and at most 100"),
        (
            "also",
            "distort_param { contrast_prob: 0.5 contrast_lower: 2 contrast_upper: 1 }",
            "distort_param.contrast_upper must be at least 2; got 1",
        ),
        (
            "also",
            "distort_param { hue_prob: 1 hue_delta: 9 } force_gray: true",
            "distort_param: saturation, hue and order are of images of 3 channels; these have 1",
        ),
        ("also", "expand_param { max_expand_ratio: 0.5 }", "max_expand_ratio must be at least 1"),
        ("also", "mean_value: [1, 2]", "mean_value must be given once or once per channel"),
    ],
)
def test_fields_that_do_not_fit(voc, where, value, message):
    transform = {"alone": value, "also": f"{RESIZE} {value}"}.get(where, RESIZE)
    given = {} if where in ("alone", "also") else {where: value}
    with pytest.raises(ConfigError, match=rf"'a' \(AnnotatedData\): .*{message}"):
        net(voc, transform, **given)


def test_samplers_need_one_size(voc):
    with pytest.raises(ConfigError, match="batch_sampler makes images of many sizes; hint: transform_param"):
        net(voc, "", annotated=SAMPLERS)


def test_backends(voc, tmp_path):
    with pytest.raises(ConfigError, match="backend IDX is not of this layer; hint: LMDB, VOC, COCO are"):
        net((voc[0], "IDX"))
    with pytest.raises(ConfigError, match="backend LEVELDB cannot be read"):
        net((voc[0], "LEVELDB"))
    data = f'data_param {{ source: "{voc[0]}" backend: VOC batch_size: 1 }}'
    layer = f'layer {{ name: "d" type: "Data" top: "x" {data} }}'
    with pytest.raises(
        ConfigError, match="backend VOC is not of this layer; hint: IDX, LMDB, FOLDER are; Annotated"
    ):
        Net(text.parse(layer, NetParameter))
    with pytest.raises(DataError, match=r"'a' \(AnnotatedData\).*no list of images"):
        net((tmp_path / "none", "VOC"))
    with pytest.raises(ConfigError, match="augment_param has no effect here"):
        net(voc, "} augment_param { ")


def test_images_that_do_not_fit_each_other(voc):
    rig = net(voc, "", batch=2)
    with pytest.raises(
        ShapeError, match=r"train.txt:2: images of a batch must have one shape, \(3, 40, 60\); got"
    ):
        rig.forward()


def test_a_missing_label_map(voc):
    with pytest.raises(DataError, match="cannot read none"):
        net(voc, annotated='label_map_file: "none.prototxt"')
    assert resolve("AnnotatedData").sources.keys() == {"LMDB", "VOC", "COCO"}
