"""Weights into nets: by name, from every kind of file, all or nothing."""

from __future__ import annotations

import logging
import random

import h5py
import numpy as np
import pytest

from minicaffe import Net
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ConfigError, MiniCaffeError, ShapeError, WeightsError
from minicaffe.proto import binary, hdf5, text
from minicaffe.proto.schema import NetParameter

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 3] } } }'


def dense(name: str, rest: str = "", top: str = "", outputs: int = 2) -> str:
    """An InnerProduct on x: weights (outputs, 3) and a bias."""
    return f"""layer {{ name: "{name}" type: "InnerProduct" bottom: "x" top: "{top or name}" {rest}
        inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }} }}"""


def net(*layers: str, **options) -> Net:
    return Net(text.parse(INPUT + "".join(layers), NetParameter), seed=1, **options)


def save(path, source: Net, form: str):
    """The net's weights as a file, by the form of its contents."""
    message = source.to_message()
    path.write_bytes(hdf5.from_weights(message) if form == "hdf5" else message.SerializeToString())
    return path


def spread(target: Net) -> Net:
    """The net with another value in every parameter."""
    for i, owned in enumerate(target.parameters.owned):
        owned.blob.data[...] = np.arange(owned.blob.count).reshape(owned.blob.shape) + 100 * i
    return target


each_form = pytest.mark.parametrize("form", ["binary", "hdf5"])


@each_form
def test_names_with_slashes(form, tmp_path):
    names = ("inception_3a/1x1", "inception_3a", "inception_3a/pool/proj")
    source = spread(net(*map(dense, names)))
    target = net(*map(dense, names))
    target.load(save(tmp_path / "x.caffemodel", source, form))
    assert (target.parameters.data == source.parameters.data).all()


def test_of_equal_names_a_binary_file_fills_the_first_and_hdf5_the_last(tmp_path):
    source = spread(net(dense("a")))
    for form, filled in (("binary", 0), ("hdf5", 1)):
        target = net(dense("a", top="y"), dense("a", top="z"))
        before = [layer.params[0].data.copy() for layer in target.layers[-2:]]
        target.load(save(tmp_path / form, source, form))
        for i, layer in enumerate(target.layers[-2:]):
            wanted = source.params["a"][0].data if i == filled else before[i]
            assert (layer.params[0].data == wanted).all()


@each_form
def test_what_only_one_side_has(form, tmp_path, caplog):
    caplog.set_level(logging.INFO, "minicaffe")
    source, target = spread(net(dense("a"), dense("b/c"))), net(dense("a"), dense("d"))
    before = target.params["d"][0].data.copy()
    target.load(save(tmp_path / "x", source, form))
    assert (target.params["a"][0].data == source.params["a"][0].data).all()
    assert (target.params["d"][0].data == before).all()
    assert "Ignoring source layer b/c" in caplog.messages
    assert f"Layer d is not in {tmp_path / 'x'}: it stays as it was" in caplog.messages


@each_form
def test_weights_of_another_net(form, tmp_path, caplog):
    """Caffe leaves the net as it is, in silence; what is scored then are the fillers' values."""
    caplog.set_level(logging.WARNING, "minicaffe")
    path = save(tmp_path / "x", net(dense("a")), form)
    target = net(dense("b"), dense("c"))
    target.load(path)
    assert caplog.messages == [
        f"{path}: no layer of the net takes weights from it: none has the name of 'b', 'c'; all keep their"
        " values"
    ]
    with pytest.raises(WeightsError, match=r"no layer of the net takes weights.* of another net"):
        target.load(path, must_match=True)
    caplog.clear()
    net(dense("a"), dense("b"), dense("c")).load(path, must_match=True)
    assert "only 1 of the net's 3 layers with weights take any from it" in caplog.messages[0]
    caplog.clear()
    net(dense("a"), dense("b")).load(path)
    net().load(path)
    share = 'param { name: "w" } param { name: "c" }'  # what b and d share they take from a
    net(dense("b", share), dense("a", share), dense("d", share)).load(path)
    assert not caplog.messages


