"""Weights and solver states in HDF5."""

from __future__ import annotations

import re
import struct

import h5py
import numpy as np
import pytest

from minicaffe.errors import DataError, MiniCaffeError, WeightsError
from minicaffe.proto import binary, hdf5
from minicaffe.proto.schema import NetParameter, SolverState

NAMES = ["conv", "inception_3a/1x1", "inception_3a", "a/b/c", "größe", "relu"]


def some_net(names=NAMES) -> NetParameter:
    net = NetParameter()
    for name in names:
        layer = net.layer.add(name=name)
        if name != "relu":
            layer.blobs.append(binary.from_array(np.full((2, 3), len(name), np.float32)))
    return net


def written(path, net) -> dict[str, dict[int, np.ndarray]]:
    """What a file of the net's weights reads back as."""
    path.write_bytes(hdf5.from_weights(net))
    with hdf5.open_weights(path) as layers:
        return {name: {i: hdf5.read(d) for i, d in sets.items()} for name, sets in layers.items()}


def test_weights_survive_names_with_slashes(tmp_path):
    again = written(tmp_path / "net.caffemodel.h5", some_net())
    assert hdf5.is_hdf5(tmp_path / "net.caffemodel.h5")
    assert {name: list(arrays) for name, arrays in again.items()} == {
        name: [] if name == "relu" else [0] for name in NAMES
    }
    for name, arrays in again.items():
        for array in arrays.values():
            assert array.shape == (2, 3) and (array == len(name)).all()


def test_layers_come_in_the_order_of_their_names(tmp_path):
    (tmp_path / "x.h5").write_bytes(hdf5.from_weights(some_net(["b", "c/x", "a", "c", "c/b/y"])))
    assert [layer.name for layer in hdf5.to_weights(tmp_path / "x.h5").layer] == [
        "a",
        "b",
        "c",
        "c/b/y",
        "c/x",
    ]


def test_the_layout_is_caffes(tmp_path):
    net = some_net(["conv", "relu"])
    net.layer[0].blobs[0].CopyFrom(binary.from_array(np.ones(2, np.float32), np.zeros(2, np.float32)))
    written(tmp_path / "x.h5", net)
    with h5py.File(tmp_path / "x.h5") as file:
        assert list(file) == ["data", "diff"]
        assert list(file["data"]) == ["conv", "relu"] and list(file["data/conv"]) == ["0"]
        assert (file["data/conv/0"][()] == 1).all() and (file["diff/conv/0"][()] == 0).all()
        assert len(file["data/relu"]) == 0 and file["data/conv/0"].dtype == np.float32


def test_shared_parameters_are_stored_once_their_gradients_in_every_layer(tmp_path):
    net = some_net(["one", "two"])
    for layer in net.layer:
        layer.param.add(name="shared")
        layer.blobs[0].CopyFrom(binary.from_array(np.ones(2, np.float32), np.zeros(2, np.float32)))
    again = written(tmp_path / "x.h5", net)
    assert {name: list(arrays) for name, arrays in again.items()} == {"one": [0], "two": []}
    with h5py.File(tmp_path / "x.h5") as file:
        assert "0" in file["diff/one"] and "0" in file["diff/two"]


