"""Evaluations: which blobs are taken, every sample once, pictures as they were, and what cannot be judged."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter
from minicaffe.reports import Evaluation, evaluate, heads

from ..support.devices import make_device

ROOT = Path(__file__).parent.parent.parent
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss" }'
ACCURACY = 'layer { name: "acc" type: "Accuracy" bottom: "scores" bottom: "label" top: "acc" }'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def net_of(prototxt: str, **options) -> Net:
    return Net(text.parse(prototxt, NetParameter), phase="TEST", forward_only=True, seed=1, **options)


def rows(batch: int = 3, shuffle: bool = False, files: int = 1, **arrays) -> str:
    """A layer whose tops are these arrays, out of HDF5 files."""
    import h5py

    arrays = {"scores": np.empty(0), **arrays}
    for i in range(files):
        with h5py.File(f"{i}.h5", "w") as file:
            for name, values in arrays.items():
                file[name] = np.array_split(np.asarray(values, np.float32), files)[i]
    Path("list.txt").write_text("".join(f"{i}.h5\n" for i in range(files)))
    tops = " ".join(f'top: "{name}"' for name in arrays)
    more = "shuffle: true" if shuffle else ""
    return (
        f'name: "rows" layer {{ name: "rows" type: "HDF5Data" {tops}'
        f' hdf5_data_param {{ source: "list.txt" batch_size: {batch} {more} }} }}'
    )


def scores_for(predicted, classes: int = 3, by: float = 2.0) -> np.ndarray:
    return by * np.eye(classes)[np.asarray(predicted)]


LABEL = np.array([0, 1, 2, 0, 1, 2, 0])
PREDICTED = np.array([0, 1, 2, 1, 1, 0, 0])
SURE = np.exp(2) / (np.exp(2) + 2)


def judged_of(prototxt: str, **options) -> Evaluation:
    return evaluate(net_of(prototxt), **options)


@pytest.mark.parametrize("batch", [1, 3, 7, 10])
@pytest.mark.parametrize("end", [LOSS, ACCURACY, LOSS + ACCURACY])
def test_every_sample_counts_once_whatever_the_batch(batch, end):
    found = judged_of(rows(batch, scores=scores_for(PREDICTED), label=LABEL) + end)
    np.testing.assert_array_equal(found.judged.actual, LABEL)
    np.testing.assert_array_equal(found.judged.predicted, PREDICTED)
    np.testing.assert_array_equal(found.number, range(7))
    assert (found.samples, found.left_out, found.ignored) == (7, 0, 0)
    assert found.accuracy.hits == 5 and found.top5 is None
    assert found.classes == ["0", "1", "2"]
    assert sorted(found.mistakes) == [3, 5] and found.names == {3: "0.h5: row 3", 5: "0.h5: row 5"}
    if end != ACCURACY:
        np.testing.assert_allclose(found.judged.certainty, SURE, rtol=1e-6)


@pytest.mark.parametrize("files", [1, 2])
def test_shuffled_samples_count_once_and_keep_their_numbers(files):
    layer = rows(3, shuffle=True, files=files, scores=scores_for(PREDICTED), label=LABEL)
    found = judged_of(layer + LOSS)
    assert sorted(found.number) == list(range(7)) and list(found.number) != list(range(7))
    np.testing.assert_array_equal(found.judged.actual, LABEL[found.number])
    np.testing.assert_array_equal(found.judged.predicted, PREDICTED[found.number])
    where = {3: "0.h5: row 3", 5: "0.h5: row 5"} if files == 1 else {3: "0.h5: row 3", 5: "1.h5: row 1"}
    assert {found.number[row]: name for row, name in found.names.items()} == where


def test_fewer_batches_than_an_epoch_and_more():
    layer = rows(3, scores=scores_for(PREDICTED), label=LABEL) + LOSS
    found = judged_of(layer, batches=2)
    assert (found.samples, found.left_out) == (6, 1)
    assert judged_of(layer, batches=50).samples == 7


def test_it_begins_at_the_start_of_the_data():
    net = net_of(rows(3, scores=scores_for(PREDICTED), label=LABEL) + LOSS)
    net.forward()
    np.testing.assert_array_equal(evaluate(net).judged.actual, LABEL)


def test_progress_is_told():
    said = []
    layer = rows(3, scores=scores_for(PREDICTED), label=LABEL)
    judged_of(layer + LOSS, tell=lambda done, total: said.append((done, total)))
    assert said == [(3, 7), (6, 7), (7, 7)]


# -- which blobs


def test_of_several_heads_the_last_is_taken_and_others_by_name():
    heads_of = rows(scores=scores_for(PREDICTED), first=scores_for(LABEL), label=LABEL)
    heads_of += 'layer { name: "last" type: "Power" bottom: "scores" top: "last" }'
    for blob in ("first", "last"):
        heads_of += (
            f'layer {{ name: "loss {blob}" type: "SoftmaxWithLoss" bottom: "{blob}" bottom: "label" }}'
            f'layer {{ name: "acc {blob}" type: "Accuracy" bottom: "{blob}" bottom: "label" top: "{blob}+" }}'
        )
    assert heads.find(net_of(heads_of)).scores == "last" and judged_of(heads_of).accuracy.hits == 5
    assert judged_of(heads_of, scores="first").accuracy.hits == 7
    assert judged_of(heads_of, scores="scores", label="label").about["scores"] == "blob scores"


@pytest.mark.parametrize(
    "net", ["googlenet/train_val_dummy", "googlenet/mnist_28_train_val", "digits/train_test"]
)
def test_heads_of_published_nets(net):
    """GoogLeNet has three; the last one is meant."""
    path = ROOT / "prototxt" / f"{net}.prototxt"
    try:
        head = heads.find(Net(path, phase="TEST", allocate=False))
    except DataError:
        pytest.skip("there is no MNIST")
    assert head == heads.Head(
        "ip2" if "digits" in net else "loss3/classifier", "label", heads.SOFTMAX, True, 1, None
    )


def test_probabilities_of_a_softmax_layer_are_taken_as_they_are():
    layer = rows(scores=scores_for(PREDICTED), label=LABEL)
    softmax = 'layer { name: "prob" type: "Softmax" bottom: "scores" top: "prob" }'
    plain, by_name = judged_of(layer + softmax), judged_of(layer + LOSS + softmax, scores="prob")
    loss = judged_of(layer + LOSS + softmax)
    assert (plain.about["scores"], by_name.about["scores"]) == ("blob prob", "blob prob")
    for found in (plain, by_name, loss):
        np.testing.assert_allclose(found.judged.certainty, SURE, rtol=1e-6)
        assert not found.notes
    in_place = 'layer { name: "prob" type: "Softmax" bottom: "scores" top: "scores" }'
    likely = 'layer { name: "l" type: "MultinomialLogisticLoss" bottom: "scores" bottom: "label" top: "l" }'
    for net in (layer + in_place + ACCURACY, layer + in_place + likely):
        np.testing.assert_allclose(judged_of(net).judged.certainty, SURE, rtol=1e-6)


def test_sigmoids_and_rows_with_a_one_for_label():
    layer = rows(scores=scores_for(PREDICTED), label=np.eye(3)[LABEL])
    loss = 'layer { name: "l" type: "SigmoidCrossEntropyLoss" bottom: "scores" bottom: "label" top: "l" }'
    found = judged_of(layer + loss)
    np.testing.assert_array_equal(found.judged.actual, LABEL)
    yes = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(found.judged.certainty, yes / (yes + 1), rtol=1e-6)
    assert "sigmoid" in found.notes[0]
    with pytest.raises(DataError, match="row 0 of blob 'label' is no label: expected one 1 among zeros"):
        judged_of(rows(scores=scores_for(PREDICTED), label=np.full((7, 3), 0.5)) + loss)


def test_a_net_that_says_nothing_of_probabilities_is_noted():
    hinge = 'layer { name: "l" type: "HingeLoss" bottom: "scores" bottom: "label" top: "l" }'
    found = judged_of(rows(scores=scores_for(PREDICTED), label=LABEL) + hinge)
    assert "softmax" in found.notes[0] and found.accuracy.hits == 5


def test_labels_that_stand_for_none_do_not_count():
    label = LABEL.copy()
    label[[0, 5]] = 255
    loss = LOSS[:-1] + "loss_param { ignore_label: 255 } }"
    found = judged_of(rows(scores=scores_for(PREDICTED), label=label) + loss)
    assert (found.samples, found.ignored, found.accuracy.hits) == (5, 2, 4)
    np.testing.assert_array_equal(found.number, [1, 2, 3, 4, 6])
    with pytest.raises(DataError, match="all 7 labels are ignore_label, 255"):
        judged_of(rows(scores=scores_for(PREDICTED), label=np.full(7, 255)) + loss)


# -- what cannot be judged

SOFTMAX = 'layer { name: "prob" type: "Softmax" bottom: "scores" top: "prob" }'


@pytest.mark.parametrize(
    "scores, label, message",
    [
        (
            np.full((7, 3), np.nan),
            LABEL,
            r"batch 0: blob 'scores' holds nan for class 0 of sample 0 of the batch",
        ),
        (np.full((7, 3), np.inf), LABEL, "blob 'scores' holds inf"),
        (
            scores_for(PREDICTED),
            LABEL + 1,
            "batch 0: label 3 of sample 2 of the batch is none of the classes 0 to 2",
        ),
        (scores_for(PREDICTED), LABEL - 0.5, r"label -0\.5 of sample 0"),
        (scores_for(PREDICTED), LABEL * 2.0**40, r"label 1\.09951163e\+12 of sample 1"),
        (scores_for(PREDICTED), LABEL + np.nan, "label nan of sample 0"),
        (
            scores_for(PREDICTED)[:, :, None] + [0, 0],
            LABEL,
            r"one score a class for each sample.* got \(3, 3, 2\)",
        ),
        (np.ones((7, 1)), 0 * LABEL, "has scores of 1 class; expected 2 or more"),
        (scores_for(PREDICTED), np.ones((7, 2)), r"must hold a label for each of 3 samples; got \(3, 2\)"),
    ],
)
def test_scores_and_labels_that_are_none(scores, label, message):
    end = 'layer { name: "quiet" type: "Silence" bottom: "scores" bottom: "label" }'
    with pytest.raises((DataError, ShapeError), match=message):
        judged_of(rows(scores=scores, label=label) + end, scores="scores", label="label")


def test_nets_that_do_not_tell():
    layer = rows(scores=scores_for(PREDICTED), label=LABEL)
    quiet = 'layer { name: "quiet" type: "Silence" bottom: "scores" bottom: "label" }'
    with pytest.raises(
        ConfigError, match=r"cannot tell which blob holds the scores: .* hint: name them: --scores"
    ):
        judged_of(layer + quiet)
    with pytest.raises(
        ConfigError, match=r"--scores score: the net has no such blob; hint: did you mean 'scores'"
    ):
        judged_of(layer + LOSS, scores="score")
    alone = 'input: "data" input_shape { dim: 2 dim: 3 }' + SOFTMAX.replace("scores", "data")
    with pytest.raises(ConfigError, match="cannot tell which blob holds the labels: there is no Accuracy"):
        judged_of(alone)


def test_a_source_without_end_needs_a_number_of_batches():
    dummy = (
        'layer { name: "d" type: "DummyData" top: "scores" top: "label" dummy_data_param {'
        ' shape { dim: 4 dim: 3 } shape { dim: 4 } data_filler { type: "gaussian" }'
        ' data_filler { type: "constant" } } }'
    )
    with pytest.raises(ConfigError, match=r"nothing says how many samples blob 'label' gets.*--iterations N"):
        judged_of(dummy + LOSS)
    found = judged_of(dummy + LOSS, batches=2)
    assert (found.samples, found.left_out) == (8, 0) and "data" not in found.about


def test_a_net_whose_blobs_share_memory():
    net = net_of(rows(scores=scores_for(PREDICTED), label=LABEL) + LOSS, keep="needed")
    with pytest.raises(ConfigError, match="only the outputs of this net can be read"):
        evaluate(net)


def test_sources_of_different_length():
    import h5py

    with h5py.File("x.h5", "w") as file:
        file["more"] = np.zeros(5, np.float32)
    Path("x.txt").write_text("x.h5\n")
    other = (
        'layer { name: "x" type: "HDF5Data" top: "more" hdf5_data_param { source: "x.txt" batch_size: 3 } }'
        'layer { name: "s" type: "Eltwise" bottom: "label" bottom: "more" top: "sum" }'
    )
    layer = rows(scores=scores_for(PREDICTED), label=LABEL) + other + LOSS.replace('"label"', '"sum"')
    with pytest.raises(ConfigError, match="sources with different numbers of samples: rows 7, x 5"):
        judged_of(layer)


# -- names of classes


def test_names_of_classes(folder):
    layer = rows(scores=scores_for(PREDICTED), label=LABEL) + LOSS
    assert judged_of(layer, classes=["a", "b", "c"]).classes == ["a", "b", "c"]
    (folder / "names").write_text("red ant\nbee\ncat\n\n")
    assert judged_of(layer, classes="names").classes == ["red ant", "bee", "cat"]
    with pytest.raises(ConfigError, match="there are 2 names of classes; the net has 3 classes"):
        judged_of(layer, classes=["a", "b"])
    (folder / "labels.txt").write_text("ant\nbee\ncat\n")  # beside the data
    assert judged_of(layer).classes == ["ant", "bee", "cat"]
    (folder / "labels.txt").write_text("ant\n\ncat\n")
    with pytest.raises(DataError, match=r"labels\.txt:2: an empty line; expected the name of a class"):
        judged_of(layer)
    with pytest.raises(DataError, match="cannot read nowhere: No such file"):
        judged_of(layer, classes="nowhere")


# -- pictures


def idx_net(images: np.ndarray, labels: np.ndarray, transform: str = "", batch: int = 4) -> str:
    """Reads these images from an IDX file."""
    shape = images.shape
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
    Path("x-images-idx3-ubyte").write_bytes(header + images.tobytes())
    Path("x-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, len(labels)) + labels.tobytes())
    return (
        f'layer {{ name: "x" type: "Data" top: "data" top: "label" transform_param {{ {transform} }}'
        f' data_param {{ source: "x-images-idx3-ubyte" backend: IDX batch_size: {batch} }} }}'
    ) + behind_data()


def behind_data() -> str:
    """Changes the blob of images in place, and takes every image for class 0 of two."""
    return (
        'layer { name: "half" type: "Power" bottom: "data" top: "data" power_param { scale: 0.5 } }'
        'layer { name: "scores" type: "InnerProduct" bottom: "data" top: "scores" inner_product_param {'
        ' num_output: 2 weight_filler { type: "constant" } bias_filler { type: "constant" } } }'
    ) + LOSS


RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (9, 6, 8), dtype=np.uint8)


@pytest.mark.parametrize(
    "transform, window",
    [
        ("", np.s_[:, :]),
        ("scale: 0.00390625 mean_value: 33.5", np.s_[:, :]),
        ("crop_size: 4 scale: 0.017 mean_value: 128", np.s_[1:5, 2:6]),
    ],
)
def test_pictures_are_the_images_before_mean_and_scale(transform, window):
    """Though the net writes into the blob; the labels of all but images 2 and 7 are right."""
    labels = np.array([0, 0, 1, 0, 0, 0, 0, 1, 0], np.uint8)
    found = judged_of(idx_net(IMAGES, labels, transform))
    assert sorted(found.pictures) == [2, 7] and not found.stretched
    for row, picture in found.pictures.items():
        np.testing.assert_array_equal(picture, IMAGES[row][window])
    assert found.about["data"] == "x-images-idx3-ubyte" and found.names == {2: "2", 7: "7"}


def test_a_mean_image_is_undone_where_the_crop_lies(folder):
    from minicaffe.proto import binary

    mean = RNG.uniform(0, 200, (1, 6, 8)).astype(np.float32)
    (folder / "mean").write_bytes(binary.from_array(mean[None]).SerializeToString())
    labels = np.array([0, 1, 0, 0, 0, 0, 0, 0, 0], np.uint8)
    found = judged_of(idx_net(IMAGES, labels, 'crop_size: 4 mean_file: "mean"'))
    np.testing.assert_array_equal(found.pictures[1], IMAGES[1, 1:5, 2:6])


def test_pictures_of_few_grey_levels_are_stretched():
    images = (IMAGES // 16).astype(np.uint8)
    found = judged_of(idx_net(images, np.ones(9, np.uint8)))
    assert found.stretched and len(found.pictures) == 9
    assert min(p.min() for p in found.pictures.values()) == 0
    assert max(p.max() for p in found.pictures.values()) == 255


def test_images_of_files_have_their_colours_and_paths(folder):
    from PIL import Image

    colours = np.zeros((4, 5, 7, 3), np.uint8)
    colours[..., 0], colours[:, 0, 0, 2] = 200, 99
    for i, image in enumerate(colours):
        Image.fromarray(image).save(f"{i}.png")
    Path("list").write_text("".join(f"{i}.png {int(i == 2)}\n" for i in range(4)))
    source = (
        'layer { name: "x" type: "ImageData" top: "data" top: "label" transform_param { scale: 0.1 }'
        ' image_data_param { source: "list" batch_size: 3 root_folder: "./" } }'
    )
    found = judged_of(source + behind_data())
    np.testing.assert_array_equal(found.pictures[2], colours[2])
    assert found.names == {2: "./2.png"} and found.about["data"] == "list"


def test_memory_data_and_what_is_no_picture():
    layer = (
        'layer { name: "m" type: "MemoryData" top: "data" top: "label"'
        " memory_data_param { batch_size: 2 channels: 1 height: 4 width: 4 } }"
    )
    net = net_of(layer + behind_data())
    with pytest.raises(ConfigError, match="nothing says how many samples"):
        evaluate(net)
    data = np.zeros((6, 1, 4, 4), np.float32)
    data[4, 0, 1] = 250
    net.layers[0].reset(data, np.array([0, 0, 0, 0, 1, 0], np.float32))
    found = evaluate(net)
    assert found.samples == 6 and list(found.pictures) == [4] and found.pictures[4].max() == 250
    assert not judged_of(
        rows(scores=scores_for(PREDICTED), label=LABEL) + LOSS
    ).pictures  # rows are no images


def test_the_worst_mistakes_and_suspects_of_many_have_pictures():
    from minicaffe.reports.evaluation import PICTURES

    images = RNG.integers(0, 256, (90, 6, 8), dtype=np.uint8)
    found = judged_of(idx_net(images, np.ones(90, np.uint8)))
    assert len(found.mistakes) == 90 and len(found.pictures) == PICTURES
    assert set(found.pictures) == set(found.mistakes[:PICTURES].tolist())


def test_twice_is_the_same_and_the_accuracy_is_that_of_the_layer():
    """The digits: 360 in four whole batches of 90, and in four of 91, of which the last is not full."""
    path = ROOT / "prototxt" / "digits" / "train_test.prototxt"
    source = path.read_text()
    assert "batch_size: 90" in source
    found = []
    for size in (90, 91):
        param = text.parse(source.replace("batch_size: 90", f"batch_size: {size}"), NetParameter)
        net = Net(param, phase="TEST", seed=3, forward_only=True)
        found += [evaluate(net), evaluate(net)]
        if size == 90:
            net.executor.passes = 0
            layer = np.mean([net.forward()["accuracy"] for _ in range(4)])
            assert found[0].accuracy.value == pytest.approx(float(layer), abs=1e-6)
    for other in found[1:]:
        np.testing.assert_array_equal(other.judged.predicted, found[0].judged.predicted)
        np.testing.assert_allclose(other.judged.certainty, found[0].judged.certainty, rtol=1e-5)
    np.testing.assert_array_equal(found[0].judged.certainty, found[1].judged.certainty)


def test_a_folder_of_class_folders_has_names_of_classes_and_files(folder):
    from PIL import Image

    for name in ("cats", "dogs"):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(5):
            Image.fromarray(RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(f"photos/{name}/{i}.png")
    (folder / "labels.txt").write_text("of something else\n")
    source = (
        'layer { name: "x" type: "Data" top: "data" top: "label" data_param {'
        ' source: "photos[20%:]" backend: FOLDER batch_size: 3 } }'
    )
    found = judged_of(source + behind_data())
    assert found.samples == 8 and list(found.classes) == ["cats", "dogs"]
    assert sorted(found.pictures) == sorted(found.names) and len(found.names) == 4
    for row, name in found.names.items():
        assert name.startswith("photos/dogs/") and found.judged.actual[row] == 1
        np.testing.assert_array_equal(found.pictures[row], np.asarray(Image.open(name)))


@pytest.mark.parametrize("device", ["cuda-emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_gpu_gives_the_same(device):
    """Where images travel as bytes and are transformed on the device."""
    prototxt = idx_net(
        IMAGES, np.array([0, 0, 1, 0, 0, 0, 0, 1, 0], np.uint8), "crop_size: 4 mean_value: 128"
    )
    here, there = judged_of(prototxt), evaluate(net_of(prototxt, device=make_device(device, np.float32)))
    np.testing.assert_allclose(there.judged.certainty, here.judged.certainty, rtol=1e-6)
    for row, picture in here.pictures.items():
        np.testing.assert_array_equal(there.pictures[row], picture)
