"""Every format of weights and solver states: there and back, what is lost, damaged files, others' readers."""

from __future__ import annotations

import json
import random
import shutil
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicaffe.cli.main import main
from minicaffe.convert import formats
from minicaffe.convert.model import through_net
from minicaffe.errors import ConfigError, DataError, MiniCaffeError, ShapeError, WeightsError
from minicaffe.proto import binary, hdf5, named, npz, safetensors_file, text
from minicaffe.proto.schema import BlobProto, LayerParameter, NetParameter, SolverParameter, SolverState
from minicaffe.solvers.solver import Solver

from .files import NET, arrays, same, weights

GOLDEN = Path(__file__).parent.parent / "golden"
WEIGHTS = (".caffemodel", ".caffemodel.h5", ".npz", ".safetensors")
each_format = pytest.mark.parametrize("suffix", WEIGHTS)


def store(path: Path, message) -> Path:
    path.write_bytes(formats.write(message, path))
    return path


@each_format
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back(suffix, dtype, tmp_path):
    before = weights(dtype)
    after = formats.read(store(tmp_path / f"w{suffix}", before))
    same(before, after)
    if suffix != ".caffemodel.h5":  # which has no place for the net
        assert after == before


@given(
    stored=st.lists(
        hnp.arrays(
            st.sampled_from([np.float32, np.float64]),
            hnp.array_shapes(min_dims=0, max_dims=5, max_side=3, min_side=0),
        ),
        min_size=1,
        max_size=4,
    ),
    name=st.text("ab/._ é", min_size=1, max_size=6),
)
def test_any_arrays_and_names(stored, name, tmp_path_factory):
    net = NetParameter()
    net.layer.add(name=name, blobs=map(binary.from_array, stored))
    folder = tmp_path_factory.mktemp("any")
    for module, suffix in ((npz, ".npz"), (safetensors_file, ".safetensors")):
        path = folder / f"w{suffix}"
        path.write_bytes(module.write(net))
        got = module.read(path)
        assert [layer.name for layer in got.layer] == [name]
        for array, blob in zip(stored, got.layer[0].blobs, strict=True):
            assert tuple(blob.shape.dim) == array.shape
            np.testing.assert_array_equal(binary.to_array(blob), array)


@pytest.mark.parametrize(
    "stem", ["solvers/snap_adam_iter_12", "solvers/snap_sgd_hdf5_iter_6", "lenet/lenet_iter_2000"]
)
def test_snapshots_of_caffe(stem, tmp_path):
    """Weights and states that Caffe wrote, through every format and back."""
    ending = ".h5" if "hdf5" in stem else ""
    before = formats.read(GOLDEN / f"{stem}.caffemodel{ending}")
    state = formats.read(GOLDEN / f"{stem}.solverstate{ending}")
    assert isinstance(state, SolverState) and state.history
    for suffix in WEIGHTS:
        before = formats.read(store(tmp_path / f"w{suffix}", before))
    same(before, formats.read(GOLDEN / f"{stem}.caffemodel{ending}"))
    for suffix in (".solverstate", ".solverstate.h5", ".solverstate"):
        again = formats.read(store(tmp_path / f"s{suffix}", state))
        assert again == state


def test_gradients(tmp_path, caplog):
    before = weights(diff=True)
    for suffix in (".caffemodel", ".h5"):
        got = formats.read(store(tmp_path / f"w{suffix}", before))
        blob = next(layer for layer in got.layer if layer.name == "a/b").blobs[0]
        np.testing.assert_array_equal(binary.to_array(blob, diff=True), np.arange(6).reshape(2, 3) * 2)
    same(formats.read(store(tmp_path / "w.npz", before)), weights())
    assert caplog.messages == [
        f"{tmp_path / 'w.npz'}: the gradients of 2 layers are left out: .npz holds weights alone"
    ]