@each_form
def test_a_bias_too_many_or_too_few(form, tmp_path):
    bare = dense("a").replace("num_output", "bias_term: false num_output")
    for stored, wanted, hint in (
        (dense("a"), bare, "bias_term: true"),
        (bare, dense("a"), "bias_term: false"),
    ):
        with pytest.raises(ShapeError, match=f"stored for .* parameters; hint: .*{hint}"):
            net(wanted).load(save(tmp_path / "x", net(stored), form))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer.*; hint: run git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"PK\3\4", "a zip archive"),
        (b'name: "x" layer { }', "not a whole binary NetParameter; hint: it is text"),
        (b"\xff" * 100, "not a whole binary NetParameter; hint: the file is damaged"),
    ],
)
def test_files_that_are_no_weights(data, message, tmp_path):
    (tmp_path / "x.caffemodel").write_bytes(data)
    with pytest.raises(MiniCaffeError, match=rf"x\.caffemodel.*{message}"):
        net(dense("a")).load(tmp_path / "x.caffemodel")


@pytest.mark.parametrize("name", ["x.npz", "x.safetensors", "x.h5"])
def test_a_pointer_in_the_place_of_weights(name, tmp_path):
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(MiniCaffeError, match=rf"{name}: a Git LFS pointer"):
        net(dense("a")).load(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"\x0a\x01a"])
def test_a_file_without_layers_is_no_weights(data, tmp_path):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(WeightsError, match="x: holds no layers; hint: the file is empty"):
        net(dense("a")).load(tmp_path / "x")


@each_form
def test_shared_parameters(form, tmp_path):
    layers = dense("a", 'param { name: "w" }'), dense("b", 'param { name: "w" } param { name: "own" }')
    source, target = spread(net(*layers)), net(*layers)
    target.load(save(tmp_path / "x", source, form))
    assert (target.parameters.data == source.parameters.data).all()
    if form == "hdf5":  # where b's weights lie with a alone
        with pytest.raises(
            ShapeError, match=r"x: layer 'b' \(InnerProduct\): blobs \[1\] are stored for 2 par"
        ):
            net(dense("a"), dense("b")).load(tmp_path / "x")


@each_form
@pytest.mark.parametrize("stored, net_type", [("float64", "float32"), ("float32", "float64")])
def test_precision_follows_the_net(form, stored, net_type, tmp_path):
    source = net(dense("a"), device=CpuDevice(stored))
    target = net(dense("a"), device=CpuDevice(net_type))
    source.parameters.data[:] = 1 / 3
    target.load(save(tmp_path / "x", source, form))
    weights = target.params["a"][0].data
    assert weights.dtype == net_type and (weights == np.asarray(1 / 3, stored).astype(net_type)).all()


def legacy(array: np.ndarray, double: bool = False):
    """A blob of the days when all blobs had four axes."""
    blob = binary.from_array(array.astype(np.float64 if double else np.float32))
    blob.num, blob.channels, blob.height, blob.width = (1,) * (4 - array.ndim) + array.shape
    return blob


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("both", [False, True])
def test_legacy_blobs(double, both, tmp_path):
    stored = NetParameter()
    arrays = np.arange(6.0).reshape(2, 3), np.array([7.0, 8.0])
    layer = stored.layer.add(name="a", blobs=[legacy(array, double) for array in arrays])
    if not both:  # of a blob that states both shapes the four numbers count
        for blob in layer.blobs:
            blob.ClearField("shape")
    (tmp_path / "x").write_bytes(stored.SerializeToString())
    target = net(dense("a"))
    target.load(tmp_path / "x")
    for blob, array in zip(target.params["a"], arrays):
        np.testing.assert_array_equal(blob.data, array)


def test_hdf5_knows_no_legacy_shapes(tmp_path):
    with h5py.File(tmp_path / "x", "w") as file:
        file["data/a/0"], file["data/a/1"] = np.ones((1, 1, 2, 3)), np.ones((1, 1, 1, 2))
    with pytest.raises(
        ShapeError, match=r"parameter 0: stored with shape \(1, 1, 2, 3\); the net has \(2, 3\)"
    ):
        net(dense("a")).load(tmp_path / "x")


