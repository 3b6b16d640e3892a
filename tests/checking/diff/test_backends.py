"""One net on two backends, and a layer whose backend is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe import Net
from minicaffe.checking.diff import backends, report
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ConfigError
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ...support.devices import make_device

NET = """layer { name: "in" type: "Input" top: "x" top: "label"
           input_param { shape { dim: [4, 3, 6, 6] } shape { dim: 4 } } }
    layer { name: "conv" type: "Convolution" bottom: "x" top: "y"
           convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
    layer { name: "bn" type: "BatchNorm" bottom: "y" top: "y" }
    layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
    layer { name: "drop" type: "Dropout" bottom: "y" top: "y" }
    layer { name: "one" type: "InnerProduct" bottom: "y" top: "a" param { name: "w" }
           inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    layer { name: "two" type: "InnerProduct" bottom: "y" top: "b" param { name: "w" }
           inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "c" }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "c" bottom: "label" top: "loss" }"""


def pair(*names: str) -> list[Net]:
    param = text.parse(NET, NetParameter)
    return [Net(param, phase="TRAIN", seed=3, device=backends.device(name)) for name in names]


def rows(nets) -> list[backends.BlobDifference]:
    return list(backends.compare(*nets))


@pytest.mark.parametrize("other", ["plain", "float64"])
def test_backends_agree(other):
    found = rows(pair("cpu", other))
    assert not report.beyond(found, backends.TOLERANCE)
    assert {(row.layer, row.way, row.blob) for row in found} >= {
        ("conv", "forward", "y"),
        ("bn", "forward", "param 0"),
        ("drop", "forward", "y"),
        ("sum", "backward", "a"),
        ("two", "backward", "param 1"),
        ("conv", "backward", "param 0"),
    }
    assert any(row.absolute for row in found)
    assert report.summary(found, 1e-4, "blobs") == f"{len(found)} blobs, all equal within 0.0001"


def test_a_backend_equals_itself():
    assert not any(row.absolute for row in rows(pair("cpu", "cpu")))


@pytest.mark.parametrize(("way", "blob"), [("forward", "a"), ("backward", "y")])
def test_a_planted_fault_is_named_alone(way, blob, monkeypatch):
    """One layer of the second net is off by 1 in 1000: it is named, and no layer behind it."""
    nets = pair("cpu", "float64")
    layer = next(layer for layer in nets[1].layers if layer.name == "one")
    right = getattr(layer, way)

    def wrong(*arguments):
        right(*arguments)
        blobs = arguments[1] if way == "forward" else arguments[2]
        (blobs[0].data if way == "forward" else blobs[0].diff)[...] *= 1.001

    monkeypatch.setattr(layer, way, wrong)
    (bad,) = report.beyond(rows(nets), backends.TOLERANCE)
    assert (bad.layer, bad.way) == ("one", way) and bad.blob.startswith(blob)
    assert 0.0005 < bad.relative < 0.0011
    said = report.summary([bad], backends.TOLERANCE, "blobs")
    assert said.startswith(
        "1 of 1 blobs differ by more than 0.0001; the first: layer 'one' (InnerProduct) " + way
    )


def test_the_second_takes_on_the_parameters_of_the_first():
    param = text.parse(NET, NetParameter)
    nets = [Net(param, phase="TRAIN", seed=3, device=CpuDevice(np.float32)) for _ in range(2)]
    nets[1].parameters.data[:] = 7
    assert not any(row.absolute for row in rows(nets))


def test_an_unknown_backend():
    with pytest.raises(ConfigError, match="no backend 'cup'; hint: did you mean 'cpu'"):
        backends.device("cup")


def test_the_cpu_and_an_emulated_gpu():
    param = text.parse(NET, NetParameter)
    devices = [make_device(name, np.float32) for name in ("cpu", "cuda-emulated")]
    found = rows([Net(param, phase="TRAIN", seed=3, device=device) for device in devices])
    assert not report.beyond(found, backends.TOLERANCE) and any(row.absolute for row in found)


@pytest.mark.gpu
def test_the_cpu_and_a_gpu():
    assert not report.beyond(rows(pair("cpu", "gpu")), backends.TOLERANCE)