def test_the_net_alone_goes_to_prototxt(tmp_path, caplog):
    path = store(tmp_path / "n.prototxt", weights())
    assert formats.read(path) == text.parse(NET, NetParameter)
    assert caplog.messages == [f"{path}: the weights are left out: it holds the net alone"]


def test_what_npz_and_safetensors_hold(tmp_path):
    with np.load(store(tmp_path / "w.npz", weights())) as file:
        assert sorted(file) == ["a/b/0", "a/b/1", "bn/0", "bn/1", "bn/2", "net"]
        assert file["a/b/0"].tolist() == [[0, 1, 2], [3, 4, 5]]
    data = store(tmp_path / "w.safetensors", weights()).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    assert length % 8 == 0 and header["a/b/0"] == {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    assert np.frombuffer(data[8 + length :][:24], "<f4").tolist() == [0, 1, 2, 3, 4, 5]
    assert text.parse(header["__metadata__"]["net"], NetParameter).name == "n"


def test_the_library_of_the_format_reads_it(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    path = store(tmp_path / "w.safetensors", weights())
    got = numpy.load_file(path)
    for name, array in arrays(weights()).items():
        np.testing.assert_array_equal(got[name], array)
    numpy.save_file({"c/0": np.ones((2, 2), np.float16)}, path)
    assert arrays(formats.read(path))["c/0"].tolist() == [[1, 1], [1, 1]]


def safetensors(header, body=b"") -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + body


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_brain_floats(tmp_path):
    values = np.array([1.5, -2.0], "<f4")
    upper = (values.view("<u4") >> 16).astype("<u2").tobytes()
    (tmp_path / "w.safetensors").write_bytes(safetensors({"a/0": entry("BF16", [2], [0, 4])}, upper))
    assert arrays(formats.read(tmp_path / "w.safetensors"))["a/0"].tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it has no header"),
        (struct.pack("<Q", 1 << 60) + b"{}", "it has no header"),
        (safetensors(b"[]"), "it has no header"),
        (safetensors(b"{" * 5000), "it has no header"),
        (safetensors({"a/0": 1}), "array 'a/0': its header needs a dtype, a shape and two data_offsets"),
        (safetensors({"a/0": entry(shape=[-1])}, b"0000"), "needs a dtype"),
        (safetensors({"a/0": entry(shape=[True])}, b"0000"), "needs a dtype"),
        (
            safetensors({"a/0": entry("I64")}, b"0000"),
            "values of type 'I64' are no weights; expected F16, F32",
        ),
        (safetensors({"a/0": entry(shape=[2])}, b"0000"), r"bytes 0 to 4 of 4 cannot hold the shape \(2,\)"),
        (safetensors({"a/0": entry(offsets=[0, 8])}, b"0000"), "bytes 0 to 8 of 4 cannot hold"),
        (safetensors({"a/0": entry(shape=[1] * 70)}, b"0000"), r"no array has the shape \(1, 1, 1"),
        (safetensors({"a/0": entry()}, b"00000"), "5 bytes of arrays; expected 4"),
        (safetensors({"a/0": entry(), "a/1": entry()}, b"0000"), "an array begins at 0, not 4"),
        (
            safetensors({"weight": entry()}, b"0000"),
            "array 'weight' is no parameter; hint: expected names like",
        ),
        (
            safetensors({"a/1": entry()}, b"0000"),
            r"layer 'a': parameters \[1\] are stored; expected all from 0",
        ),
        (safetensors({"a/0": entry(), "__metadata__": {"net": 1}}, b"0000"), "__metadata__ holds no text"),
        (safetensors({"__metadata__": {"net": "nett: 1"}}), "has no field 'nett'"),
        (safetensors({}), "holds no layers"),
    ],
)
def test_safetensors_that_are_none(data, message, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(MiniCaffeError, match=rf"w\.safetensors.*{message}"):
        formats.read(path)


def test_npz_that_is_none(tmp_path):
    path = tmp_path / "w.npz"
    for array, message in (
        ({"a": np.ones(1)}, "array 'a' is no parameter"),
        ({"a/0": np.array("text")}, "layer 'a': blob 0: values of type <U4 are no numbers"),
        ({"a/0": np.ones(1, complex)}, "are no numbers"),
        ({"a/0": np.array([{}])}, "array 'a/0': Python objects are no numbers"),
        ({"net": np.ones(1)}, "array 'net' should be the net as text"),
    ):
        np.savez(path, **array)
        with pytest.raises(WeightsError, match=rf"w\.npz: {message}|w\.npz: .*{message}"):
            formats.read(path)
    path.write_bytes(b"PK\3\4")
    with pytest.raises(WeightsError, match=r"w\.npz: not a whole \.npz file"):
        formats.read(path)


def test_what_an_archive_unpacks_to_is_known_before(tmp_path, capsys):
    """A thousandth of it may be enough on the disk."""
    path = tmp_path / "w.npz"
    np.savez_compressed(path, **{"a/0": np.zeros(300_000, np.float32)})
    assert path.stat().st_size < 3000
    with pytest.raises(DataError, match=r"w\.npz: 12001\d\d bytes of memory .* 1200000 is the most; hint"):
        formats.read(path, 1_200_000)
    words = ["convert", str(path), str(tmp_path / "w.safetensors")]
    assert main([*words, "--largest_file", "1M"]) == 1 and "1048576 is the most" in capsys.readouterr().err
    assert main([*words, "--largest_file=2M"]) == 0


def damaged(whole: bytes, seed: int) -> bytes:
    """The file with one bit flipped, or cut short."""
    rng = random.Random(seed)
    if seed % 4 == 0:
        return whole[: rng.randrange(len(whole))]
    data = bytearray(whole)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


@each_format
def test_damaged_files_are_refused_or_read(suffix, tmp_path):
    whole = formats.write(weights(), f"w{suffix}")
    path = tmp_path / f"w{suffix}"
    for seed in range(300):
        path.write_bytes(damaged(whole, seed))
        try:
            formats.read(path)
        except MiniCaffeError as error:
            assert str(path) in str(error)


def test_a_parser_of_protobuf_reads_what_is_written(tmp_path):
    """caffe.proto compiled anew, in a pool of its own."""
    protoc = pytest.importorskip("grpc_tools.protoc")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    source = Path(text.__file__).with_name("caffe.proto")
    arguments = ["", f"-I{source.parent}", f"--descriptor_set_out={tmp_path / 'd'}", source.name]
    assert protoc.main(arguments) == 0
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "d").read_bytes()).file:
        pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))
    path = store(tmp_path / "w.caffemodel", formats.read(store(tmp_path / "w.safetensors", weights())))
    net = kind.FromString(path.read_bytes())
    got = {f"{layer.name}/{i}": blob for layer in net.layer for i, blob in enumerate(layer.blobs)}
    for name, array in arrays(weights()).items():
        assert list(got[name].data) == array.ravel().tolist() and tuple(got[name].shape.dim) == array.shape
    assert [(layer.name, layer.type) for layer in net.layer][1:] == [
        ("a/b", "InnerProduct"),
        ("bn", "BatchNorm"),
    ]


