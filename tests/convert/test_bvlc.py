"""Layers of forks in Caffe's: the same outputs, from a net and weights that are converted each by itself."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.convert import bvlc, formats
from minicaffe.convert.model import load_all
from minicaffe.errors import WeightsError
from minicaffe.net import Net, weights
from minicaffe.proto import extensions, text
from minicaffe.proto.schema import NetParameter

INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 3, 4, 5] } } }'
AXPY = f"""{INPUT}
layer {{ name: "mean" type: "Pooling" bottom: "x" top: "a"
  pooling_param {{ pool: AVE global_pooling: true }} }}
layer {{ name: "wide" type: "Power" bottom: "x" top: "b" power_param {{ scale: 2 shift: 1 }} }}
layer {{ name: "sum" type: "Axpy" bottom: "a" bottom: "x" bottom: "b" top: "y" }}"""
SEGNET = 'layer { name: "bn" type: "BN" bottom: "x" top: "y" bn_param { shift_filler { value: 1 } %s } }'
PSPNET = 'layer { name: "bn" type: "BN" bottom: "x" top: "y" bn_param { slope_filler { value: 2 } %s } }'
IN_PLACE = f"""{INPUT}
layer {{ name: "conv" type: "Convolution" bottom: "x" top: "y"
  convolution_param {{ num_output: 3 kernel_size: 1 }} }}
layer {{ name: "bn" type: "BN" bottom: "y" top: "y" bn_param {{ momentum: 0.95 eps: 0.01 }} }}
layer {{ name: "relu" type: "ReLU" bottom: "y" top: "y" }}"""
NETS = {
    "axpy": (AXPY, ["Flatten", "Scale", "Eltwise"]),
    "segnet": (INPUT + SEGNET % "", ["BatchNorm", "Scale"]),
    "merged": (INPUT + SEGNET % "bn_mode: INFERENCE", ["Scale"]),
    "pspnet": (INPUT + PSPNET % "", ["BatchNorm", "Scale"]),
    "frozen": (INPUT + PSPNET % "frozen: true", ["BatchNorm", "Scale"]),
    "in place": (IN_PLACE, ["BatchNorm", "Scale"]),
}


def built(layers: str) -> Net:
    """The net, with weights as training leaves them."""
    net = Net(text.parse(layers, NetParameter), phase="TEST", seed=1)
    rng = np.random.default_rng(1)
    for layer in net.layers:
        for blob in layer.params:
            blob.data[...] = rng.uniform(0.5, 1.5, blob.shape)
    return net


@pytest.mark.parametrize("phase", ["TEST", "TRAIN"])
@pytest.mark.parametrize("name", NETS)
def test_outputs_stay(name, phase, tmp_path):
    """In TRAIN too, of the first batch; and Caffe has all of what is written."""
    layers, types = NETS[name]
    net = built(layers)
    param = text.parse(layers, NetParameter)
    (line,) = bvlc.rewrite(param)
    assert line.endswith(f"becomes {', '.join(types)}")
    assert extensions.used(param) == [] == bvlc.rewrite(param)
    stored = net.to_message()
    bvlc.rewrite(stored)
    weights.save(stored, tmp_path / "w.caffemodel")
    assert extensions.used(formats.read(tmp_path / "w.caffemodel")) == []
    nets = [Net(one, phase=phase, seed=2) for one in (text.parse(layers, NetParameter), param)]
    weights.save(net.to_message(), tmp_path / "v.caffemodel")
    for one, file in zip(nets, ("v", "w")):
        if one.parameters.owned:
            load_all(one, tmp_path / f"{file}.caffemodel")
    x = np.random.default_rng(2).standard_normal((2, 3, 4, 5)).astype(np.float32)
    ours, caffes = (one.forward(x=x)["y"] for one in nets)
    assert ours.std() > 0.1
    np.testing.assert_allclose(caffes, ours, rtol=1e-5, atol=1e-5)


def test_settings_stay():
    """Learning rates, fillers, eps, rules."""
    param = text.parse(
        'layer { name: "bn" type: "BN" bottom: "x" top: "y" include { phase: TEST } param { lr_mult: 3 }'
        " param { lr_mult: 4 } param { lr_mult: 9 } param { lr_mult: 9 }"
        " bn_param { slope_filler { value: 2 } momentum: 0.8 eps: 0.25 } }"
        'layer { name: "bn" type: "BN" bottom: "x" top: "y" include { phase: TRAIN }'
        " bn_param { frozen: true } }",
        NetParameter,
    )
    assert len(bvlc.rewrite(param)) == 2
    wanted = text.parse(
        'layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" include { phase: TEST }'
        " batch_norm_param { eps: 0.25 moving_average_fraction: 0.8 } }"
        'layer { name: "bn/scale" type: "Scale" bottom: "y" top: "y" include { phase: TEST }'
        " param { lr_mult: 3 } param { lr_mult: 4 } scale_param { filler { value: 2 } bias_term: true } }"
        'layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" include { phase: TRAIN }'
        " batch_norm_param { eps: 1e-5 moving_average_fraction: 0.9 use_global_stats: true } }"
        'layer { name: "bn/scale" type: "Scale" bottom: "y" top: "y" include { phase: TRAIN }'
        " param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 }"
        " scale_param { bias_term: true } }",
        NetParameter,
    )
    assert param == wanted


def test_what_cannot_be_said_stays():
    """The moments of a batch as tops; moments that layers share; a gradient that is stopped."""
    layers = text.parse(
        'layer { name: "bn" type: "BN" bottom: "x" top: "y" top: "m" top: "v" }'
        'layer { name: "p" type: "BN" bottom: "x" top: "p" param { } param { } param { name: "m" } }'
        'layer { name: "s" type: "Axpy" bottom: "a" bottom: "x" bottom: "b" top: "z" propagate_down: false'
        " propagate_down: true propagate_down: true }",
        NetParameter,
    )
    before = NetParameter()
    before.CopyFrom(layers)
    assert bvlc.rewrite(layers) == [] and layers == before


def test_weights_of_another_kind():
    net = built(NETS["pspnet"][0]).to_message()
    (layer,) = (one for one in net.layer if one.type == "BN")
    del layer.blobs[3:]
    with pytest.raises(WeightsError, match=r"layer 'bn' \(BN\): 3 blobs; a BN of PSPNet's kind has 4"):
        bvlc.rewrite(net)
