"""cuDNN: convolution by NVIDIA's library, what Caffe's `engine: CUDNN` stands for.

The functions are those that Caffe's CuDNNConvolutionLayer calls.  cuDNN 9 has them all, marked as deprecated,
so a cuDNN 10 is refused.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator
from ctypes import POINTER, byref, c_double, c_float, c_int, c_size_t, c_void_p
from typing import Any, NamedTuple

import numpy as np

from .. import log
from ..errors import DeviceError, locate
from ..kernels.convolution import Conv
from .base import ALIGNMENT
from .libraries import StatusError, functions, install

MAJOR = 9

NCHW = 0  # CUDNN_TENSOR_NCHW
CROSS_CORRELATION = 1
DETERMINISTIC = 1  # cudnnDeterminism_t
# cudnnMathType_t: the first two let tensor cores round float32 to TF32, the third to half precision
DEFAULT_MATH, TENSOR_MATH, HALF_MATH, FMA_MATH = range(4)
# cudnnDataType_t, and the C type of alpha and beta
TYPES = {np.dtype(np.float32): (0, c_float), np.dtype(np.float64): (1, c_double)}
BROKEN = range(1001, 2000)  # cudnnStatus_t of cuDNN 9: the library itself, not what it was asked
MAX_ALGORITHMS = 32  # more than cuDNN has for any direction

DIRECTIONS = ("Forward", "BackwardData", "BackwardFilter")


class Performance(ctypes.Structure):
    """cudnnConvolutionFwdAlgoPerf_t and its two twins: an algorithm, and what cuDNN knows of it."""

    _fields_ = [
        ("algorithm", c_int),
        ("status", c_int),  # 0: it can be used
        ("milliseconds", c_float),
        ("nbytes", c_size_t),  # of workspace
        ("determinism", c_int),
        ("math", c_int),
        ("reserved", c_int * 3),
    ]


def _prototypes() -> Iterator[tuple[str, list]]:
    """Functions that return a status: name and parameters.  All three directions take their two operands, the
    convolution and the result in this order; an array's descriptor stands before its address."""
    handle = descriptor = scalar = c_void_p
    array = [c_void_p, c_void_p]
    found = [c_int, POINTER(c_int), POINTER(Performance)]  # asked for, returned, the list
    workspace = [c_void_p, c_size_t]
    yield "cudnnCreate", [POINTER(c_void_p)]
    yield "cudnnDestroy", [handle]
    yield "cudnnSetStream", [handle, c_void_p]
    for kind in ("Tensor", "Filter", "Convolution"):
        yield f"cudnnCreate{kind}Descriptor", [POINTER(c_void_p)]
        yield f"cudnnDestroy{kind}Descriptor", [descriptor]
    ints = POINTER(c_int)
    yield "cudnnSetTensorNdDescriptor", [descriptor, c_int, c_int, ints, ints]  # type, axes, extents, strides
    yield "cudnnSetFilterNdDescriptor", [descriptor, c_int, c_int, c_int, ints]  # type, format, axes, extents
    # axes, pad, stride, dilation, mode, type of the arithmetic
    yield "cudnnSetConvolutionNdDescriptor", [descriptor, c_int, ints, ints, ints, c_int, c_int]
    yield "cudnnSetConvolutionGroupCount", [descriptor, c_int]
    yield "cudnnSetConvolutionMathType", [descriptor, c_int]
    for direction in DIRECTIONS:
        described = [handle, descriptor, descriptor, descriptor, descriptor]
        yield f"cudnnGetConvolution{direction}Algorithm_v7", [*described, *found]
        yield f"cudnnGetConvolution{direction}WorkspaceSize", [*described, c_int, POINTER(c_size_t)]
        operands = [*array, *array, descriptor]
        yield f"cudnnFindConvolution{direction}AlgorithmEx", [handle, *operands, *array, *found, *workspace]
        yield (
            f"cudnnConvolution{direction}",
            [handle, scalar, *operands, c_int, *workspace, scalar, *array],
        )


PROTOTYPES = dict(_prototypes())


