"""Layers of forks that are Caffe's are rewritten when a net is read; fields of forks that are left are
refused."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from minicaffe import Net
from minicaffe.errors import ConfigError
from minicaffe.proto import aliases, text, upgrade
from minicaffe.proto.layer_types import ALIASES, CAFFE_TYPES, FORK_TYPES
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.solvers import settings

from . import test_nvcaffe as nvidias


def upgraded(source: str) -> NetParameter:
    net = text.parse(source, NetParameter)
    upgrade.upgrade_net(net, "net.prototxt")
    return net


@pytest.mark.parametrize(
    ("fork", "caffe"),
    [
        (
            'type: "ConvolutionDepthwise" convolution_param { num_output: 32 kernel_size: 3 }',
            'type: "Convolution" convolution_param { num_output: 32 kernel_size: 3 group: 32 }',
        ),
        (
            'type: "DepthwiseConvolution" convolution_param { num_output: 32 group: 16 kernel_size: 3 }',
            'type: "Convolution" convolution_param { num_output: 32 group: 16 kernel_size: 3 }',
        ),
        (
            'type: "NdConvolution" convolution_param { num_output: 4 kernel_shape { dim: 3 dim: 2 dim: 2 }'
            " stride_shape { dim: 1 dim: 2 dim: 2 } pad_shape { dim: 1 dim: 0 dim: 0 } }",
            'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 kernel_size: 2'
            " kernel_size: 2 stride: 1 stride: 2 stride: 2 pad: 1 pad: 0 pad: 0 }",
        ),
        (
            'type: "NdPooling" pooling_param { kernel_shape { dim: 1 dim: 2 dim: 2 }'
            " stride_shape { dim: 2 dim: 2 dim: 2 } }",
            'type: "Pooling" pooling_param { kernel_size_3d: 1 kernel_size_3d: 2 kernel_size_3d: 2'
            " stride: 2 }",
        ),
        (
            'type: "NdPooling" pooling_param { pool: AVE kernel_shape { dim: 3 dim: 2 } pad_shape { dim: 1'
            " dim: 0 } }",
            'type: "Pooling" pooling_param { pool: AVE kernel_h: 3 kernel_w: 2 pad_h: 1 pad_w: 0 }',
        ),
        (
            'type: "NdPooling" pooling_param { kernel_shape { dim: 1 dim: 1 } global_pooling: true }',
            'type: "Pooling" pooling_param { global_pooling: true }',
        ),
        ('type: "ReLU6" relu6_param { }', 'type: "Clip" clip_param { min: 0 max: 6 }'),
        ('type: "ReLU" relu_param { relu6: true }', 'type: "Clip" clip_param { min: 0 max: 6 }'),
        (
            'type: "ReLU" relu_param { negative_slope: 0.1 }',
            'type: "ReLU" relu_param { negative_slope: 0.1 }',
        ),
        (
            'type: "Pooling" pooling_param { ceil_mode: false }',
            'type: "Pooling" pooling_param { round_mode: FLOOR }',
        ),
        (
            'type: "Pooling" pooling_param { ceil_mode: true }',
            'type: "Pooling" pooling_param { round_mode: CEIL }',
        ),
        (
            'type: "Pooling" pooling_param { torch_pooling: true }',
            'type: "Pooling" pooling_param { round_mode: FLOOR }',
        ),
        (
            'type: "Pooling" pooling_param { torch_pooling: false ceil_mode: false }',
            'type: "Pooling" pooling_param { torch_pooling: false round_mode: FLOOR }',
        ),
        (
            'type: "Pooling" pooling_param { pad_t: 1 pad_b: 1 pad_l: 2 pad_r: 2 pad: 7 ceil_mode: false }',
            'type: "Pooling" pooling_param { pad_h: 1 pad_w: 2 round_mode: FLOOR }',
        ),
        (
            'type: "Convolution" convolution_param { pad_t: 0 pad_b: 0 pad_l: 0 pad_r: 0 pad: 1 }',
            'type: "Convolution" convolution_param { pad: 1 }',
        ),
        (
            'type: "Convolution" convolution_param { pad_t: 0 pad_b: 1 pad_l: 0 pad_r: 1 }',
            'type: "Convolution" convolution_param { pad_t: 0 pad_b: 1 pad_l: 0 pad_r: 1 }',
        ),
        (
            'type: "Convolution" convolution_param { pad_type: 1 kernel_size: 3 kernel_size: 5 }',
            'type: "Convolution" convolution_param { kernel_size: 3 kernel_size: 5 pad_h: 1 pad_w: 2 }',
        ),
        (
            'type: "Convolution" convolution_param { pad_type: 1 kernel_size: 3 stride: 2 }',
            'type: "Convolution" convolution_param { pad_type: 1 kernel_size: 3 stride: 2 }',
        ),
        (
            'type: "Convolution" convolution_param { kernel_size: 3 relu: true negative_slope: 0.5 }',
            'type: "Convolution" convolution_param { kernel_size: 3 } } layer { name: "a/relu" type: "ReLU"'
            ' bottom: "y" top: "y" relu_param { negative_slope: 0.5 }',
        ),
        (
            'type: "InnerProduct" inner_product_param { num_output: 3 relu: true }',
            'type: "InnerProduct" inner_product_param { num_output: 3 } } layer { name: "a/relu" type: "ReLU"'
            ' bottom: "y" top: "y"',
        ),
        (
            'type: "Squeeze" squeeze_param { axis: -1 }',
            'type: "Reshape" reshape_param { shape { } axis: -2 num_axes: 1 }',
        ),
        ('type: "Squeeze"', 'type: "Squeeze"'),
    ],
)
def test_what_each_is_taken_as(fork, caffe):
    wanted = text.parse(f'layer {{ name: "a" bottom: "x" top: "y" {caffe} }}', NetParameter)
    source = f'layer {{ name: "a" bottom: "x" top: "y" {fork} }}'
    assert upgraded(source) == wanted
    assert upgrade.is_current(text.parse(source, NetParameter)) == (fork == caffe)
    assert not aliases.is_needed(wanted)


def test_types_that_are_other_layers():
    others = {name for name in aliases.STEPS if name not in CAFFE_TYPES}
    assert others == ALIASES <= FORK_TYPES.keys()


def test_the_log_says_what_was_taken_for_what(caplog):
    caplog.set_level(logging.INFO, "minicaffe")
    upgraded("""layer { name: "conv2" type: "ConvolutionDepthwise" bottom: "x" top: "y"
        convolution_param { num_output: 32 group: 32 kernel_size: 3 } }
        layer { name: "p" type: "Pooling"
            pooling_param { ceil_mode: false pad_t: 1 pad_b: 1 pad_l: 1 pad_r: 1 } }
    """)
    assert caplog.messages == [
        "net.prototxt: layer 'conv2' (ConvolutionDepthwise) is taken as Convolution with group 32",
        "net.prototxt: layer 'p' (Pooling) is taken as round_mode: FLOOR, pad_h 1, pad_w 1",
    ]


NORM = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [4, 2, 3, 3] } } }
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" phase: TEST
    param { lr_mult: 0 } param { lr_mult: 0 } param { lr_mult: 0 }
    param { lr_mult: 0 decay_mult: 0 } param { }
    batch_norm_param { eps: 1e-7 scale_bias: true
        scale_filler { value: 2 } bias_filler { value: 3 } } }"""


