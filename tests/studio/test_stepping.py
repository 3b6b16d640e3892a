"""What the worker says of a net that is stepped through: numbers of blobs, formulas, worked examples."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from minicaffe.convert.deploy import Deployment
from minicaffe.errors import DataError
from minicaffe.net import Net
from minicaffe.solvers.solver import Solver
from minicaffe.studio import picking, stepping, tiles

from ..support.running import PROTOTXT

TRAINING = PROTOTXT / "digits" / "train_test.prototxt"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The digits after 100 iterations, as the worker takes a run."""
    solver = Solver.create(PROTOTXT / "digits" / "solver.prototxt")
    solver.step(100)
    path = tmp_path_factory.mktemp("stepping") / "digits.caffemodel"
    solver.net.save(path)
    return {"net": str(TRAINING), "folder": "", "weights": str(path), "stamp": "1"}


@pytest.fixture(scope="module")
def look(run):
    return {**run, "image": "", "sample": 3, "kind": "loss", "number": stepping.LABEL, "invert": "auto"}


@pytest.fixture(scope="module")
def overview(look):
    return stepping.overview(look)


@pytest.fixture(scope="module")
def net(run, look, overview):
    """The deploy net, built and run here: the gradient of -log p of the label put into its output by hand."""
    param = Deployment(TRAINING, written=True).param
    param.force_backward = True
    net = Net(param, phase="TEST", seed=1)
    net.load(run["weights"])
    input, label, _ = stepping.trace(look)
    net.forward(data=input)
    label_p = net.blobs["prob"].data[0, label]
    net.blobs["prob"].diff[...] = 0
    net.blobs["prob"].diff[0, label] = -1 / label_p
    net.backward()
    return net


def index(overview, name: str) -> int:
    return next(layer["index"] for layer in overview["layers"] if layer["name"] == name)


def told(look, layer: int, what: str, item: int = 0) -> np.ndarray:
    """All values that tiles tell, flat."""
    first = stepping.sheet(look, layer, what, item)
    parts = [stepping.sheet(look, layer, what, item, tile=i)["values"] for i in range(first["count"])]
    flat = np.array(parts, np.float64).reshape(-1)
    return flat[: flat.size - first["padded"]].astype(np.float32)


@pytest.mark.parametrize("name", ["data", "conv1", "pool1", "conv2", "pool2", "ip2", "prob"])
def test_tiles_hold_the_numbers_of_the_blobs(look, overview, net, name):
    """Bit for bit, data and diff, in JSON; and in the picture as near as its levels are."""
    layer, blob = index(overview, name), net.blobs[name]
    for what, values in (("top", blob.data), ("top-diff", blob.diff)):
        np.testing.assert_array_equal(told(look, layer, what), values.reshape(-1), err_msg=what)
        facts = stepping.sheet(look, layer, what)
        with Image.open(io.BytesIO(stepping.sheet(look, layer, what, png=True))) as picture:
            levels = np.asarray(picture)
        (h, w), zoom, gap = facts["tile"], facts["zoom"], facts["gap"]
        found = []
        for i in range(facts["shown"]):
            y = gap + i // facts["columns"] * (h * zoom + gap)
            x = gap + i % facts["columns"] * (w * zoom + gap)
            found.append(levels[y : y + h * zoom : zoom, x : x + w * zoom : zoom])
        seen = facts["low"] + np.array(found) / tiles.LAST * (facts["high"] - facts["low"])
        wanted = values.reshape(-1).clip(facts["low"], facts["high"])
        step = (facts["high"] - facts["low"]) / tiles.LAST
        np.testing.assert_allclose(seen.reshape(-1)[: wanted.size], wanted, atol=step / 2 + 1e-12)


@pytest.mark.parametrize("name", ["conv1", "ip2"])
def test_tiles_hold_the_numbers_of_the_parameters(look, overview, net, name):
    for i, blob in enumerate(net.params[name]):
        np.testing.assert_array_equal(told(look, index(overview, name), "weights", i), blob.data.reshape(-1))
        np.testing.assert_array_equal(
            told(look, index(overview, name), "weights-diff", i), blob.diff.reshape(-1)
        )


def test_the_overview(look, overview, net):
    assert overview["label"] == 5 and overview["target"]["number"] == 5 and overview["loss"]
    assert overview["target"]["value"] == pytest.approx(-np.log(net.blobs["prob"].data[0, 5]), rel=1e-5)
    assert [c["number"] for c in overview["top"]] == np.argsort(
        -net.blobs["prob"].data[0], kind="stable"
    ).tolist()
    conv = overview["layers"][1]
    assert (conv["name"], conv["type"], conv["backward"]) == ("conv1", "Convolution", True)
    weights = net.params["conv1"][0]
    assert conv["params"][0]["norm"] == pytest.approx(np.linalg.norm(weights.data))
    assert conv["params"][0]["diff_norm"] == pytest.approx(np.linalg.norm(weights.diff))
    assert conv["tops"][0]["diff_mean_abs"] == pytest.approx(np.abs(net.blobs["conv1"].diff).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("conv1", [3, 0, 7]),
        ("conv2", [49, 2, 1]),
        ("pool1", [4, 1, 3]),
        ("ip1", [17]),
        ("ip2", [9]),
        ("prob", [5]),
    ],
)
def test_worked_examples_come_to_the_value(look, overview, name, place):
    found = stepping.worked(look, index(overview, name), place)
    terms = found["terms"]
    if "product" in terms[0]:
        for term in terms:
            assert term["product"] == pytest.approx(term["weight"] * term["input"])
        total = sum(term["product"] for term in terms) + (found["rest"] or 0) + found["bias"]
    elif name == "prob":
        total = next(term["share"] for term in terms if term["at"] == place)
    else:
        total = max(term["input"] for term in terms)
        assert len(terms) == 4
    assert total == pytest.approx(found["value"], rel=1e-4, abs=1e-5)


