"""caffe.Net: what can be read, written and run."""

from __future__ import annotations

import gc
import os
import weakref
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe import pycaffe as caffe
from minicaffe.errors import ConfigError, MiniCaffeError, ShapeError, WeightsError
from minicaffe.pycaffe.view import BlobView

from .nets import AFFINE, CLASSES, simple, solver, write


def simple_net(phase: int = caffe.TRAIN, **options) -> caffe.Net:
    net = caffe.Net(simple(), phase, **options)
    net.blobs["label"].data[...] = np.random.default_rng(1).integers(CLASSES, size=5)
    return net


def affine_net() -> caffe.Net:
    return caffe.Net(write("affine.prototxt", AFFINE), caffe.TEST)


def affine_inputs(rows: int = 4, seed: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal((rows, 3)), "z": rng.standard_normal((rows, 2))}


def expected(net: caffe.Net, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    weight, bias = (blob.data for blob in net.params["ip"])
    return x @ weight.T + bias + z


# -- looking in


def test_names_and_orders():
    net = simple_net()
    assert net._layer_names == ["data", "conv", "ip", "loss"]
    assert list(net.blobs) == net._blob_names == ["data", "label", "conv", "ip", "loss"]
    assert (net.inputs, net.outputs, net._inputs, net._outputs) == ([], ["loss"], [], [4])
    assert list(net.params) == ["conv", "ip"] and [len(p) for p in net.params.values()] == [2, 2]
    assert [layer.type for layer in net.layers] == [
        "DummyData",
        "Convolution",
        "InnerProduct",
        "SoftmaxWithLoss",
    ]
    assert list(net.layer_dict.items()) == list(zip(net._layer_names, net.layers))
    assert net.layer_dict["conv"].blobs[0] is net.params["conv"][0]
    assert net.blob_loss_weights == {"data": 0, "label": 0, "conv": 0, "ip": 0, "loss": 1}
    assert net.top_names == {"data": ["data", "label"], "conv": ["conv"], "ip": ["ip"], "loss": ["loss"]}
    assert net.bottom_names == {"data": [], "conv": ["data"], "ip": ["conv"], "loss": ["ip", "label"]}
    for names in (net.blobs, net.params, net.layer_dict, net.top_names, net.bottom_names):
        assert isinstance(names, OrderedDict)
    assert net._bottom_ids(3) == [3, 1] and net._top_ids(0) == [0, 1]
    assert isinstance(net.layers[1], caffe.Layer)


def test_blobs_of_splits_are_there_and_those_without_a_name_keep_their_place():
    path = write(
        "split.prototxt",
        'layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "a" type: "EuclideanLoss" bottom: "x" bottom: "t" }'
        'layer { name: "b" type: "EuclideanLoss" bottom: "x" bottom: "t" loss_weight: 2 }'
        'layer { name: "y" type: "Power" bottom: "x" top: "y" power_param { scale: 2 } }',
    )
    net = caffe.Net(path, caffe.TRAIN)
    assert "x_in_0_split_2" in net.blobs
    assert net._blob_names.count("(automatic)") == 2 and len(net._blobs) == len(net._blob_names)
    assert net.outputs == ["y"] and net.top_names["y"] == ["y"]
    out = net.forward(x=np.ones((2, 3)), t=np.zeros((2, 3)))
    np.testing.assert_array_equal(out["y"], 2 * np.ones((2, 3)))
    assert net._forward(0, len(net.layers) - 1) == pytest.approx(3 * 1.5)


def test_a_blob_knows_its_shape():
    net = simple_net()
    blob = net.blobs["data"]
    assert list(blob.shape) == [5, 2, 3, 4] and blob.count == 120
    assert (blob.num, blob.channels, blob.height, blob.width) == (5, 2, 3, 4)
    assert blob.data.dtype == np.float32
    assert net.blobs["label"].width == 1
    assert np.asarray(net.blobs["loss"]).shape == ()
    assert repr(blob) == "Blob('data', (5, 2, 3, 4))" and repr(net.params["conv"][:1]).startswith(
        "[Blob('conv.0', "
    )
    with pytest.raises(TypeError):
        blob.reshape(dims=3)


@pytest.mark.parametrize("name", ["setup", "reshape", "forward", "backward"])
def test_layers_run_in_their_net(name):
    layer = simple_net().layers[1]
    with pytest.raises(ConfigError, match="a layer of type Convolution"):
        getattr(layer, name)(*[[]] * (3 if name == "backward" else 2))
    with pytest.raises(ConfigError, match="takes no more parameters"):
        layer.blobs.add_blob(1)


def test_arrays_outlive_the_net():
    net = simple_net()
    blobs = [*net.blobs.values(), *(blob for blobs in net.params.values() for blob in blobs)]
    arrays = [array for blob in blobs for array in (blob.data, blob.diff)]
    del net
    gc.collect()
    assert all(np.isfinite(array).all() for array in arrays)
    assert all(np.isfinite(blob.data.sum() + blob.diff.sum()) for blob in blobs)


# -- building


@pytest.mark.parametrize(
    "build",
    [
        lambda path, weights: caffe.Net(path, weights, caffe.TRAIN),
        lambda path, weights: caffe.Net(Path(path), Path(weights), caffe.TRAIN),
        lambda path, weights: caffe.Net(path, caffe.TRAIN, weights=weights),
        lambda path, weights: caffe.Net(path, phase=caffe.TRAIN, weights=weights),
        lambda path, weights: caffe.Net(network_file=path, phase=0, level=0, stages=None, weights=weights),
    ],
)
def test_constructors_load_weights(build):
    net = simple_net()
    net.save("simple.caffemodel")
    other = build(simple(), "simple.caffemodel")
    for name, blobs in net.params.items():
        for blob, copied in zip(blobs, other.params[name]):
            np.testing.assert_array_equal(blob.data, copied.data)


def test_levels_and_stages():
    layers = "".join(
        f'layer {{ name: "{name}" type: "Power" bottom: "x" top: "{name}" include {{ {rule} }} }}'
        for name, rule in [
            ("plain", ""),
            ("low", "min_level: 1"),
            ("a", 'stage: "A"'),
            ("ab", 'stage: "A" stage: "B"'),
        ]
    )
    source = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 } } }'
    path = write("rules.prototxt", source + layers)

    def names(**options):
        return set(caffe.Net(path, caffe.TEST, **options)._layer_names) - {"in", "x_in_0_split"}

    assert names() == names(level=0) == {"plain"}
    assert names(level=1) == {"plain", "low"}
    assert names(stages=["A"]) == {"plain", "a"}
    assert names(stages=["A", "B"], level=2) == {"plain", "low", "a", "ab"}
    assert names(stages=["B"]) == {"plain"}