class Cudnn:
    """cuDNN on one stream at a time: the handle, and descriptors of arrays, made once each.

    library  what libraries.find gives; DeviceError unless it is cuDNN 9
    stream   address of the CUDA stream that calls are queued on
    """

    def __init__(self, library, stream: int) -> None:
        library.cudnnGetVersion.restype = c_size_t
        self.version: int = library.cudnnGetVersion()
        major = self.version // (10000 if self.version >= 10000 * MAJOR else 1000)
        if major != MAJOR:
            raise DeviceError(f"cuDNN {MAJOR} is needed; this is cuDNN {major}", hint=install("cudnn"))
        library.cudnnGetErrorString.argtypes = [c_int]
        library.cudnnGetErrorString.restype = ctypes.c_char_p
        self.call = functions(
            "cudnn", library, PROTOTYPES, lambda status: library.cudnnGetErrorString(status).decode()
        )
        self._created: list[tuple[str, c_void_p]] = []
        self._arrays: dict[tuple, c_void_p] = {}
        self.handle = c_void_p()
        self.call.cudnnCreate(byref(self.handle))
        self.queue_on(stream)

    def queue_on(self, stream: int) -> None:
        """Queue further calls on another stream."""
        self.call.cudnnSetStream(self.handle, stream)

    def tensor(self, dtype: np.dtype, shape: tuple[int, ...], step: int) -> c_void_p:
        """The descriptor of an array of 4 or 5 axes, contiguous but for the first, along which it has `step`
        elements from one index to the next."""
        key = "Tensor", dtype, shape, step
        if key not in self._arrays:
            strides = [step, *[math.prod(shape[axis + 1 :]) for axis in range(1, len(shape))]]
            descriptor = self._arrays[key] = self._create("Tensor")
            self.call.cudnnSetTensorNdDescriptor(
                descriptor, TYPES[dtype][0], len(shape), _ints(shape), _ints(strides)
            )
        return self._arrays[key]

    def filter(self, dtype: np.dtype, shape: tuple[int, ...]) -> c_void_p:
        """The descriptor of weights: outputs, inputs of a group, kernel."""
        key = "Filter", dtype, shape
        if key not in self._arrays:
            descriptor = self._arrays[key] = self._create("Filter")
            self.call.cudnnSetFilterNdDescriptor(descriptor, TYPES[dtype][0], NCHW, len(shape), _ints(shape))
        return self._arrays[key]

    def convolution(self, dtype: np.dtype, groups: int, pad, stride, dilation) -> c_void_p:
        """A new descriptor of a convolution over as many axes as `pad` has, its arithmetic not yet set."""
        descriptor = self._create("Convolution")
        self.call.cudnnSetConvolutionNdDescriptor(
            *(descriptor, len(pad), _ints(pad), _ints(stride), _ints(dilation)),
            *(CROSS_CORRELATION, TYPES[dtype][0]),
        )
        self.call.cudnnSetConvolutionGroupCount(descriptor, groups)
        return descriptor

    def _create(self, kind: str) -> c_void_p:
        descriptor = c_void_p()
        getattr(self.call, f"cudnnCreate{kind}Descriptor")(byref(descriptor))
        self._created.append((kind, descriptor))
        return descriptor

    def close(self) -> None:
        """Give everything back; no call may follow."""
        for kind, descriptor in self._created:
            getattr(self.call, f"cudnnDestroy{kind}Descriptor")(descriptor)
        self._created.clear()
        self._arrays.clear()
        if self.handle:
            self.call.cudnnDestroy(self.handle)
            self.handle = c_void_p()


def _ints(values) -> ctypes.Array:
    return (c_int * len(values))(*values)


class PreparedCall(NamedTuple):
    """What one direction of one convolution is called with: descriptors, algorithm, bytes of workspace."""

    operands: tuple[c_void_p, c_void_p]
    convolution: c_void_p
    result: c_void_p
    algorithm: int
    nbytes: int