def test_a_batch_norm_that_scales():
    net = upgraded(NORM)
    _, norm, scale = net.layer
    assert (scale.name, scale.type, scale.bottom, scale.top) == ("bn/scale", "Scale", ["y"], ["y"])
    assert len(norm.param) == 3 and len(scale.param) == 2 and scale.phase == norm.phase
    assert [(p.lr_mult, p.decay_mult) for p in scale.param] == [(1, 0), (1, 1)]
    assert norm.batch_norm_param.eps == np.float32(1e-5) and not norm.batch_norm_param.scale_bias
    built = Net(net, phase="TEST", seed=1)
    assert built.params["bn/scale"][0].data.tolist() == [2, 2]
    assert built.params["bn/scale"][1].data.tolist() == [3, 3]


IN_PLACE = """force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 5] } } }
layer { name: "p" type: "Power" bottom: "x" top: "p" power_param { scale: 2 } }
layer { name: "q" type: "Power" bottom: "p" top: "p" power_param { shift: 1 } }
layer { name: "r" type: "%s" bottom: "p" top: "p" }
layer { name: "z" type: "Power" bottom: "p" top: "z" power_param { scale: 3 } }"""


@pytest.mark.parametrize(("kind", "slope"), [("ReLU6", 1.0), ("HardSwish", None)])
def test_in_place_they_have_a_gradient(kind, slope):
    """The top keeps its name, and what goes in gets another."""
    net = Net(text.parse(IN_PLACE % kind, NetParameter), phase="TEST", seed=1)
    x = np.array([[-3, -1, 0.2, 1.1, 4], [-0.4, 0.7, 2, 2.4, 3]], np.float32)
    net.forward(x=x)
    y = 2 * x + 1
    wanted = np.clip(y, 0, 6) if slope else y * np.clip(y + 3, 0, 6) / 6
    np.testing.assert_allclose(net.blobs["p"].data, wanted, rtol=1e-6)
    np.testing.assert_allclose(net.blobs["z"].data, 3 * wanted, rtol=1e-6)
    net.blobs["z"].diff[...] = 1
    net.backward()
    inside = (y > -3) & (y < 3)
    outer = (y > 0) & (y < 6) if slope else np.clip(y + 3, 0, 6) / 6 + y * inside / 6
    np.testing.assert_allclose(net.blobs["x"].diff, 6 * outer, rtol=1e-5, atol=1e-6)