def test_missing_files():
    for build in (
        lambda: caffe.Net("no.prototxt", caffe.TEST),
        lambda: caffe.Net(simple(), "no.caffemodel", caffe.TEST),
        lambda: caffe.Net(simple(), caffe.TEST, weights="no.caffemodel"),
        lambda: simple_net().copy_from("no.caffemodel"),
        lambda: simple_net().load_hdf5("no.h5"),
    ):
        with pytest.raises(
            RuntimeError, match=r"Could not open file no\.(prototxt|caffemodel|h5): No such file"
        ):
            build()


@pytest.mark.parametrize("arguments", [(5,), (None,), ("some.caffemodel",), ("a", caffe.TEST, None, "b")])
def test_arguments_that_are_none(arguments):
    with pytest.raises(ConfigError, match=r"phase must be|three arguments"):
        caffe.Net(simple(), *arguments)


def test_a_wrong_net_is_an_exception():
    path = write("wrong.prototxt", 'layer { name: "a" type: "Convolutoin" }')
    with pytest.raises(MiniCaffeError, match=r"wrong\.prototxt:1: layer 'a'.*did you mean 'Convolution'"):
        caffe.Net(path, caffe.TEST)


# -- passes


def test_forward_takes_inputs_and_gives_live_outputs(mode):
    net, inputs = affine_net(), affine_inputs()
    out = net.forward(**inputs)
    assert list(out) == ["y"]
    np.testing.assert_allclose(out["y"], expected(net, **inputs), rtol=1e-5, atol=1e-6)
    more = affine_inputs(seed=3)
    again = net.forward(blobs=["ip", "x"], **more)
    assert list(again) == ["y", "ip", "x"]
    np.testing.assert_allclose(out["y"], expected(net, **more), rtol=1e-5, atol=1e-6)  # it is the blob's
    np.testing.assert_array_equal(again["x"], more["x"].astype(np.float32))
    net.blobs["x"].data[...] = 0
    net.blobs["z"].data[...] = [1, 2]
    net.params["ip"][1].data[...] = 5
    net.forward()
    np.testing.assert_array_equal(out["y"], [[6, 7]] * 4)


