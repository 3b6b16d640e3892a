"""Weights of NVIDIA Caffe: built field by field as it writes them, read as Caffe means them."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicaffe import Net
from minicaffe.errors import MiniCaffeError, WeightsError
from minicaffe.proto import binary, nvcaffe, text, upgrade
from minicaffe.proto.schema import BlobProto, LayerParameter, NetParameter

TYPES = {np.float64: 0, np.float32: 1, np.float16: 2}


def varint(value: int) -> bytes:
    low = [value >> 7 * i & 127 for i in range(max(1, -(-value.bit_length() // 7)))]
    return bytes([*(part | 128 for part in low[:-1]), low[-1]])


def field(number: int, value: int | bytes) -> bytes:
    """One field on the wire: a varint, or something with a length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def raw_blob(array: np.ndarray, diff: np.ndarray | None = None) -> bytes:
    """A BlobProto as NVIDIA Caffe writes it by default."""
    shape = field(7, b"".join(field(1, axis) for axis in array.shape))
    wire = shape + field(10, TYPES[array.dtype.type]) + field(12, array.tobytes())
    if diff is not None:
        wire += field(11, TYPES[diff.dtype.type]) + field(13, diff.tobytes())
    return wire


def layer(name: str, kind: str, blobs, more: bytes = b"", **fields) -> bytes:
    """A LayerParameter: what Caffe's schema has, then the blobs, then NVIDIA's types."""
    wire = LayerParameter(name=name, type=kind, **fields).SerializeToString()
    wire += b"".join(field(7, blob) for blob in blobs)
    return wire + field(145, 2) + field(146, 2) + field(147, 1) + field(148, 1) + more


def net(*layers: bytes) -> bytes:
    return field(1, b"n") + field(11, 2) + b"".join(field(100, each) for each in layers)


def read(tmp_path, wire: bytes) -> NetParameter:
    (tmp_path / "nv.caffemodel").write_bytes(wire)
    return upgrade.read_weights(tmp_path / "nv.caffemodel")


arrays = st.sampled_from(list(TYPES)).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, max_side=4, min_side=0))
)


@given(arrays)
def test_raw_arrays(array):
    blob = BlobProto.FromString(raw_blob(array, array[...] * 0))
    got = binary.to_array(blob)
    assert got.dtype == (np.float64 if array.dtype == np.float64 else np.float32)
    np.testing.assert_array_equal(got, array.astype(got.dtype))
    assert binary.is_raw(blob) and binary.has_diff(blob)
    assert binary.to_array(blob, diff=True).shape == array.shape


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (field(10, 3) + field(12, b"abcd"), r"raw data of type 3; expected DOUBLE \(0\), FLOAT \(1\)"),
        (field(12, b"abcd"), "raw data without a type"),
        (field(10, 1) + field(12, b"abcde"), "5 bytes of raw data are no array of 4-byte numbers"),
        (field(10, 1) + field(12, b"abcd" * 2), r"shape \(1,\) holds 2 values; expected 1"),
    ],
)
def test_raw_data_that_is_none(wire, message, tmp_path):
    blob = field(7, field(1, 1)) + wire
    with pytest.raises(WeightsError, match=message):
        binary.to_array(BlobProto.FromString(blob))
    with pytest.raises(
        WeightsError, match=rf"nv.caffemodel: layer 'a' \(InnerProduct\): blob 0: .*{message}"
    ):
        read(tmp_path, net(layer("a", "InnerProduct", [blob])))


def test_weights_of_caffe_are_left_alone(tmp_path):
    """Numbers 145 to 148 as messages, a correction of 0, a small eps: Caffe's business."""
    stored = text.parse(
        """layer { name: "a" type: "Parameter" top: "a" parameter_param { shape { dim: 2 } } }
           layer { name: "b" type: "RNN" recurrent_param { num_output: 3 } swish_param { beta: 2 } }
           layer { name: "c" type: "BatchNorm" batch_norm_param { eps: 1e-9 } clip_param { min: 0 max: 1 }
             blobs { shape { dim: 1 } data: 2 } blobs { shape { dim: 1 } data: 3 }
             blobs { shape { dim: 1 } data: 0 } }""",
        NetParameter,
    )
    assert not nvcaffe.is_nvidias(stored)
    assert read(tmp_path, stored.SerializeToString()) == stored