BN = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "bn" type: "BN" bottom: "x" top: "y" bn_param { FIELD } }"""


@pytest.mark.parametrize("shape", [(3,), (1, 3), (1, 3, 1, 1), "legacy"])
@pytest.mark.parametrize("suffix", ["caffemodel", "h5"])
def test_a_number_for_every_channel_has_many_shapes(shape, suffix, tmp_path):
    """BN's parameters are (1, C, 1, 1) in one fork, (1, C) in another, (C) in a third."""
    source = Net(text.parse(BN.replace("FIELD", "momentum: 0.9"), NetParameter), phase="TEST")
    stored = source.to_message()
    for i, blob in enumerate(stored.layer[1].blobs):
        blob.ClearField("shape")
        if shape == "legacy":
            blob.num, blob.channels, blob.height, blob.width = 1, 3, 1, 1
        else:
            blob.shape.dim.extend(shape)
        blob.data[:] = [i, i + 0.5, -i]
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(hdf5.from_weights(stored) if suffix == "h5" else stored.SerializeToString())
    source.load(path)
    got = np.array([blob.data.ravel() for blob in source.params["bn"]])
    np.testing.assert_array_equal(got, [[i, i + 0.5, -i] for i in range(4)])


def test_the_other_kind_of_bn_is_told(tmp_path):
    kinds = [
        Net(text.parse(BN.replace("FIELD", field), NetParameter), phase="TEST")
        for field in ("momentum: 0.9", "bn_mode: LEARN")
    ]
    kinds[0].save(tmp_path / "four.caffemodel")
    kinds[1].save(tmp_path / "two.caffemodel")
    with pytest.raises(ShapeError, match=r"4 blobs .* for 2 parameters; hint: the file has PSPNet's BN"):
        kinds[1].load(tmp_path / "four.caffemodel")
    with pytest.raises(ShapeError, match=r"2 blobs .* for 4 parameters; hint: the file has SegNet's BN"):
        kinds[0].load(tmp_path / "two.caffemodel")


def test_weights_inside_a_prototxt():
    values = " ".join(f"data: {i}" for i in range(6))
    blobs = f"""blobs {{ shape {{ dim: 2 dim: 3 }} {values} }}
        blobs {{ num: 1 channels: 1 height: 1 width: 2 double_data: [0.1, 2] }}"""
    weights, bias = net(dense("a", blobs), device=CpuDevice("float64")).params["a"]
    assert weights.data.ravel().tolist() == list(range(6)) and bias.data.tolist() == [0.1, 2]


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        ("blobs { shape { dim: 6 } }", "1 blobs are stored for 2 parameters"),
        ("blobs { shape { dim: 6 } } " * 2, r"parameter 0: stored with shape \(6,\); the net has \(2, 3\)"),
        ("blobs { shape { dim: [2, 3] } } " * 2, r"a blob of shape \(2, 3\) holds 0 values; expected 6"),
    ],
)
def test_weights_inside_a_prototxt_that_do_not_fit(blobs, message):
    with pytest.raises(MiniCaffeError, match=f"layer 'a' .*{message}"):
        net(dense("a", blobs))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        ({"a/0": np.ones((2, 3))}, r"blobs \[0\] are stored for 2 parameters"),
        ({"a/0": np.ones((2, 3)), "a/2": np.ones(2)}, r"blobs \[0, 2\] are stored for 2 parameters"),
        (
            {"a/0": np.ones((2, 3)), "a/1": np.ones(3)},
            r"parameter 1: stored with shape \(3,\); .*\(2,\); hint: .*name",
        ),
        (
            {"a/0": np.ones((2, 3)), "a/1": np.ones(2, "S1")},
            r"parameter 1: values of type \|S1 are no numbers",
        ),
    ],
)
def test_hdf5_that_does_not_fit_changes_nothing(write, message, tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for name, array in write.items():
            file[f"data/{name}"] = array
    target = net(dense("a"))
    before = target.parameters.data.copy()
    with pytest.raises(MiniCaffeError, match=rf"x\.h5: layer 'a' \(InnerProduct\): {message}"):
        target.load(path)
    assert (target.parameters.data == before).all()


# -- damaged files


def unharmed_or_complete(target: Net, path, before: np.ndarray) -> bool:
    """Load the file: with an error that names it nothing has changed.  Whether it loaded."""
    target.parameters.data[:] = before
    try:
        target.load(path)
    except MiniCaffeError as error:
        assert str(path) in str(error)
        np.testing.assert_array_equal(target.parameters.data, before)
        return False
    return True


@pytest.fixture(scope="module")
def lenet():
    """A LeNet with few channels, with its weights."""
    conv = """layer {{ name: "{0}" type: "Convolution" bottom: "{1}" top: "{0}"
        convolution_param {{ num_output: {2} kernel_size: 5 weight_filler {{ type: "xavier" }} }} }}
        layer {{ name: "pool_{0}" type: "Pooling" bottom: "{0}" top: "pool_{0}"
        pooling_param {{ kernel_size: 2 stride: 2 }} }}"""
    dense = """layer {{ name: "{0}" type: "InnerProduct" bottom: "{1}" top: "{0}"
        inner_product_param {{ num_output: {2} weight_filler {{ type: "xavier" }} }} }}"""
    source = (
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 1, 28, 28] } } }'
        + conv.format("conv1", "data", 2)
        + conv.format("conv2", "pool_conv1", 3)
        + dense.format("ip1", "pool_conv2", 5)
        + dense.format("ip2", "ip1", 10)
    )
    return Net(text.parse(source, NetParameter), seed=3)