def test_arrays_that_were_taken_before_stay_live(mode):
    net = affine_net()
    x, z, y = (net.blobs[name].data for name in "xzy")
    weight, gradient = net.params["ip"][0].data, net.params["ip"][0].diff
    for step in (1, 2):
        x[...], z[...], weight[...] = step, 0, 1
        net.forward()
        np.testing.assert_array_equal(y, 3 * step)
        net.blobs["y"].diff[...] = 1
        net.clear_param_diffs()
        net.backward()
        np.testing.assert_array_equal(gradient, 4 * step)
        weight -= gradient
        np.testing.assert_array_equal(net.params["ip"][0].data, weight)


def test_parts_of_a_pass(mode):
    net = affine_net()
    net.forward(**affine_inputs())
    net.blobs["ip"].data[...] = 10
    net.blobs["z"].data[...] = 1
    assert list(net.forward(start="sum", end="sum")) == ["y"]
    np.testing.assert_array_equal(net.blobs["y"].data, 11)
    assert list(net.forward(end="ip")) == ["ip"]
    np.testing.assert_array_equal(net.blobs["y"].data, 11)
    net.blobs["y"].diff[...] = 7
    assert list(net.backward(end="sum")) == ["ip", "z"]
    np.testing.assert_array_equal(net.blobs["ip"].diff, 7)
    np.testing.assert_array_equal(net.params["ip"][1].diff, 0)
    assert list(net.backward(diffs=["y"], start="ip")) == ["x", "z", "y"]
    np.testing.assert_array_equal(net.params["ip"][1].diff, 28)


def test_gradients_add_up_until_they_are_cleared(mode):
    net = affine_net()
    inputs = affine_inputs()
    net.forward(**inputs)
    dy = np.arange(8, dtype=np.float32).reshape(4, 2)
    for times in (1, 2):
        diffs = net.backward(y=dy)
        assert list(diffs) == ["x", "z"]
        np.testing.assert_allclose(net.params["ip"][0].diff, times * dy.T @ inputs["x"], rtol=1e-4)
        np.testing.assert_allclose(diffs["x"], dy @ net.params["ip"][0].data, rtol=1e-5, atol=1e-6)
    net.clear_param_diffs()
    assert not any(blob.diff.any() for blob in net.params["ip"])


def test_a_whole_pass_against_numpy():
    net = simple_net()
    net.params["ip"][0].data[...] *= 0.01  # or the probabilities vanish
    assert net.forward().keys() == {"loss"}
    scores, labels = net.blobs["ip"].data.astype(float), net.blobs["label"].data.astype(int)
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(5), labels]).mean()
    assert net.blobs["loss"].data == pytest.approx(loss, rel=1e-4)
    net.backward()
    onehot = np.eye(CLASSES)[labels]
    np.testing.assert_allclose(net.blobs["ip"].diff, (p - onehot) / 5, atol=1e-6)
    by_bias = ((p - onehot) / 5).sum(axis=0)
    np.testing.assert_allclose(net.params["ip"][1].diff, by_bias, atol=1e-6)