def test_what_a_file_of_nvidias_becomes(tmp_path, caplog):
    caplog.set_level(logging.INFO, "minicaffe")
    five = [np.full(2, i, np.float16) for i in (1, 4)] + [np.zeros(1, np.float32)]
    five += [np.full((1, 2, 1, 1), i, np.float32) for i in (5, 6)]
    recurrent = LayerParameter(recurrent_param={"num_output": 3}).recurrent_param.SerializeToString()
    wire = net(
        layer("a", "InnerProduct", [raw_blob(np.ones((2, 3), np.float16), np.ones((2, 3), np.float32))]),
        layer(
            "bn", "BatchNorm", map(raw_blob, five), bottom=["a"], top=["y"], batch_norm_param={"eps": 1e-9}
        ),
        layer("r", "LSTM", [], field(151, recurrent)),
        layer("p", "Permute", [], field(202, b"")),
    )
    got = read(tmp_path, wire)
    assert [(entry.name, entry.type, len(entry.blobs)) for entry in got.layer] == [
        ("a", "InnerProduct", 1),
        ("bn", "BatchNorm", 3),
        ("bn/scale", "Scale", 2),
        ("r", "LSTM", 0),
        ("p", "Permute", 0),
    ]
    assert list(got.layer[0].blobs[0].data) == [1] * 6 == list(got.layer[0].blobs[0].diff)
    norm, scale = got.layer[1], got.layer[2]
    assert [list(blob.data) for blob in norm.blobs] == [[1, 1], [4, 4], [1]]
    assert [list(blob.data) for blob in scale.blobs] == [[5, 5], [6, 6]]
    assert [list(blob.shape.dim) for blob in scale.blobs] == [[2], [2]]
    assert norm.batch_norm_param.eps == np.float32(1e-5)
    assert scale.bottom == scale.top == ["y"] and scale.scale_param.bias_term
    assert got.layer[3].recurrent_param.num_output == 3
    assert not got.layer[0].HasField("parameter_param")
    again = NetParameter.FromString(got.SerializeToString())
    assert again == got and not binary.unknown_fields(again.layer[0])
    assert got.layer[4].HasField("permute_param")  # SSD's, too
    told = [line.split("nv.caffemodel: ")[1] for line in caplog.messages]
    assert told == [
        "its fields are numbered as those of the fork nvcaffe",
        "layer 'bn': eps 1e-09 is 1e-05 now, as NVIDIA Caffe counts it",
        "layer 'bn': the correction of its statistics is 1 now; it was 0",
        "layer 'bn': scale and bias are layer 'bn/scale' now",
        "fields of NVIDIA Caffe alone are left out: "
        "backward_math, backward_type, default_forward_type, forward_math, forward_type",
    ]


def test_a_damaged_recurrent_param(tmp_path):
    with pytest.raises(WeightsError, match=r"layer 'r' \(RNN\): its recurrent_param is damaged"):
        read(tmp_path, net(layer("r", "RNN", [], field(151, b"\x0f"))))


NET = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [4, 2] } } }
    layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" }
    layer { name: "sc" type: "Scale" bottom: "y" top: "y" scale_param { bias_term: true } }
    layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
    layer { name: "far" type: "Scale" bottom: "y" top: "z" scale_param { bias_term: true } }"""


def test_a_net_loads_them(tmp_path):
    """Blobs 3 and 4 of a BatchNorm go to the Scale that it feeds, whatever its name."""
    five = [np.array(v, np.float32) for v in ([1, 2], [4, 9], [0], [3, 5], [6, 7])]
    (tmp_path / "x").write_bytes(net(layer("bn", "BatchNorm", map(raw_blob, five))))
    target = Net(text.parse(NET, NetParameter), phase="TEST", seed=1)
    target.load(tmp_path / "x")
    assert target.params["bn"][2].data == [1]
    assert target.params["far"][0].data.tolist() == [1, 1]
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    target.forward(x=x)
    wanted = (x - [1, 2]) / np.sqrt(np.array([4, 9]) + 1e-5) * [3, 5] + [6, 7]
    np.testing.assert_allclose(target.blobs["z"].data, np.maximum(wanted, 0), rtol=1e-5)


@given(data=st.data())
def test_damaged_files_load_all_or_nothing(data, tmp_path_factory):
    whole = net(
        layer("bn", "BatchNorm", [raw_blob(np.ones(n, np.float16)) for n in (2, 2, 1, 2, 2)]),
        layer("far", "Scale", [raw_blob(np.ones(2, np.float32))] * 2),
    )
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))] or b"\0")
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("damaged") / "x.caffemodel"
    path.write_bytes(damaged)
    target = Net(text.parse(NET, NetParameter), phase="TEST", seed=1)
    before = target.parameters.data.copy()
    try:
        target.load(path)
    except MiniCaffeError as error:
        assert str(path) in str(error)
        np.testing.assert_array_equal(target.parameters.data, before)