def legacy(*shape: int) -> BlobProto:
    num, channels, height, width = shape
    return BlobProto(num=num, channels=channels, height=height, width=width, data=range(int(np.prod(shape))))


def test_legacy_axes_go(tmp_path):
    net = NetParameter()
    net.layer.add(name="c", type="Convolution", blobs=[legacy(1, 1, 2, 2), legacy(1, 1, 1, 1)])
    net.layer.add(name="f", type="InnerProduct", blobs=[legacy(1, 1, 1, 3), legacy(1, 1, 1, 1)])
    net.layer.add(name="u", type="Unknown", blobs=[legacy(1, 2, 1, 3)])
    for suffix in WEIGHTS[1:]:
        got = arrays(formats.read(store(tmp_path / f"w{suffix}", net)))
        shapes = {name: array.shape for name, array in got.items()}
        assert shapes == {"c/0": (1, 1, 2, 2), "c/1": (1,), "f/0": (1, 3), "f/1": (1,), "u/0": (2, 1, 3)}
    assert formats.read(store(tmp_path / "w.caffemodel", net)) == net
    net.layer[1].blobs[0].CopyFrom(legacy(2, 1, 1, 3))
    with pytest.raises(WeightsError, match=r"layer 'f': blob 0 has shape \(2, 1, 1, 3\); expected 2 axes"):
        formats.write(net, "w.npz")