def test_legacy_blobs_and_doubles(tmp_path):
    net = some_net(["a"])
    blob = net.layer[0].blobs[0]
    blob.Clear()
    blob.num, blob.channels, blob.height, blob.width = 1, 1, 1, 2
    blob.double_data.extend([1 / 3, 2])
    (array,) = written(tmp_path / "x.h5", net)["a"].values()
    assert array.shape == (1, 1, 1, 2) and array.dtype == np.float64 and array[0, 0, 0, 0] == 1 / 3


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", "i1", "u4", "i8"])
def test_numbers_of_any_type_are_read(dtype, tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("data/a/0", data=np.arange(6).astype(dtype), compression="gzip")
    with hdf5.open_weights(tmp_path / "x.h5") as layers:
        array = hdf5.read(layers["a"][0])
    assert array.tolist() == list(range(6)) and array.dtype == (np.float64 if "8" in dtype else np.float32)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "layer 'a': another layer's weights have the place '/data/a/0'"),
        (["a", "a/0"], "layer 'a/0': another layer's weights have the place 'a/0'"),
        (["a/0", "a"], "layer 'a': another layer's weights have the place '/data/a/0'"),
        ([""], "layer '': no HDF5 group can have this name; hint: rename the layer, or snapshot_format"),
        (["/a"], "no HDF5 group can have this name"),
        (["a//b"], "no HDF5 group can have this name"),
        (["."], "no HDF5 group can have this name"),
        (["a\0b"], r"layer 'a\\x00b': no HDF5 group can have this name"),
    ],
)
def test_names_that_hdf5_cannot_tell_apart(names, message):
    with pytest.raises(WeightsError, match=message):
        hdf5.from_weights(some_net(names))