def test_the_diff_of_a_loss_is_its_weight(mode):
    net = simple_net()
    last = len(net.layers) - 1
    loss = net._forward(1, last)
    assert loss == pytest.approx(float(net.blobs["loss"].data), rel=1e-6)
    net.backward()
    gradient = net.params["ip"][0].diff.copy()
    net.blobs["loss"].diff[...] = 0.5
    assert net._forward(1, last) == pytest.approx(loss / 2, rel=1e-6)
    net.clear_param_diffs()
    net.backward()
    np.testing.assert_allclose(net.params["ip"][0].diff, gradient / 2, rtol=1e-4, atol=1e-7)
    net.blobs["data"].reshape(3, 2, 3, 4)
    net.blobs["label"].reshape(3)
    net.reshape()
    assert net.blobs["loss"].diff == 0.5


def test_data_layers_advance_when_they_run():
    net = simple_net()
    batches = []
    for _ in range(2):
        net.forward()
        batches.append(net.blobs["data"].data.copy())
        net.forward(start="conv")
        np.testing.assert_array_equal(net.blobs["data"].data, batches[-1])
    assert (batches[0] != batches[1]).any()


def test_a_pass_that_is_continued_has_the_masks_of_the_pass():
    source = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 8 dim: 9 } } }'
    drop = 'layer { name: "drop" type: "Dropout" bottom: "x" top: "y" }'
    net = caffe.Net(write("drop.prototxt", source + drop), caffe.TRAIN)
    net.blobs["x"].data[...] = 1
    net.forward(end="in")
    first = net.forward(start="drop")["y"].copy()
    np.testing.assert_array_equal(net.forward(start="drop")["y"], first)
    assert (net.forward()["y"] != first).any()


def test_a_part_takes_the_batches_of_the_data_layers_in_it():
    random = """layer { name: "%s" type: "DummyData" top: "%s"
      dummy_data_param { shape { dim: 3 } data_filler { type: "gaussian" } } }"""
    total = 'layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "y" }'
    net = caffe.Net(write("two.prototxt", random % ("a", "a") + random % ("b", "b") + total), caffe.TRAIN)
    net.forward()
    a, b = (net.blobs[name].data.copy() for name in "ab")
    net.forward(start="b")
    np.testing.assert_array_equal(net.blobs["a"].data, a)
    assert (net.blobs["b"].data != b).any()
    b = net.blobs["b"].data.copy()
    net.forward(end="a")
    assert (net.blobs["a"].data != a).any()
    np.testing.assert_array_equal(net.blobs["b"].data, b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda net: net.forward(x=np.zeros((4, 3))),
            r"Input blob arguments do not match net inputs\. Got x; hint: inputs: x, z",
        ),
        (lambda net: net.forward(w=1), "do not match net inputs"),
        (
            lambda net: net.forward(x=np.zeros((3, 3)), z=np.zeros((4, 2))),
            r"Input is not batch sized: 'x'.*reshape\(3",
        ),
        (lambda net: net.forward(x=0, z=0), "Input is not batch sized"),
        (
            lambda net: net.forward(x=np.zeros((4, 3)), z=np.zeros((4, 4, 2))),
            r"an array of shape \(4, 4, 2\) cannot fill input 'z', \(4, 2\)",
        ),
        (lambda net: net.backward(x=np.zeros((4, 3))), "Top diff arguments do not match net outputs"),
        (lambda net: net.backward(y=np.zeros((5, 2))), "Output is not batch sized"),
        (lambda net: net.forward(start="pi"), "the net has no layer 'pi'; hint: known: in, ip, sum"),
        (lambda net: net._forward(0, 3), "the net has layers 0 to 2; got 0 to 3"),
        (lambda net: net._backward(1, -1), "the net has layers 0 to 2"),
        (lambda net: net.forward_all(), "arrays are needed"),
        (lambda net: net.forward_all(x=np.zeros((4, 3)), z=np.zeros((5, 2))), "arrays of one length"),
        (
            lambda net: net.forward_backward_all(x=np.zeros((4, 3)), q=np.zeros((4, 3))),
            "neither inputs nor outputs",
        ),
        (lambda net: net.before_forward(3), "before_forward takes a function"),
    ],
)
def test_arguments_that_do_not_fit(call, message):
    net = affine_net()
    net.blobs["x"].data[...] = 9
    with pytest.raises((ConfigError, ShapeError), match=message):
        call(net)
    assert (net.blobs["x"].data == 9).all()  # nothing was written