@each_form
def test_files_cut_short_load_nothing(form, lenet, tmp_path):
    whole = save(tmp_path / "whole", lenet, form).read_bytes()
    before = -np.ones_like(lenet.parameters.data)
    path = tmp_path / "cut"
    step = len(whole) // 120 if form == "hdf5" else len(whole) // 300
    for cut in range(0, len(whole), step):
        path.write_bytes(whole[:cut])
        if unharmed_or_complete(lenet, path, before):  # cut between two layers a message is whole
            assert form == "binary"
            names = [layer.name for layer in binary.read(path, NetParameter).layer]
            for layer in lenet.layers:
                changed = [(p.data != -1).all() for p in layer.params]
                assert all(changed) if layer.name in names else not any(changed)


def flipped(whole: bytes, seed: int) -> bytes:
    """The file with one bit of it flipped, one in three among its first bytes."""
    rng = random.Random(seed)
    damaged = bytearray(whole)
    damaged[rng.randrange(len(whole) if seed % 3 else min(len(whole), 3000))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


@each_form
@pytest.mark.parametrize("seeds", [range(200), pytest.param(range(200, 20000), marks=pytest.mark.slow)])
def test_files_with_a_flipped_bit_load_nothing_or_all(form, seeds, lenet, tmp_path):
    whole = save(tmp_path / "whole", lenet, form).read_bytes()
    before = -np.ones_like(lenet.parameters.data)
    path = tmp_path / "flipped"
    for seed in seeds:
        path.write_bytes(flipped(whole, seed))
        unharmed_or_complete(lenet, path, before)


@pytest.mark.parametrize("suffix", [".caffemodel", ".caffemodel.h5", ".npz", ".safetensors"])
def test_a_net_saves_and_loads_by_the_names_ending(suffix, lenet, tmp_path):
    path = tmp_path / f"weights{suffix}"
    lenet.save(path)
    other = Net(lenet.param, phase="TEST", seed=99)
    assert other.to_message() != lenet.to_message()
    other.load(path)
    assert other.to_message() == lenet.to_message()


def test_what_cannot_be_saved(lenet, tmp_path):
    with pytest.raises(
        ConfigError, match=r"weights.onx: no format of weights; hint: names end in \.caffemodel"
    ):
        lenet.save(tmp_path / "weights.onx")
    with pytest.raises(WeightsError, match=r"cannot write .*: No such file or directory"):
        lenet.save(tmp_path / "no" / "weights.npz")