def test_a_state_of_nvidia_caffe(tmp_path):
    raw = b"\x3a\x03\x0a\x01\x02" + b"\x50\x02" + b"\x62\x04" + np.array([1, 2], "<f2").tobytes()
    state = SolverState(iter=7, history=[BlobProto.FromString(raw)])
    (tmp_path / "s.solverstate").write_bytes(state.SerializeToString())
    for name in ("t.solverstate", "t.solverstate.h5"):
        got = formats.read(store(tmp_path / name, formats.read(tmp_path / "s.solverstate")))
        assert got.iter == 7 and list(got.history[0].data) == [1, 2]
        assert not binary.is_raw(got.history[0])


def test_what_cannot_be_written():
    for message, path, wanted in (
        (SolverState(), "x.npz", "a solver state cannot be written as a .npz file; hint: .*solverstate.h5"),
        (SolverState(), "x.prototxt", "a solver state cannot be written as text"),
        (SolverParameter(net="n"), "x.caffemodel", "a solver cannot be written as a .caffemodel file"),
        (NetParameter(name="n"), "x.onnx", "a net cannot be written as a .onnx file"),
        (NetParameter(), "x.prototxt", "holds nothing that could be written"),
        (
            NetParameter(layer=[{"name": "a"}]),
            "x.prototxt",
            "weights by name alone are no net; hint: --model",
        ),
    ):
        with pytest.raises(ConfigError, match=rf"{path}: {wanted}"):
            formats.write(message, path)
    twice = NetParameter(layer=[{"name": "a", "blobs": [binary.from_array(np.ones(1))]}] * 2)
    for suffix in (".npz", ".safetensors"):
        with pytest.raises(WeightsError, match="layer 'a': blob 0: another layer with weights has this name"):
            formats.write(twice, f"x{suffix}")


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "x").write_bytes(b"\0\1\2")
    with pytest.raises(ConfigError, match=r"x is no prototxt: it is a binary file; hint: names end in"):
        formats.read(tmp_path / "x")
    (tmp_path / "x.onnx").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"x\.onnx: ONNX is written, not read"):
        formats.read(tmp_path / "x.onnx")
    (tmp_path / "x.caffemodel").write_bytes(b"")
    with pytest.raises(WeightsError, match="holds no layers"):
        formats.read(tmp_path / "x.caffemodel")
    (tmp_path / "n.prototxt").write_text(NET)
    with pytest.raises(ConfigError, match=r"n\.prototxt holds no weights"):
        formats.read_weights(tmp_path / "n.prototxt")


