"""Weights and solver states in HDF5."""

import numpy as np
import pytest

from minicaffe.errors import DataError, WeightsError
from minicaffe.proto import binary, hdf5
from minicaffe.proto.schema import NetParameter, SolverState


def some_net() -> NetParameter:
    net = NetParameter()
    for name in ("conv", "inception_3a/1x1", "inception_3a"):
        layer = net.layer.add(name=name)
        layer.blobs.append(binary.from_array(np.full((2, 3), len(name), np.float32)))
    net.layer.add(name="relu")
    return net


def test_weights_survive_names_with_slashes(tmp_path):
    path = tmp_path / "net.caffemodel.h5"
    path.write_bytes(hdf5.from_weights(some_net()))
    assert hdf5.is_hdf5(path)
    again = hdf5.to_weights(path, ["conv", "inception_3a/1x1", "inception_3a", "relu", "absent"])
    assert {layer.name: len(layer.blobs) for layer in again.layer} == {
        "conv": 1,
        "inception_3a/1x1": 1,
        "inception_3a": 1,
        "relu": 0,
    }
    for layer in again.layer:
        for blob in layer.blobs:
            assert (binary.to_array(blob) == len(layer.name)).all()


def test_shared_parameters_are_stored_once(tmp_path):
    net = some_net()
    for layer in net.layer[:2]:
        layer.param.add(name="shared")
    path = tmp_path / "x.h5"
    path.write_bytes(hdf5.from_weights(net))
    again = hdf5.to_weights(path, ["conv", "inception_3a/1x1"])
    assert [len(layer.blobs) for layer in again.layer] == [1, 0]


def test_states_survive(tmp_path):
    state = SolverState(iter=7, current_step=2, learned_net="a.caffemodel.h5")
    state.history.extend(binary.from_array(np.arange(n, dtype=np.float32)) for n in range(12))
    path = tmp_path / "x.solverstate.h5"
    path.write_bytes(hdf5.from_state(state))
    assert hdf5.to_state(path) == state


def test_files_that_are_no_states(tmp_path):
    path = tmp_path / "x.h5"
    with pytest.raises(DataError, match="cannot read"):
        hdf5.to_state(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n and then nothing")
    with pytest.raises(WeightsError, match="not a whole HDF5 file"):
        hdf5.to_state(path)
    path.write_bytes(hdf5.from_weights(some_net()))
    with pytest.raises(WeightsError, match="not a solver state"):
        hdf5.to_state(path)
