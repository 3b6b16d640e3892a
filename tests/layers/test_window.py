"""Kernel, stride, pad and dilation: what may be written, and the extents that follow."""

from __future__ import annotations

import pytest

from minicaffe.errors import ConfigError, ShapeError
from minicaffe.layers.vision.window import Window, convolved, pooled
from minicaffe.layers.vision.window_fields import read_pooling_window, read_window
from minicaffe.proto import text
from minicaffe.proto.schema import message_class


def convolution(fields):
    return text.parse(fields, message_class("ConvolutionParameter"))


def pooling(fields):
    return text.parse(fields, message_class("PoolingParameter"))


@pytest.mark.parametrize(
    ("fields", "axes", "window"),
    [
        ("kernel_size: 3", 2, ((3, 3), (1, 1), (0, 0), (1, 1))),
        ("kernel_size: 3 kernel_size: 5 stride: 2 pad: 1 dilation: 2", 2, ((3, 5), (2, 2), (1, 1), (2, 2))),
        (
            "kernel_h: 3 kernel_w: 5 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 2",
            2,
            ((3, 5), (1, 2), (0, 2), (1, 1)),
        ),
        ("kernel_size: 2 stride: [1, 2, 3]", 3, ((2, 2, 2), (1, 2, 3), (0, 0, 0), (1, 1, 1))),
        ("kernel_size: 4", 1, ((4,), (1,), (0,), (1,))),
        ("", 0, ((), (), (), ())),
        ("kernel_size: 3", 0, ((), (), (), ())),
    ],
)
def test_reads_a_convolution(fields, axes, window):
    assert read_window(convolution(fields), axes) == Window(*window)


@pytest.mark.parametrize(
    ("fields", "axes", "message"),
    [
        ("", 2, "kernel_size must have 1 or 2 values for 2 spatial axes; got 0"),
        ("kernel_size: [1, 2]", 3, "kernel_size must have 1 or 3 values for 3 spatial axes; got 2"),
        ("kernel_size: [1, 2]", 1, "kernel_size must have 1 values for 1 spatial axes; got 2"),
        ("kernel_size: 3 pad: [1, 1, 1]", 2, "pad must have 1 or 2 values"),
        ("kernel_size: 3 kernel_h: 3 kernel_w: 3", 2, "both kernel_size and kernel_h or kernel_w are set"),
        ("kernel_h: 3", 2, "kernel_w is missing"),
        ("kernel_size: 3 stride_w: 1", 2, "stride_h is missing"),
        ("kernel_h: 3 kernel_w: 3", 3, "kernel_h and kernel_w are for two spatial axes; there are 3"),
        ("kernel_size: 0", 2, r"kernel_size must be at least 1; got \[0, 0\]"),
        ("kernel_size: 3 stride: 0", 2, "stride must be at least 1"),
        ("kernel_size: 3 dilation: 0", 2, "dilation must be at least 1"),
    ],
)
def test_refuses_a_convolution(fields, axes, message):
    with pytest.raises(ConfigError, match=message):
        read_window(convolution(fields), axes)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "dilation", "out"),
    [
        (6, 3, 1, 0, 1, 4),
        (6, 3, 2, 0, 1, 2),
        (6, 3, 2, 1, 1, 3),
        (7, 3, 1, 0, 3, 1),
        (2, 3, 2, 0, 1, 1),  # one short of the kernel, less than the stride: C's division forgives it
    ],
)
def test_extent_of_a_convolution(size, kernel, stride, pad, dilation, out):
    assert convolved(size, kernel, stride, pad, dilation, pad) == out


def test_a_convolution_needs_room():
    with pytest.raises(
        ShapeError, match="a kernel that reaches over 5 does not fit an input of 4 with padding 0"
    ):
        convolved(4, 3, 1, 0, 2, 0)


@pytest.mark.parametrize(
    ("fields", "window"),
    [
        ("kernel_size: 3", ((3, 3), (1, 1), (0, 0), (1, 1))),
        ("kernel_size: 3 stride: 2 pad: 1", ((3, 3), (2, 2), (1, 1), (1, 1))),
        (
            "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 4 pad_h: 2 pad_w: 0",
            ((3, 2), (2, 4), (2, 0), (1, 1)),
        ),
        ("global_pooling: true", ((), (1, 1), (0, 0), (1, 1))),
        ("global_pooling: true stride: 1 pad: 0", ((), (1, 1), (0, 0), (1, 1))),
    ],
)
def test_reads_a_pooling(fields, window):
    assert read_pooling_window(pooling(fields), 2) == Window(*window)


def test_refuses_a_pooling():
    """tests/layers/test_pooling.py has the others."""
    with pytest.raises(ConfigError, match="kernel_size is missing") as caught:
        read_pooling_window(pooling("stride: 2"), 2)
    assert caught.value.hint == "set kernel_size, or kernel_h and kernel_w"


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "ceil", "out"),
    [
        (6, 3, 2, 0, True, 3),
        (6, 3, 2, 0, False, 2),
        (5, 3, 2, 0, True, 2),
        (6, 3, 2, 1, True, 4),
        (3, 3, 2, 2, True, 3),
        (4, 2, 2, 1, True, 3),
        (3, 2, 2, 1, True, 2),  # the third window would begin at 3, the first padding behind the image: kept
        (2, 3, 4, 2, True, 1),
        (2, 3, 2, 0, True, 1),
    ],
)
def test_extent_of_a_pooling(size, kernel, stride, pad, ceil, out):
    window = Window((kernel, 1), (stride, 1), (pad, 0), (1, 1))
    assert pooled((size, 1), window, ceil) == (out, 1)


def test_padding_along_one_axis_drops_windows_along_both():
    """As in Caffe: without any padding the windows that begin at 5 would be refused."""
    kernel, stride = (1, 2), (5, 1)
    assert pooled((3, 4), Window(kernel, stride, (0, 1), (1, 1)), True) == (1, 5)
    with pytest.raises(ShapeError, match="the last window would start at 5, outside an input of 3"):
        pooled((3, 4), Window(kernel, stride, (0, 0), (1, 1)), True)


def test_a_pooling_needs_room():
    with pytest.raises(ShapeError, match="a window of 4 does not fit an input of 2 with padding 0"):
        pooled((2, 2), Window((4, 1), (1, 1), (0, 0), (1, 1)), True)