@given(rows=st.integers(1, 11))
def test_forward_all_takes_any_number_of_rows(rows):
    net, inputs = affine_net(), affine_inputs(rows)
    out = net.forward_all(blobs=["ip"], **inputs)
    assert set(out) == {"y", "ip"}
    np.testing.assert_allclose(out["y"], expected(net, **inputs), rtol=1e-4, atol=1e-6)
    before = out["y"].copy()
    net.forward()
    np.testing.assert_array_equal(out["y"], before)  # a copy
    dy = np.random.default_rng(rows).standard_normal((rows, 2))
    blobs, diffs = net.forward_backward_all(diffs=["ip"], y=dy, **inputs)
    np.testing.assert_array_equal(blobs["y"], out["y"])
    np.testing.assert_allclose(diffs["x"], dy @ net.params["ip"][0].data, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(diffs["ip"], dy.astype(np.float32))


def test_forward_all_has_an_entry_per_batch_of_what_has_no_rows():
    source = 'layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 1 } } }'
    loss = 'layer { name: "loss" type: "EuclideanLoss" bottom: "x" bottom: "t" top: "loss" }'
    net = caffe.Net(write("loss.prototxt", source + loss), caffe.TEST)
    x = np.array([[1.0], [2], [3]])
    np.testing.assert_array_equal(net.forward_all(x=x, t=0 * x)["loss"], [5 / 4, 9 / 4])


# -- shapes


def test_inputs_of_other_shapes(mode):
    net = affine_net()
    x = net.blobs["x"]
    x.reshape(2, 3)
    x.data[...] = 1  # before the layers behind have followed
    net.blobs["z"].reshape(2, 2)
    held = net.blobs["z"].data
    held[...] = 2
    net.params["ip"][0].data[...] = 1
    out = net.forward()
    np.testing.assert_array_equal(out["y"], [[5, 5]] * 2)
    held[...] = 3
    net.forward()
    np.testing.assert_array_equal(net.blobs["y"].data, [[6, 6]] * 2)
    net.blobs["x"].reshape(6, 3)
    net.blobs["z"].reshape(6, 2)
    net.reshape()
    assert net.blobs["y"].data.shape == (6, 2)
    np.testing.assert_array_equal(net.params["ip"][0].data, 1)
    assert net.forward(x=np.zeros((6, 3)), z=np.ones((6, 2)))["y"].sum() == 12


# -- weights


@pytest.mark.parametrize("form", ["", "_hdf5"])
def test_weights_there_and_back(form, mode):
    net = simple_net()
    net.params["ip"][1].data[...] = np.arange(CLASSES)
    getattr(net, f"save{form}")("w")
    other = simple_net()
    held = other.params["ip"][1].data
    (other.load_hdf5 if form else other.copy_from)("w")
    np.testing.assert_array_equal(held, np.arange(CLASSES))
    other = simple_net()
    other.copy_from("w")  # either form
    np.testing.assert_array_equal(other.params["conv"][0].data, net.params["conv"][0].data)
    np.testing.assert_array_equal(other.forward(start="conv")["loss"].shape, ())


def test_sharing_is_one_memory(mode):
    one, other = affine_net(), affine_net()
    taken = other.params["ip"][0].data
    other.share_with(one)
    inputs = affine_inputs()
    np.testing.assert_array_equal(one.forward(**inputs)["y"], other.forward(**inputs)["y"])
    one.params["ip"][0].data[...] = 3
    np.testing.assert_array_equal(one.forward()["y"], other.forward()["y"])
    np.testing.assert_array_equal(other.params["ip"][0].data, 3)
    other.params["ip"][0].diff[...] = 1
    assert not one.params["ip"][0].diff.any()
    del one
    other.forward()
    assert taken.shape == (2, 3)


def test_nets_on_two_devices_share_nothing(monkeypatch):
    from ..support.emulator import cupy

    one = affine_net()
    cupy.install(monkeypatch)
    caffe.set_mode_gpu()
    with pytest.raises(ConfigError, match="different devices cannot share"):
        affine_net().share_with(one)


def test_files_that_do_not_fit_leave_the_net_alone():
    net = simple_net()
    before = net.params["ip"][0].data.copy()
    caffe.Net(simple("other.prototxt", classes=4), caffe.TEST).save("other.caffemodel")
    with pytest.raises(ShapeError, match=r"other\.caffemodel: layer 'ip'"):
        net.copy_from("other.caffemodel")
    with pytest.raises(WeightsError, match="not an HDF5 file; hint: copy_from"):
        net.load_hdf5("other.caffemodel")
    np.testing.assert_array_equal(net.params["ip"][0].data, before)


@pytest.mark.parametrize("method", ["save", "save_hdf5"])
def test_nothing_is_left_of_a_file_that_cannot_be_written(method):
    Path("folder").mkdir()
    with pytest.raises(WeightsError, match="cannot write folder"):
        getattr(simple_net(), method)("folder")
    with pytest.raises(WeightsError, match="cannot write no/w"):
        getattr(simple_net(), method)("no/w")
    assert not list(Path("folder").iterdir()) and not list(Path().glob(".*"))


# -- MemoryData

MEMORY = """
layer { name: "data" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 } }
layer { name: "out" type: "Power" bottom: "data" top: "out" power_param { scale: 2 } }
layer { name: "silence" type: "Silence" bottom: "label" }
"""


@pytest.mark.parametrize("axes", [1, 4])
def test_input_arrays_are_read_where_they_lie(axes):
    net = caffe.Net(write("memory.prototxt", MEMORY), caffe.TEST)
    data = np.arange(24, dtype=np.float32).reshape(4, 1, 2, 3)
    labels = np.arange(4, dtype=np.float32).reshape(4, *[1] * (axes - 1))
    net.set_input_arrays(data, labels)
    for batch in (0, 1, 0):
        rows = slice(2 * batch, 2 * batch + 2)
        np.testing.assert_array_equal(net.forward()["out"], 2 * data[rows])
        np.testing.assert_array_equal(net.blobs["label"].data.ravel(), labels[rows].ravel())
        data += 1


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        (np.zeros((4, 1, 2, 3)), np.zeros(4, np.float32), "data array must be float32; it is float64"),
        (np.zeros((4, 2, 3), np.float32), np.zeros(4, np.float32), "data array must be 4-d"),
        (
            np.zeros((4, 1, 3, 2), np.float32),
            np.zeros(4, np.float32),
            r"data array must have \(1, 2, 3\) behind",
        ),
        (np.zeros((8, 1, 2, 3), np.float32)[::2], np.zeros(4, np.float32), "data array must be C contiguous"),
        (np.zeros((4, 1, 2, 3), np.float32), np.zeros((4, 2), np.float32), "labels array must be 4-d"),
        (np.zeros((4, 1, 2, 3), np.float32), np.zeros(4, int), "labels array must be float32"),
        (np.zeros((4, 1, 2, 3), np.float32), np.zeros(2, np.float32), "same first dimension; got 4 and 2"),
        (np.zeros((3, 1, 2, 3), np.float32), np.zeros(3, np.float32), "multiple of batch size, 2; got 3"),
    ],
)
def test_input_arrays_that_do_not_fit(data, labels, message):
    net = caffe.Net(write("memory.prototxt", MEMORY), caffe.TEST)
    with pytest.raises(RuntimeError, match=message):
        net.set_input_arrays(data, labels)