SHARED = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 3] } } }
    layer { name: "a" type: "InnerProduct" bottom: "x" top: "y" param { name: "w" }
            inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
    layer { name: "b" type: "InnerProduct" bottom: "y" top: "z" param { name: "w" }
            inner_product_param { num_output: 3 } }"""


def test_shared_weights_of_hdf5_need_the_net(tmp_path):
    from minicaffe import Net

    net = Net(text.parse(SHARED, NetParameter), seed=1)
    (tmp_path / "x.h5").write_bytes(hdf5.from_weights(net.to_message()))
    (tmp_path / "n.prototxt").write_text(SHARED)
    with pytest.raises(
        WeightsError, match=r"layer 'b': parameters \[1\] alone are stored: .*hint: .*--model NET"
    ):
        formats.read(tmp_path / "x.h5")
    got = through_net(tmp_path / "n.prototxt", tmp_path / "x.h5")
    assert [(layer.name, len(layer.blobs)) for layer in got.layer][1:] == [("a", 2), ("b", 2)]
    assert got.layer[1].blobs[0] == got.layer[2].blobs[0]


def test_weights_that_do_not_fit_the_net(tmp_path):
    (tmp_path / "n.prototxt").write_text(SHARED)
    other = NetParameter()
    other.layer.add(name="a", blobs=map(binary.from_array, (np.ones((3, 3)), np.ones(3))))
    store(tmp_path / "w.npz", other)
    with pytest.raises(WeightsError, match=r"w\.npz: layer 'b' of .*n\.prototxt is not in it"):
        through_net(tmp_path / "n.prototxt", tmp_path / "w.npz")
    other.layer.add(name="b", blobs=map(binary.from_array, (np.ones((3, 3)), np.ones(4))))
    store(tmp_path / "w.npz", other)
    with pytest.raises(ShapeError, match=r"w\.npz: layer 'b' \(InnerProduct\): parameter 1: stored with"):
        through_net(tmp_path / "n.prototxt", tmp_path / "w.npz")
    del other.layer[1].blobs[1]
    other.layer[1].blobs.append(binary.from_array(np.full(3, 0.1)))
    got = through_net(tmp_path / "n.prototxt", store(tmp_path / "w.npz", other))
    assert list(got.layer[2].blobs[1].double_data) == [0.1] * 3  # doubles stay doubles


def test_hdf5_of_neither_kind(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["other"] = 1
    with pytest.raises(WeightsError, match=r"x\.h5: no weights: it has no group 'data'"):
        formats.read(tmp_path / "x.h5")


def test_names():
    assert named.to_arrays(weights()).keys() == arrays(weights()).keys()


def test_a_solver_resumes_from_a_converted_snapshot(tmp_path, monkeypatch):
    """An Adam run that Caffe took a snapshot of, resumed from it in the other format."""
    folder = tmp_path / "run"
    shutil.copytree(GOLDEN / "solvers", folder)
    monkeypatch.chdir(folder)
    stem = "snap_adam_iter_6"
    solvers = [Solver.create("solver_adam.prototxt") for _ in range(2)]
    solvers[0].restore(f"{stem}.solverstate")
    store(folder / f"{stem}.solverstate.h5", formats.read(f"{stem}.solverstate"))
    store(folder / f"{stem}.caffemodel.h5", formats.read(f"{stem}.caffemodel"))
    solvers[1].restore(f"{stem}.solverstate.h5")
    solvers[1].net.load(f"{stem}.caffemodel.h5")
    for solver in solvers:
        solver.step(2)
    assert solvers[0].iteration == solvers[1].iteration == 8
    np.testing.assert_array_equal(solvers[0].net.parameters.data, solvers[1].net.parameters.data)


def test_weights_of_the_second_schema_are_upgraded(tmp_path):
    old = text.parse('layers { name: "a" type: INNER_PRODUCT bottom: "x" top: "y" }', NetParameter)
    old.layers[0].blobs.append(legacy(1, 1, 2, 3))
    (tmp_path / "old.caffemodel").write_bytes(old.SerializeToString())
    got = formats.read(store(tmp_path / "new.caffemodel", formats.read(tmp_path / "old.caffemodel")))
    assert not got.layers and (got.layer[0].type, len(got.layer[0].blobs)) == ("InnerProduct", 1)
    got = formats.read(store(tmp_path / "new.npz", got))
    assert arrays(got)["a/0"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("name", ["a\0b", "x" * 70_000])
def test_names_that_an_archive_cannot_hold(name):
    net = NetParameter(layer=[LayerParameter(name=name, blobs=[binary.from_array(np.ones(2))])])
    with pytest.raises(WeightsError, match=r"an archive holds no names .*; hint: store it as \.safetensors"):
        npz.write(net)
