"""The module as a whole: names, modes, log, timer, and what `import caffe` means."""

from __future__ import annotations

import importlib
import logging
import sys
from types import ModuleType

import numpy as np
import pytest

from minicaffe import pycaffe as caffe
from minicaffe.errors import ConfigError, DeviceError
from minicaffe.pycaffe import importing, modes

from ..support.emulator import cupy
from .nets import simple

# -- names


def test_constants():
    assert (caffe.TRAIN, caffe.TEST, caffe.__version__) == (0, 1, "1.0.0")
    assert all(hasattr(caffe, name) for name in caffe.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Blub'"):
        caffe.Blub  # noqa: B018


def test_layer_types():
    names = caffe.layer_type_list()
    assert len(names) == 124 and names == sorted(names)
    assert {"Data", "Convolution", "InnerProduct", "Python", "HDF5Data"} < set(names)


def test_there_is_no_nccl():
    assert not caffe.has_nccl() and not hasattr(caffe.NCCL, "new_uid") and not hasattr(caffe.NCCL, "bcast")
    assert (caffe.solver_count(), caffe.solver_rank()) == (1, 0)
    caffe.set_solver_count(1)
    caffe.set_solver_rank(0)
    caffe.set_multiprocess(False)
    for call, value in (
        (caffe.set_solver_count, 2),
        (caffe.set_solver_rank, 1),
        (caffe.set_multiprocess, True),
    ):
        with pytest.raises(ConfigError, match="one process trains on one GPU"):
            call(value)
    with pytest.raises(DeviceError, match="no NCCL"):
        caffe.NCCL(None, "uid")


# -- modes


def test_nets_are_built_where_the_mode_says(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    for call in (caffe.set_mode_gpu, lambda: caffe.set_device(0)):
        with pytest.raises(DeviceError, match=r"caffe\.set_.*CuPy is not installed"):
            call()
    caffe.set_mode_cpu()
    assert modes.shared_device().device.name == "cpu"
    cupy.install(monkeypatch)
    with pytest.raises(DeviceError, match=r"caffe\.set_device\(7\): there is no GPU 7"):
        caffe.set_device(7)
    caffe.set_device(0)
    assert modes.shared_device().device.name == "cpu"
    caffe.set_mode_gpu()
    assert modes.shared_device().device.name == "cuda" and modes.shared_device() is modes.shared_device()
    net = caffe.Net(simple(), caffe.TEST)
    assert net.blobs["data"]._gpu_data_ptr and net.blobs["data"]._gpu_diff_ptr
    caffe.set_mode_cpu()
    other = caffe.Net(simple(), caffe.TEST)
    with pytest.raises(DeviceError, match="lies in the host's memory"):
        other.blobs["data"]._gpu_data_ptr  # noqa: B018


def test_a_net_that_does_not_move_says_so(monkeypatch, caplog):
    net = caffe.Net(simple(), caffe.TEST)
    cupy.install(monkeypatch)
    caffe.set_mode_gpu()
    for _ in range(2):
        net.forward()
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "a net built on the CPU runs there; build it after caffe.set_mode_gpu()"
    ]


def test_a_seed_repeats_what_follows_it():
    def weights() -> list[np.ndarray]:
        return [caffe.Net(simple(), caffe.TEST).params["ip"][0].data.copy() for _ in range(2)]

    caffe.set_random_seed(5)
    one, two = weights()
    caffe.set_random_seed(5)
    np.testing.assert_array_equal(weights(), [one, two])
    assert (one != two).any()
    for seed in (-1, 2**32):
        with pytest.raises(ConfigError, match="a seed must be from 0 to 4294967295"):
            caffe.set_random_seed(seed)


# -- arrays by protocol


def test_dlpack_is_the_memory():
    blob = caffe.Net(simple(), caffe.TEST).params["ip"][1]
    array = np.from_dlpack(blob)
    blob.data[...] = 4
    np.testing.assert_array_equal(array, 4)
    assert not hasattr(blob, "__cuda_array_interface__")
    np.testing.assert_array_equal(np.asarray(blob, dtype=np.float64), blob.data)
    copy = np.array(blob)
    copy[...] = 0
    np.testing.assert_array_equal(blob.data, 4)


# -- log and timer


def test_log(capsys):
    caffe.log("before")
    caffe.init_log()
    caffe.log("hello")
    caffe.init_log(2)
    caffe.log("too low")
    said = capsys.readouterr().err
    assert said.startswith("I") and said.endswith("] hello\n") and said.count("\n") == 1
    assert logging.getLogger("minicaffe").level == logging.ERROR


def test_a_log_that_is_not_for_stderr(capsys):
    caffe.init_log(0, False)
    caffe.log("hello")
    assert not capsys.readouterr().err


def test_timer(mode):
    timer = caffe.Timer()
    with pytest.raises(ConfigError, match="call start"):
        timer.stop()
    timer.start()
    caffe.Net(simple(), caffe.TEST).forward()
    timer.stop()
    assert timer.ms == timer.ms >= 0


# -- import caffe


def test_install():
    with pytest.raises(ImportError):
        importlib.import_module("caffe._no")
    caffe.install()
    caffe.install()
    assert importlib.import_module("caffe") is caffe
    assert importlib.import_module("caffe.net") is sys.modules["minicaffe.pycaffe.net"]
    assert importlib.import_module("caffe._caffe") is importlib.import_module("caffe.pycaffe") is caffe
    assert caffe.__spec__.name == caffe.__name__ == "minicaffe.pycaffe"
    assert sys.modules["caffe.net"].__spec__.name == "minicaffe.pycaffe.net"
    with pytest.raises(ModuleNotFoundError, match=r"caffe\.nothing"):
        importlib.import_module("caffe.nothing")


def test_another_caffe_comes_back(monkeypatch):
    other, part = ModuleType("caffe"), ModuleType("caffe.io")
    monkeypatch.setitem(sys.modules, "caffe", other)
    monkeypatch.setitem(sys.modules, "caffe.io", part)
    with importing.as_caffe():
        assert sys.modules["caffe"] is caffe and "caffe.io" not in sys.modules
        importlib.import_module("caffe.net")
    assert (
        sys.modules["caffe"] is other and sys.modules["caffe.io"] is part and "caffe.net" not in sys.modules
    )


def test_what_is_imported_when_it_is_asked_for(monkeypatch):
    monkeypatch.setitem(caffe._LATER, "half", ("timer", "Timer"))
    assert caffe.half is caffe.Timer
    monkeypatch.setitem(caffe._LATER, "whole", ("timer", ""))
    assert caffe.whole.Timer is caffe.Timer
