"""Solvers against Caffe: the parameters after each of twelve iterations, and after resuming from its
snapshots."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from minicaffe.proto import upgrade
from minicaffe.solvers.solver import Solver
from minicaffe.solvers.update_rules import RULES

from ..support.devices import CUDA, make_device
from ..support.solving import RECORDED, params, put_params, recorded_folder

NAMES = sorted(path.stem.removeprefix("solver_") for path in RECORDED.glob("solver_*.prototxt"))


def agree(solver: Solver, stored, prefix: str) -> None:
    for key, got in params(solver).items():
        np.testing.assert_allclose(
            got, stored[f"{prefix}/{key}"], rtol=1e-4, atol=1e-5, err_msg=f"{prefix} {key}"
        )


def test_every_recorded_solver_is_of_a_known_type():
    assert {upgrade.read_solver(RECORDED / f"solver_{name}.prototxt").type for name in NAMES} | {
        "AdamW"  # an extension
    } == set(RULES)


@pytest.mark.parametrize("device", ["cpu", *CUDA])
@pytest.mark.parametrize("name", NAMES)
def test_trajectory(name, device, tmp_path, monkeypatch):
    recorded_folder(tmp_path, monkeypatch)
    stored = np.load(RECORDED / f"traj_{name}.npz")
    solver = Solver.create(f"solver_{name}.prototxt", device=make_device(device, np.float32))
    put_params(solver, stored, "init")
    for iteration in range(1, 13):
        solver.step(1)
        agree(solver, stored, f"iter{iteration:02}")


@pytest.mark.parametrize("name", NAMES)
def test_resuming_from_caffes_snapshot(name, tmp_path, monkeypatch):
    folder = recorded_folder(tmp_path, monkeypatch)
    for path in RECORDED.glob(f"snap_{name}_iter_6.*"):
        shutil.copy(path, folder)
    stored = np.load(RECORDED / f"traj_{name}.npz")
    (state,) = folder.glob("*.solverstate*")
    solver = Solver.create(f"solver_{name}.prototxt")
    solver.restore(state)
    assert solver.iteration == 6
    agree(solver, stored, "iter06")
    for iteration in range(7, 13):
        solver.step(1)
        agree(solver, stored, f"iter{iteration:02}")


@pytest.mark.parametrize("name", NAMES)
def test_our_snapshots_hold_what_caffes_hold(name, tmp_path, monkeypatch):
    """The same file names; the same fields, layers, blobs and shapes; the same history."""
    folder = recorded_folder(tmp_path, monkeypatch)
    solver = Solver.create(f"solver_{name}.prototxt")
    put_params(solver, np.load(RECORDED / f"traj_{name}.npz"), "init")
    solver.solve()
    theirs = {path.name for path in RECORDED.glob(f"snap_{name}_iter_*")}
    assert {p.name for p in folder.glob("snap_*") if p.suffix != ".runstate"} == theirs
    for file in theirs:
        compare_files(folder / file, RECORDED / file)


def compare_files(ours, theirs) -> None:
    from minicaffe.proto import binary, hdf5
    from minicaffe.proto.schema import NetParameter, SolverState

    if ".caffemodel" in ours.name:
        if ours.suffix == ".h5":
            a, b = (in_hdf5(path) for path in (ours, theirs))
        else:
            a, b = (binary.read(path, NetParameter) for path in (ours, theirs))
        assert [layer.name for layer in a.layer] == [layer.name for layer in b.layer]
        for one, other in zip(a.layer, b.layer):
            compare_blobs(one.blobs, other.blobs)
            del one.blobs[:], other.blobs[:]
        assert a == b
    else:
        a, b = (
            hdf5.to_state(path) if path.suffix == ".h5" else binary.read(path, SolverState)
            for path in (ours, theirs)
        )
        assert (a.iter, a.learned_net, a.current_step) == (b.iter, b.learned_net, b.current_step)
        compare_blobs(a.history, b.history)


def in_hdf5(path):
    """The layers of a file, as a message."""
    from minicaffe.proto import binary, hdf5
    from minicaffe.proto.schema import NetParameter

    net = NetParameter()
    with hdf5.open_weights(path) as layers:
        for name, datasets in sorted(layers.items()):
            blobs = [binary.from_array(hdf5.read(datasets[i])) for i in sorted(datasets)]
            net.layer.add(name=name, blobs=blobs)
    return net


def compare_blobs(ours, theirs) -> None:
    from minicaffe.proto import binary

    for one, other in zip(ours, theirs, strict=True):
        one, other = binary.to_array(one), binary.to_array(other)
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