def test_layers_without_weights_may_have_any_name():
    net = NetParameter()
    for name in ("relu", "relu", "", "/", "a//b", "."):
        net.layer.add(name=name)
    hdf5.from_weights(net)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda file: file.create_dataset("weights", data=[1.0]),
            r"x\.h5: no weights: it has no group 'data'",
        ),
        (lambda file: file.create_dataset("data", data=[1.0]), "it has no group 'data'"),
        (lambda file: file.create_group("history"), "hint: it is the state of a solver"),
        (
            lambda file: file.create_dataset("data/a/w", data=[1.0]),
            "'a/w' is no parameter: they are numbered",
        ),
        (lambda file: file.create_dataset("data/a/²", data=[1.0]), "'a/²' is no parameter"),
        (lambda file: file.create_dataset("data/a/0", data=["x"]), "values of type object are no numbers"),
        (lambda file: file.create_dataset("data/a/0", (1 << 20,), "f4"), r"0 bytes are stored for .*1048576"),
        (
            lambda file: file.create_dataset("data/a/0", (1 << 20,), "f4", chunks=(1000,)),
            r"0 bytes are stored for an array of shape \(1048576,\)",
        ),
    ],
)
def test_files_that_are_no_weights(write, message, tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        write(file)
    with pytest.raises(WeightsError, match=message), hdf5.open_weights(path) as layers:
        hdf5.read(layers["a"][0])


def test_groups_that_hold_themselves_end(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        data = file.create_group("data")
        data["loop"] = data
        data.create_dataset("a/0", data=[1.0])
    with hdf5.open_weights(tmp_path / "x.h5") as layers:
        assert "a" in layers


@pytest.mark.parametrize("group", ["data", "diff"])
def test_nothing_is_read_from_other_files(group, tmp_path):
    """A conversion would carry their bytes into its output."""
    (tmp_path / "secret").write_bytes(bytes(range(16)))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data/a/0"] = np.zeros(4, np.float32)
        stored = [(str(tmp_path / "secret"), 0, 16)]
        file.create_dataset(f"{group}/b/0", (4,), "f4", external=stored)
    with pytest.raises(DataError, match=f"x.h5: the values of '/{group}/b/0' lie in other files"):
        hdf5.to_weights(tmp_path / "x.h5")


@pytest.mark.parametrize("link", [h5py.SoftLink("/data/a"), h5py.ExternalLink("other.h5", "/data/a")])
def test_a_layer_that_is_a_link_is_refused(link, tmp_path):
    """To leave it out would lose its weights in silence."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data/a/0"] = np.zeros(4, np.float32)
        file["data/b"] = link
    with pytest.raises(DataError, match=r"x\.h5: 'b' is a link, which is not followed"):
        hdf5.to_weights(tmp_path / "x.h5")


def test_a_file_of_holes_is_not_searched(tmp_path):
    with open(tmp_path / "x.h5", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(WeightsError, match="it has no signature of one"):
        hdf5.to_weights(tmp_path / "x.h5")


def test_what_all_weights_take_together_is_known_before_any_is_read(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for i in range(3):
            file.create_dataset(f"data/a/{i}", (1000,), "f4", chunks=(1000,))
    with pytest.raises(DataError, match=r"x.h5: 12000 bytes of memory for a file of .*; 11999 is the most"):
        hdf5.to_weights(tmp_path / "x.h5", 11_999)


def test_free_space_without_end(tmp_path):
    """HDF5 would follow the list for ever."""
    path = tmp_path / "x.h5"
    path.write_bytes(hdf5.from_weights(some_net(["a"])))
    whole = path.read_bytes()
    heaps = [match.start() for match in re.finditer(b"HEAP", whole)]
    assert len(heaps) == 3
    for heap in heaps:
        first, values = struct.unpack_from("<QQ", whole, heap + 16)
        data = bytearray(whole)
        struct.pack_into("<Q", data, values + first, first)
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=r"x\.h5: not a whole HDF5 file: a list in it leads back"):
            hdf5.to_weights(path)


def test_groups_without_end(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_group("data" + "/a" * 300)
    with pytest.raises(DataError, match="groups 200 deep"):
        hdf5.to_weights(tmp_path / "x.h5")


# -- solver states


def some_state() -> SolverState:
    state = SolverState(iter=7, current_step=2, learned_net="a.caffemodel.h5")
    state.history.extend(binary.from_array(np.arange(n, dtype=np.float32)) for n in range(12))
    return state


def test_states_survive(tmp_path):
    path = tmp_path / "x.solverstate.h5"
    path.write_bytes(hdf5.from_state(some_state()))
    assert hdf5.to_state(path) == some_state()


def heap(path) -> int:
    """Where the collection lies that holds text of variable length."""
    return path.read_bytes().index(b"GCOL")


def test_text_of_variable_length(tmp_path):
    path = tmp_path / "x.solverstate.h5"
    path.write_bytes(hdf5.from_state(some_state()))
    for name in ("größe.caffemodel.h5", "", "x" * 10_000):
        with h5py.File(path, "r+") as file:
            del file["learned_net"]
            file["learned_net"] = name
        assert hdf5.to_state(path).learned_net == name


# Each hangs h5py, or makes it read beyond: an object of no size, a wrong number, a wrong collection.
@pytest.mark.parametrize(
    ("place", "new"), [(24, b"\0" * 8), (24, b"\xff" * 8), (16, b"\7\0"), (0, b"COLG"), (8, b"\0" * 8)]
)
def test_damaged_text_of_variable_length(place, new, tmp_path):
    path = tmp_path / "x.solverstate.h5"
    path.write_bytes(hdf5.from_state(some_state()))
    with h5py.File(path, "r+") as file:
        del file["learned_net"]
        file["learned_net"] = "a.caffemodel.h5"
    data, at = bytearray(path.read_bytes()), heap(path) + place
    data[at : at + len(new)] = new
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="the text of /learned_net is not where it says"):
        hdf5.to_state(path)


def test_files_that_are_no_states(tmp_path):
    path = tmp_path / "x.h5"
    with pytest.raises(DataError, match="cannot read"):
        hdf5.to_state(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n and then nothing")
    with pytest.raises(WeightsError, match="not a whole HDF5 file"):
        hdf5.to_state(path)
    path.write_bytes(hdf5.from_weights(some_net()))
    with pytest.raises(WeightsError, match=r"x\.h5: not a solver state: it has no 'iter'"):
        hdf5.to_state(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("iter", np.array([1, 2]), r"/iter should be one number; it has the shape \(2,\)"),
        ("iter", np.array([1 << 40]), "not a whole HDF5 file of this kind"),
        ("current_step", np.array(["x"], "S1"), "not a whole HDF5 file of this kind"),
        ("learned_net", b"\xff\xfe", "not a whole HDF5 file of this kind"),
        ("history/3", None, "not a whole HDF5 file of this kind"),
    ],
)
def test_damaged_states(name, value, message, tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(hdf5.from_state(some_state()))
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value
    with pytest.raises(MiniCaffeError, match=message):
        hdf5.to_state(path)