def test_input_arrays_are_for_memory_data():
    with pytest.raises(RuntimeError, match="only be called if the first layer is a MemoryData"):
        affine_net().set_input_arrays(np.zeros(1), np.zeros(1))


# -- hooks


def test_hooks_see_every_layer(mode):
    net = affine_net()
    called: list = []
    for event in ("before_forward", "after_forward", "before_backward", "after_backward"):
        getattr(net, event)(lambda layer, event=event: called.append((event, layer)))
    net.forward()
    assert called == [(f"{when}_forward", i) for i in range(3) for when in ("before", "after")]
    called.clear()
    net.backward(start="ip", end="ip")
    assert called == [("before_backward", 1), ("after_backward", 1)]


def test_hooks_read_and_write(mode):
    net = affine_net()
    seen = []

    def halve(layer: int) -> None:
        if net._layer_names[layer] == "ip":
            seen.append(net.blobs["ip"].data.copy())
            net.blobs["ip"].data[...] /= 2

    net.after_forward(halve)
    inputs = affine_inputs()
    inputs["z"][...] = 0
    for _ in range(3):
        out = net.forward(**inputs)
        np.testing.assert_allclose(seen[-1], expected(net, **inputs), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(out["y"], seen[-1] / 2, rtol=1e-5, atol=1e-6)


def test_a_view_is_one_object():
    net = simple_net()
    assert net.blobs["data"] is net.blobs["data"] and isinstance(net.blobs["data"], BlobView)
    assert net.blobs["data"].data is not None


# -- memory


@pytest.mark.parametrize("build", [simple_net, lambda: caffe.SGDSolver(solver())], ids=["net", "solver"])
def test_memory_goes_with_the_last_reference(build, mode):
    """As in Caffe, and not when Python's collector of cycles comes by: scripts build nets in loops."""
    gc.collect()
    gc.disable()
    try:
        made = build()
        net = made.net if hasattr(made, "net") else made
        blob = net.blobs["conv"]
        for _ in range(3):  # as it stands, captured, replayed
            made.step(1) if hasattr(made, "step") else net.forward()
        memory = weakref.ref(net._net)
        assert memory() is not None
        del made, net
        assert memory() is None
        blob.reshape(2, 3)  # a blob that is still there has no net to tell
        assert blob.shape == (2, 3)
    finally:
        gc.enable()


def test_parameters_keep_their_shapes(mode):
    net = simple_net()
    blob = net.params["ip"][1]
    blob.reshape(CLASSES)
    with pytest.raises(
        ShapeError, match=r"parameter 'ip\.1' has the shape \(13,\), which .* become \(1, 13\)"
    ):
        blob.reshape(1, CLASSES)
    assert blob.data.shape == (CLASSES,) and (blob.data == -3).all()


def test_stages_are_a_list():
    with pytest.raises(ConfigError, match=r"stages must be a list of names; got 'deploy'; .*\['deploy'\]"):
        caffe.Net(simple(), caffe.TEST, stages="deploy")


@pytest.mark.parametrize("touch", [False, True], ids=["untouched", "looked at"])
def test_a_blob_that_does_not_grow_keeps_what_it_holds(touch, mode):
    """As in Caffe: written, and then given a smaller or an equal shape, or its old one back."""
    net = affine_net()
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    net.blobs["x"].data[...] = values
    net.blobs["z"].data[...] = 0
    for count in (2, 4):
        net.blobs["x"].reshape(count, 3)
        net.blobs["z"].reshape(count, 2)
        if touch and count == 2:
            np.testing.assert_array_equal(net.blobs["x"].data, values[:count])
        net.forward()
        np.testing.assert_array_equal(net.blobs["x"].data, values[:count])
    net.blobs["x"].reshape(8, 3)
    net.blobs["z"].reshape(8, 2)
    net.forward()
    assert not net.blobs["x"].data.any()


@pytest.mark.parametrize("name", ["a\0b", "pipe", "/"])
def test_names_of_what_is_no_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")  # nobody writes to it
    with pytest.raises(RuntimeError, match="Could not open file"):
        caffe.Net(name, caffe.TEST)