def test_an_input_keeps_its_name():
    net = upgraded("""layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 } } }
        layer { name: "r" type: "ReLU6" bottom: "x" top: "x" }""")
    assert net.layer[0].top == net.layer[1].bottom == net.layer[1].top == ["x"]


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (
            'type: "Pooling" pooling_param { kernel_size: 2 input_scale: 0.5 }',
            r"pooling_param.input_scale is not supported.*synopsys",
        ),
        (
            'type: "Pooling" pooling_param { kernel_size: 2 pool: DEF }',
            "pooling_param.pool: DEF is not supported",
        ),
        (
            'type: "Pooling" pooling_param { kernel_size: 2 torch_pooling: true round_mode: CEIL }',
            "torch_pooling and round_mode say different things",
        ),
        (
            'type: "Pooling" pooling_param { kernel_size: 2 axis: 2 }',
            r"pooling_param.axis is not supported.*\(intel\)",
        ),
        ('type: "BatchNorm" batch_norm_param { use_weight_bias: true }', "batch_norm_param.use_weight_bias"),
        (
            'type: "Convolution" convolution_param { num_output: 1 kernel_size: 1 relu: true coeff: 1 }',
            r"convolution_param.coeff is not supported.*\(intel\)",
        ),
        ('type: "ReLU" transform_param { distort_param { } }', "transform_param.distort_param"),
        ('type: "ReLU" relu_param { relu6: true negative_slope: 0.1 }', "relu6 with a negative_slope"),
        (
            'type: "Pooling" pooling_param { kernel_size: 2 ceil_mode: true round_mode: FLOOR }',
            "ceil_mode and round_mode say different things",
        ),
    ],
)
def test_what_nothing_computes_is_refused(layer, said, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 2, 4, 4] } } }\n'
        f'layer {{ name: "a" bottom: "x" top: "y" {layer} }}\n'
    )
    with pytest.raises(ConfigError, match=rf"net.prototxt:2: layer 'a' .*{said}"):
        Net(path, phase="TEST", seed=1)


def test_what_changes_nothing_is_not():
    Net(
        text.parse(
            """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 2, 4, 4] } } }
            layer { name: "a" type: "Pooling" bottom: "x" top: "y" forward_type: FLOAT16
                pooling_param { kernel_size: 2 pad_l: 0 saturate: None input_scale: 1 engine: MKLDNN } }
            layer { name: "b" type: "BatchNorm" bottom: "y" top: "y"
                batch_norm_param { use_weight_bias: false engine: CAFFE } }""",
            NetParameter,
        ),
        phase="TEST",
        seed=1,
    )


def test_solvers():
    settings.check(text.parse('eval_type: "classification" show_per_class_result: true', SolverParameter))
    with pytest.raises(ConfigError, match=r"clip_weights is not supported; hint: .*\(happynear\)"):
        settings.check(text.parse("clip_weights: 0.1", SolverParameter))


def test_v1_names():
    net = upgraded("""layers { name: "u" type: UNPOOLING unpooling_param { unpool: MAX kernel_size: 2 } }
        layers { name: "b" type: BN bn_param { } } layers { name: "r" type: RELU6 bottom: "x" top: "y" }""")
    assert [layer.type for layer in net.layer] == ["Unpooling", "BN", "Clip"]
    assert net.layer[0].unpooling_param.kernel_size == 2


def test_weights_of_what_was_taken_as_something_else(tmp_path):
    """A file of NVIDIA's, with five blobs in a BatchNorm, and one of a depthwise convolution's."""
    five = [np.array(v, np.float32) for v in ([1, 2], [4, 9], [1], [3, 5], [6, 7])]
    (tmp_path / "bn").write_bytes(nvidias.net(nvidias.layer("bn", "BatchNorm", map(nvidias.raw_blob, five))))
    built = Net(text.parse(NORM, NetParameter), phase="TEST", seed=1)
    built.load(tmp_path / "bn")
    assert [blob.data.tolist() for blob in built.params["bn/scale"]] == [[3, 5], [6, 7]]
    depthwise = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 3, 4, 4] } } }
        layer { name: "c" type: "ConvolutionDepthwise" bottom: "x" top: "y" %s
            convolution_param { num_output: 3 kernel_size: 2 bias_term: false } }"""
    values = "blobs { shape { dim: [3, 1, 2, 2] } data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] }"
    stored = text.parse(depthwise % values, NetParameter)
    (tmp_path / "c.caffemodel").write_bytes(stored.SerializeToString())
    built = Net(text.parse(depthwise % "", NetParameter), phase="TEST", seed=1)
    built.load(tmp_path / "c.caffemodel")
    assert built.params["c"][0].data.ravel().tolist() == list(range(1, 13))


def test_a_shape_and_a_size_are_two_ways_to_say_one_thing():
    for field in ("kernel_size: 3", "kernel_h: 3 kernel_w: 3"):
        with pytest.raises(ConfigError, match="kernel_shape and kernel_size say the same in two ways"):
            upgraded(f"""layer {{ name: "c" type: "NdConvolution" bottom: "x" top: "y" convolution_param {{
              kernel_shape {{ dim: 3 }} {field} }} }}""")
