"""Deconvolution."""

import numpy as np
import pytest

from minicaffe.errors import ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, check_gradient

DECONV = 'type: "Deconvolution" convolution_param {{ {} }}'

CASES = [
    Case(DECONV.format("num_output: 4 kernel_size: 3"), ((2, 3, 6, 5),)),
    Case(DECONV.format("num_output: 4 kernel_size: 3 pad: 1 stride: 2 group: 2"), ((2, 4, 4, 3),)),
    Case(
        DECONV.format("num_output: 3 kernel_h: 2 kernel_w: 3 dilation: 2 bias_term: false"), ((1, 2, 4, 5),)
    ),
    Case(DECONV.format("num_output: 2 kernel_size: 2 stride: 2 pad: 1"), ((2, 2, 2, 3, 4),)),
    Case(DECONV.format("num_output: 5 kernel_size: 3"), ((3, 2, 5),)),
]


def spread(x, weights, bias, stride, pad):
    """The definition: every pixel adds its weights, then the rim is cut off."""
    (n, _, h, w), (_, outputs, kh, kw) = x.shape, weights.shape
    y = np.zeros((n, outputs, stride * (h - 1) + kh, stride * (w - 1) + kw))
    for i, j in np.ndindex(h, w):
        window = np.s_[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
        y[window] += np.einsum("nc,cokl->nokl", x[:, :, i, j], weights)
    return y[:, :, pad : y.shape[2] - pad, pad : y.shape[3] - pad] + bias[:, None, None]


@each_device
@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1), (3, 0)])
def test_formula_and_gradient(device, stride, pad):
    conf = f"num_output: 3 kernel_size: 4 stride: {stride} pad: {pad}"
    case = Case(DECONV.format(conf), ((2, 2, 3, 4),))
    check_forward(case, device, lambda x, w, b: spread(x, w, b, stride, pad))
    check_gradient(case, device)


@each_device
def test_it_is_the_transpose_of_convolution(device):
    """<conv(x), y> = <x, deconv(y)> for equal weights."""
    conf = "num_output: {} kernel_size: 3 stride: 2 pad: 1 group: 2 bias_term: false"
    conv = Rig(Case(f'type: "Convolution" convolution_param {{ {conf.format(6)} }}', ((2, 4, 7, 9),)), device)
    deconv = Rig(Case(DECONV.format(conf.format(4)), ((2, 6, 4, 5),)), device)
    device.copy(conv.layer.params[0].data, deconv.layer.params[0].data)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 4, 7, 9)), rng.standard_normal((2, 6, 4, 5))
    (forth,), (back,) = conv.forward([x]), deconv.forward([y])
    assert forth.shape == y.shape and back.shape == x.shape
    np.testing.assert_allclose((forth * y).sum(), (x * back).sum(), rtol=1e-12)


def test_bilinear_weights_enlarge_an_image():
    """A ramp stays a ramp, of half the slope, away from the rim."""
    net = """
      layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 5 dim: 6 } } }
      layer { name: "up" type: "Deconvolution" bottom: "x" top: "y" convolution_param {
        num_output: 2 group: 2 kernel_size: 4 stride: 2 pad: 1 bias_term: false
        weight_filler { type: "bilinear" } } }"""
    ramp = np.broadcast_to(np.arange(6.0), (1, 2, 5, 6))
    y = Net(text.parse(net, NetParameter)).forward(x=ramp)["y"]
    assert y.shape == (1, 2, 10, 12)
    np.testing.assert_allclose(np.diff(y[:, :, 1:-1, 1:-1], axis=3), 0.5, rtol=1e-6)


def test_padding_that_leaves_nothing_is_refused(cpu):
    with pytest.raises(ShapeError, match="padding 2 leaves nothing of the output of an input of 1"):
        Rig(Case(DECONV.format("num_output: 1 kernel_size: 3 pad: 2"), ((1, 1, 1, 1),)), cpu)