def test_formulas_with_the_layers_numbers(look, overview):
    said = {layer["type"]: stepping.layer(look, layer["index"]) for layer in overview["layers"]}
    assert said["Convolution"]["filled"].splitlines()[0] == (
        "y[k, i, j] = b[k] + sum over c < 20, r < 5, s < 5 of w[k, c, r, s] x[c, i + r - 2, j + s - 2]"
    )
    assert said["Pooling"]["filled"] == "y[c, i, j] = maximum over r < 2, s < 2 of x[c, 2 i + r, 2 j + s]"
    assert said["InnerProduct"]["filled"] == "y[k] = b[k] + sum over n < 500 of w[k, n] x[n],  k < 10"
    assert said["ReLU"]["filled"] == "y = x where x > 0, 0 * x elsewhere."
    assert ["pad", "2", True] in said["Convolution"]["numbers"] and ["group", "1", False] in said[
        "Convolution"
    ]["numbers"]
    assert said["Softmax"]["sections"]["Backward"].startswith("dx = y * (dy - sum of dy * y along the axis)")


def test_what_there_is_not(look, overview):
    for call, match in (
        (lambda: stepping.sheet(look, 99, "top"), "no layer 99"),
        (lambda: stepping.sheet(look, 1, "bottoms"), "'bottoms' is nothing of a layer"),
        (lambda: stepping.sheet(look, 2, "weights"), "layer 'pool1' has 0 of weights"),
        (lambda: stepping.worked(look, 1, [20, 0, 0]), r"no value at \[20, 0, 0\]"),
        (lambda: stepping.sheet({**look, "kind": "none"}, 1, "top-diff"), "no gradient came to top-diff 0"),
        (lambda: stepping.overview({**look, "sample": 360}), "no image 360: expected 0 to 359"),
    ):
        with pytest.raises(DataError, match=match):
            call()


def test_what_covering_does(look):
    found = stepping.occlusion(look, 5)
    assert len(found["map"]) == len(found["map"][0]) == 8
    assert found["drop"] == pytest.approx(found["before"] - found["least"]) and found["patch"] == 2
    assert max(map(max, found["map"])) <= found["drop"] + 1e-6


def test_confusion_and_its_cells(run):
    found = picking.confusion(run)
    matrix = np.array(found["matrix"])
    assert matrix.sum() == 360 == found["samples"] and matrix.trace() == round(
        found["accuracy"]["value"] * 360
    )
    wrong = matrix - np.diag(np.diag(matrix))
    everything = picking.mistakes(run)
    assert everything["total"] == wrong.sum()
    certain = [s["certainty"] for s in everything["samples"]]
    assert certain == sorted(certain, reverse=True)
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    cell = picking.mistakes(run, int(i), int(j))
    assert cell["total"] == wrong[i, j]
    assert {(s["label"], s["predicted"]) for s in cell["samples"]} == {(i, j)}
    right = picking.mistakes(run, 3, 3, count=5)
    assert right["total"] == matrix[3, 3] and len(right["samples"]) == 5
    assert right["samples"][0]["certainty"] == min(s["certainty"] for s in right["samples"])
    # The numbers are those of the data: the label of each is what the data says.
    viewer = stepping.stepper(run["net"], run["folder"], run["weights"], run["stamp"], "auto")
    assert all(viewer.samples.read(s["number"])[1] == s["label"] for s in everything["samples"])
    with pytest.raises(DataError, match="class 10; expected 0 to 9"):
        picking.mistakes(run, 10, 0)


def test_pictures_of_samples(run):
    found = picking.samples(run, 20, 13)
    assert [s["number"] for s in found["samples"]] == list(range(20, 33)) and found["total"] == 360
    with Image.open(io.BytesIO(picking.page(run, 20, 13))) as sheet:
        assert sheet.size == (640, 128)
        tile = np.asarray(sheet.crop((64, 0, 128, 64)))[::8, ::8, 0]
    image, _ = stepping.stepper(*run.values(), "auto").samples.read(21)
    np.testing.assert_array_equal(tile, (image[0] * np.float32(255 / 16)).astype(np.uint8))
    with pytest.raises(DataError, match="10 images from 360 on; there are 360"):
        picking.page(run, 360, 10)
