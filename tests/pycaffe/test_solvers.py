"""caffe.SGDSolver and the others."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from minicaffe import pycaffe as caffe
from minicaffe.errors import ConfigError, MiniCaffeError, NonFiniteError

from .nets import CLASSES, fed, solver, write

KINDS = ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"]
MOMENTUM = {"SGD": 0.9, "Nesterov": 0.9, "AdaDelta": 0.95, "Adam": 0.9}  # the others have none


def made(kind=caffe.SGDSolver, **fields):
    found = kind(solver(**fields))
    labels = np.random.default_rng(1).integers(CLASSES, size=5)
    for net in (found.net, *found.test_nets):
        net.blobs["label"].data[...] = labels
    return found


def test_solve_ends_at_max_iter():
    found = made()
    assert found.iter == 0
    found.solve()
    assert found.iter == 100


def test_an_update_without_a_pass(mode):
    found = made()
    weight = found.net.layers[1].blobs[0]
    data, diff = weight.data, weight.diff
    data[...] = 0
    diff[...] = 1
    assert found.lr == pytest.approx(0.01)
    found.apply_update()
    np.testing.assert_allclose(data, -0.01, rtol=1e-6)
    np.testing.assert_array_equal(diff, 1)  # the gradient, where Caffe leaves the update
    assert found.iter == 1 and found.lr < 0.01


def test_nets_outlive_the_solver():
    found = made()
    nets = [found.net, *found.test_nets]
    assert len(nets) == 2
    del found
    gc.collect()
    for net in nets:
        assert np.isfinite(net.forward()["loss"])
        net.backward()
        assert all(np.isfinite(blob.diff).all() for blobs in net.params.values() for blob in blobs)


def test_snapshot_and_restore(mode):
    found = made(max_iter=3)
    found.step(2)
    found.snapshot()
    assert {path.suffix for path in Path().glob("model_iter_2.*")} >= {".caffemodel", ".solverstate"}
    found.step(1)
    weight = found.net.params["ip"][0].data
    wanted = weight.copy()
    weight[...] = 0
    found.restore("model_iter_2.solverstate")
    assert found.iter == 2 and weight.any()
    found.step(1)
    np.testing.assert_array_equal(weight, wanted)
    other = made(max_iter=3)
    other.solve("model_iter_2.solverstate")
    np.testing.assert_array_equal(other.net.params["ip"][0].data, wanted)
    assert other.iter == 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_class_says_the_rule(kind):
    found = made(getattr(caffe, f"{kind}Solver"), type='"Nesterov"', momentum=MOMENTUM.get(kind, 0))
    assert found.type == kind
    found.step(1)
    assert found.iter == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_says_the_rule(kind):
    found = caffe.get_solver(solver(type=f'"{kind}"', momentum=MOMENTUM.get(kind, 0)))
    assert isinstance(found, getattr(caffe, f"{kind}Solver")) and found.type == kind


def test_a_step_is_a_hand_written_one(mode):
    """step(1) is forward, backward and apply_update on cleared gradients."""
    one, other = made(), made()
    for net in (one.net, other.net):
        net.params["ip"][0].data[...] *= 0.01
    for _ in range(3):
        one.step(1)
        other.net.clear_param_diffs()
        other.net.forward()
        other.net.backward()
        other.apply_update()
        for name, blobs in one.net.params.items():
            for blob, twin in zip(blobs, other.net.params[name]):
                np.testing.assert_allclose(blob.data, twin.data, rtol=1e-5, atol=1e-6)
                np.testing.assert_allclose(blob.diff, twin.diff, rtol=1e-4, atol=1e-5)
    assert one.iter == other.iter == 3


def test_passes_between_steps_take_batches():
    found = made()
    found.step(1)
    first = found.net.blobs["data"].data.copy()
    found.net.forward()
    assert (found.net.blobs["data"].data != first).any()
    found.step(1)
    assert found.iter == 2


def test_parameters_that_are_set_count(mode):
    found = made()
    found.net.blobs["loss"].diff[...] = 0  # so that nothing is learned
    weight = found.net.params["ip"][0].data
    for value in (1, 2):
        weight[...] = value
        found.step(1)
        assert abs(weight - value).max() < 0.1 * value
        found.test_nets[0].forward()
        np.testing.assert_array_equal(found.test_nets[0].params["ip"][0].data, weight)


def test_step_starts_the_smoothed_loss_anew():
    found = made(average_loss=10)
    found.step(3)
    assert len(found._solver.losses) == 3
    found.step(1)
    assert len(found._solver.losses) == 1


def test_settings_can_be_changed():
    found = made()
    found.param.base_lr = 0.5
    found.param.max_iter = 2
    found.param.display = 0
    assert found.lr == 0.5
    found.solve()
    assert found.iter == 2


def test_asking_for_the_rate_changes_nothing():
    found = made(lr_policy='"multistep"', stepvalue="[1, 2]")
    assert found.lr == found.lr == pytest.approx(0.01)


def refill(net, count=8) -> None:
    """Another batch size, and values, before anything has run on it."""
    for name, width in (("x", 3), ("t", 2)):
        net.blobs[name].reshape(count, width)
        net.blobs[name].data[...] = np.arange(count * width).reshape(count, width) % 5 - 1


@pytest.mark.parametrize("run", ["step", "solve", "on_start", "by hand"])
def test_what_is_written_behind_a_reshape_is_trained_on(run, mode):
    """One update over a batch of 8 written into a net made for 4, and over the same from a net made for 8."""
    found = caffe.SGDSolver(fed(max_iter=1, test_iter=1, test_interval=1))
    wanted = caffe.SGDSolver(fed(max_iter=1))
    for net in (wanted.net, *wanted.test_nets):
        refill(net)
        net.reshape()
        refill(net)
    wanted.step(1)
    refill(found.test_nets[0])
    if run == "on_start":
        found.add_callback(lambda: refill(found.net), lambda: None)
        found.step(1)
    else:
        refill(found.net)
    if run == "step":
        found.step(1)
    elif run == "solve":
        found.solve()
        np.testing.assert_array_equal(
            found.test_nets[0].blobs["loss"].data, found.test_nets[0].forward()["loss"]
        )
    elif run == "by hand":
        found.net.forward(start="in", end="ip")
        found.net.forward(start="loss")
        found.net.backward()
        found.apply_update()
    assert found.net.params["ip"][0].diff.any()
    for blob, twin in zip(found.net.params["ip"], wanted.net.params["ip"]):
        np.testing.assert_array_equal(blob.data, twin.data)
    assert found.net.blobs["x"].data.any() and found.net.blobs["x"].shape == (8, 3)


def test_callbacks(mode):
    found = made()
    called = []

    def start() -> None:
        called.append("start")

    def ready() -> None:
        called.append("ready")
        assert found.net.params["ip"][0].diff.any()
        for blobs in found.net.params.values():
            for blob in blobs:
                blob.diff[...] = 0

    found.add_callback(start, ready)
    found.param.weight_decay = 0
    before = found.net.params["ip"][0].data.copy()
    found.step(2)
    assert called == ["start", "ready"] * 2
    np.testing.assert_array_equal(found.net.params["ip"][0].data, before)


def test_clipping_sees_what_a_callback_made_of_the_gradients(mode):
    found = made(clip_gradients=1, momentum=0, weight_decay=0)

    def ready() -> None:
        for blobs in found.net.params.values():
            for blob in blobs:
                blob.diff[...] = 0
        found.net.params["ip"][1].diff[0] = 4

    found.add_callback(lambda: None, ready)
    bias = found.net.params["ip"][1].data
    before = bias[0]
    found.step(1)
    assert bias[0] == pytest.approx(before - 0.01, rel=1e-5)


def test_share_weights():
    found, other = made(), made()
    found.share_weights(other.net)
    found.net.params["ip"][0].data[...] = 7
    np.testing.assert_array_equal(other.net.params["ip"][0].data, 7)


def test_hooks_run_in_steps(mode):
    found = made()
    layers = []
    found.net.after_backward(layers.append)
    found.step(2)
    assert layers == [3, 2, 1, 0] * 2


def test_what_is_not_finite_stops():
    found = made()
    found.net.params["ip"][0].data[0, 0] = np.nan
    with pytest.raises(NonFiniteError):
        found.step(1)


@pytest.mark.parametrize("kind", [caffe.SGDSolver, caffe.get_solver])
def test_files_that_are_missing(kind):
    with pytest.raises(RuntimeError, match=r"Could not open file no\.prototxt"):
        kind("no.prototxt")
    found = made()
    for call in (found.restore, found.solve):
        with pytest.raises(RuntimeError, match=r"Could not open file no\.solverstate"):
            call("no.solverstate")


def test_errors_are_exceptions():
    path = write("wrong.prototxt", 'net: "x.prototxt" base_lr: 1 lr_policy: "fxed"')
    with pytest.raises(MiniCaffeError, match=r"wrong\.prototxt"):
        caffe.SGDSolver(path)
    with pytest.raises(ConfigError, match="add_callback takes the functions on_start and"):
        made().add_callback(print)