class Convolutions:
    """The family of kernels/convolution.py, its products by cuDNN.

    dnn        Cudnn
    device     whose dtype, workspace and math are used.  math "TF32": tensor cores may round float32
               operands to 10 bits behind the point; else the accuracy is that of float32
    own        the same family by other means: what follows a product; and all of it for geometries that cuDNN
               refuses: a kernel larger than the padded image, padding that differs from side to side, or one
               with no algorithm that will do
    strict     where images do not lie apart, a refusal is an error
    address    of a device array, as the library takes it
    limit      bytes of workspace that an algorithm may take
    measure    True: the first call for a geometry times all algorithms and keeps the fastest, which may be
               another in the next run; False: cuDNN's own ranking, the same every time

    Where cuDNN itself is broken (a part of it cannot be loaded, or is of another version) it is not asked
    again.

    An algorithm is chosen in the first call for a geometry, which therefore cannot be captured.  Only one
    that repeats its bits is taken; Caffe takes any.

    Raises DeviceError with cuDNN's status if `strict`: else the log says it.
    """

    def __init__(
        self,
        dnn: Cudnn,
        device,
        own: Any,
        *,
        address: Callable[..., int] | None = None,
        limit: int = 256 << 20,
        measure: bool = False,
        strict: bool = False,
    ) -> None:
        self._dnn, self._device, self._own, self._strict = dnn, device, own, strict
        self._address = address or device.address
        self._limit, self._measure = limit, measure
        self._plans: dict[tuple[str, Conv], PreparedCall | None] = {}  # None: refused
        self._broken = False
        _, scalar = TYPES[device.dtype]
        self._scalars = scalar(0), scalar(1)  # beta: the result is written, or added to
        self.conv_finish, self.conv_backward_bias = own.conv_finish, own.conv_backward_bias

    def conv_forward(self, x, weights, scale, bias, y, g: Conv) -> None:
        """The sum by cuDNN, what follows it by a kernel."""
        if not self._run("Forward", x, weights, y, g, 0):
            self._own.conv_forward(x, weights, scale, bias, y, g)
        elif g.scaled or g.bias or g.relu:
            self.conv_finish(scale, bias, y, g)

    def conv_backward_data(self, dy, weights, dx, g: Conv) -> None:
        """dx = the gradient of x, or dx += it."""
        if not self._run("BackwardData", weights, dy, dx, g, g.add):
            self._own.conv_backward_data(dy, weights, dx, g)

    def conv_backward_weights(self, x, dy, dweights, g: Conv) -> None:
        """dweights += the gradient of weights."""
        if not self._run("BackwardFilter", x, dy, dweights, g, 1):
            self._own.conv_backward_weights(x, dy, dweights, g)

    def _run(self, direction: str, a, b, result, g: Conv, add: int) -> bool:
        """False, and nothing done, if it is for the kernels of its own."""
        if not g.n:
            return True  # cuDNN knows no empty arrays; of others than empty batches it says so
        if self._broken:
            return False
        self._device.use()
        addresses = self._address(a), self._address(b), self._address(result)
        key = direction, g
        if key not in self._plans:
            self._device.refuse_while_recording(
                "choose an algorithm of cuDNN", "run the body once before it is captured"
            )
            self._plans[key] = self._first(direction, g, addresses, add)
        elif (plan := self._plans[key]) is not None:
            self._launch(direction, plan, addresses, add)
        return self._plans[key] is not None

    def _launch(self, direction: str, plan: PreparedCall, addresses: tuple[int, int, int], add: int) -> None:
        workspace = self._address(self._device.workspace(plan.nbytes)) if plan.nbytes else None
        getattr(self._dnn.call, f"cudnnConvolution{direction}")(
            *(self._dnn.handle, byref(self._scalars[1])),
            *(plan.operands[0], addresses[0], plan.operands[1], addresses[1]),
            *(plan.convolution, plan.algorithm, workspace, plan.nbytes),
            *(byref(self._scalars[add]), plan.result, addresses[2]),
        )

    # -- what is settled in the first call

    def _first(
        self, direction: str, g: Conv, addresses: tuple[int, int, int], add: int
    ) -> PreparedCall | None:
        """Launch it for the first time, and return how; None if cuDNN refuses."""
        try:
            with locate(lambda: f"{direction} of {g}"):
                plan = self._plan(direction, g, addresses, add)
            self._launch(direction, plan, addresses, add)
        except DeviceError as error:
            if self._strict and not _apart(g):
                raise
            self._broken = isinstance(error, StatusError) and error.status in BROKEN
            if self._broken:
                log.warning(f"Convolutions by the project's own kernels: cuDNN is broken: {error}")
            else:
                log.info(f"Not by cuDNN: {error}")
            return None
        return plan

    def _plan(self, direction: str, g: Conv, addresses: tuple[int, int, int], add: int) -> PreparedCall:
        if _lopsided(g):
            raise DeviceError(
                "cuDNN pads both ends of an axis alike", hint="engine: CAFFE in convolution_param"
            )
        dnn, dtype = self._dnn, self._device.dtype
        shapes = _shapes(g)
        x, y = dnn.tensor(dtype, shapes[0], g.x_step), dnn.tensor(dtype, shapes[2], g.y_step)
        weights = dnn.filter(dtype, shapes[1])
        a, b, result = {
            "Forward": (x, weights, y),
            "BackwardData": (weights, y, x),
            "BackwardFilter": (x, y, weights),
        }[direction]
        pad, stride = _axes(g, g.pd, g.ph, g.pw), _axes(g, g.sd, g.sh, g.sw)
        convolution = dnn.convolution(dtype, g.groups, pad, stride, _axes(g, g.ld, g.lh, g.lw))
        # float64 has no coarser arithmetic to be kept from.
        exact = self._device.math != "TF32" and dtype == np.float32
        refused = (TENSOR_MATH, HALF_MATH) if exact else (HALF_MATH,)
        dnn.call.cudnnSetConvolutionMathType(convolution, FMA_MATH if exact else DEFAULT_MATH)

        described = a, b, convolution, result
        if self._measure:
            result_bytes = math.prod(shapes[1]) if direction == "BackwardFilter" else g.n * g.x_step
            spare = result_bytes * dtype.itemsize if add else 0
            ranking = self._timed(direction, described, addresses, spare)
        else:
            ranking = self._ranked(direction, described)
        for one in ranking:
            if one.status or one.determinism != DETERMINISTIC or one.math in refused:
                continue
            if not exact:
                dnn.call.cudnnSetConvolutionMathType(convolution, one.math)
            nbytes = self._workspace_bytes(direction, described, one.algorithm)
            if nbytes <= self._limit:
                return PreparedCall((a, b), convolution, result, one.algorithm, nbytes)
        raise DeviceError(
            f"cuDNN has no algorithm that repeats its bits in at most {self._limit} bytes of workspace",
            hint="engine: CAFFE in convolution_param",
        )

    def _ranked(self, direction: str, described: tuple) -> list[Performance]:
        """cuDNN's guess, the fastest first."""
        count, found = c_int(), (Performance * MAX_ALGORITHMS)()
        get = getattr(self._dnn.call, f"cudnnGetConvolution{direction}Algorithm_v7")
        get(self._dnn.handle, *described, MAX_ALGORITHMS, byref(count), found)
        return found[: count.value]

    def _timed(self, direction: str, described: tuple, addresses: tuple, nbytes: int) -> list[Performance]:
        """The algorithms timed on these arrays, the fastest first.  The result is overwritten; one that is
        added to (of `nbytes`, else 0) must not be, and is computed in the workspace."""
        a, b, convolution, result = described
        spare = -(-nbytes // ALIGNMENT) * ALIGNMENT
        block = self._address(self._device.workspace(spare + self._limit))
        out = block if spare else addresses[2]
        count, found = c_int(), (Performance * MAX_ALGORITHMS)()
        getattr(self._dnn.call, f"cudnnFindConvolution{direction}AlgorithmEx")(
            *(self._dnn.handle, a, addresses[0], b, addresses[1], convolution, result, out),
            *(MAX_ALGORITHMS, byref(count), found, block + spare, self._limit),
        )
        return found[: count.value]

    def _workspace_bytes(self, direction: str, described: tuple, algorithm: int) -> int:
        """What an algorithm needs under the arithmetic that has been set, which can be other than listed."""
        nbytes = c_size_t()
        get = getattr(self._dnn.call, f"cudnnGetConvolution{direction}WorkspaceSize")
        get(self._dnn.handle, *described, algorithm, byref(nbytes))
        return nbytes.value


def _axes(g: Conv, depth: int, rows: int, columns: int) -> tuple[int, ...]:
    """cuDNN convolves over two axes or three: the depth counts where there is any."""
    flat = g.d == g.od == g.kd == 1 and g.pd == 0
    return (rows, columns) if flat else (depth, rows, columns)


def _lopsided(g: Conv) -> bool:
    """Whether an axis has more or fewer outputs than with the same padding at both ends."""
    axes = (
        (g.d, g.od, g.sd, g.pd, g.ld * (g.kd - 1)),
        (g.h, g.oh, g.sh, g.ph, g.lh * (g.kh - 1)),
        (g.w, g.ow, g.sw, g.pw, g.lw * (g.kw - 1)),
    )
    rooms = ((n + 2 * p - reach - 1, s, o) for n, o, s, p, reach in axes)
    return any(room >= 0 and room // s + 1 != o for room, s, o in rooms)


def _apart(g: Conv) -> bool:
    """Whether images of either side lie apart."""
    inputs, outputs = g.groups * g.c * g.d * g.h * g.w, g.groups * g.m * g.pixels
    return (g.x_step, g.y_step) != (inputs, outputs)


def _shapes(g: Conv) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Of x, weights and y, as cuDNN counts them."""
    return (
        (g.n, g.groups * g.c, *_axes(g, g.d, g.h, g.w)),
        (g.groups * g.m, g.c, *_axes(g, g.kd, g.kh, g.kw)),
        (g.n, g.groups * g.m, *_axes(g, g.od, g.oh, g.ow)),
    )
