"""cuBLAS and cuDNN without a GPU: their functions over NumPy (c_library.py says how)."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_float, c_int, c_longlong, c_size_t, c_void_p
from typing import NamedTuple

import numpy as np

from .c_library import FLOATS, FakeLibrary, Refused, array_at, entry, tf32


class FakeCublas(FakeLibrary):
    """cuBLAS: matrices by columns."""

    NOT_INITIALIZED, ALLOC_FAILED, INVALID_VALUE, NOT_SUPPORTED = 1, 3, 7, 15
    failure, bad_handle = 14, NOT_INITIALIZED

    def __init__(self, enqueue=None) -> None:
        super().__init__(enqueue)
        self.workspaces: dict[int, tuple[int, int] | None] = {}
        self.products = 0  # calls that were accepted

    @entry(POINTER(c_void_p))
    def cublasCreate_v2(self, out):
        self.create(out)

    @entry(c_void_p)
    def cublasDestroy_v2(self, handle):
        self.destroy(handle)

    @entry(c_void_p, c_void_p)
    def cublasSetStream_v2(self, handle, stream):
        self.stream(handle)
        self.streams[handle] = stream
        self.workspaces[handle] = None  # the user's is given up

    @entry(c_void_p, c_void_p, c_size_t)
    def cublasSetWorkspace_v2(self, handle, address, nbytes):
        self.stream(handle)
        if not address or address % 256:
            raise Refused(self.INVALID_VALUE)
        self.workspaces[handle] = address, nbytes

    @entry(c_void_p, c_int)
    def cublasSetPointerMode_v2(self, handle, mode):
        self.stream(handle)
        if mode != 0:  # 1: scalars in device memory, which this fake does not have
            raise Refused(self.INVALID_VALUE)

    @entry(
        *[c_void_p, c_int, c_int, c_int, c_int, c_int, c_void_p],
        *[c_void_p, c_int, c_int, c_longlong],
        *[c_void_p, c_int, c_int, c_longlong, c_void_p],
        *[c_void_p, c_int, c_int, c_longlong],
        *[c_int, c_int, c_int],
    )
    def cublasGemmStridedBatchedEx(
        self, handle, op_a, op_b, m, n, k, alpha, a, type_a, lda, stride_a, b, type_b, ldb, stride_b,
        beta, c, type_c, ldc, stride_c, batch, compute, algorithm,
    ):  # fmt: skip
        stream = self.stream(handle)
        if op_a not in (0, 1) or op_b not in (0, 1) or algorithm != -1 or min(m, n, k, batch) < 0:
            raise Refused(self.INVALID_VALUE)
        if not type_a == type_b == type_c or (type_a, compute) not in ((0, 68), (0, 77), (1, 70)):
            raise Refused(self.NOT_SUPPORTED)
        dtype, scalar = FLOATS[type_a]
        rows_a, rows_b = k if op_a else m, n if op_b else k
        if lda < max(1, rows_a) or ldb < max(1, rows_b) or ldc < max(1, m):
            raise Refused(self.INVALID_VALUE)
        if batch > 1 and abs(stride_c) < ldc * (n - 1) + m:  # products would write over one another
            raise Refused(self.INVALID_VALUE)
        if not all((alpha, beta, a, b, c)):
            raise Refused(self.INVALID_VALUE)
        if not self.workspaces[handle]:  # it would allocate one, perhaps in the middle of a capture
            raise Refused(self.ALLOC_FAILED)
        # Scalars are read now, matrices when the stream comes to it.
        alpha, beta = (dtype.type(scalar.from_address(address).value) for address in (alpha, beta))

        def matrix(address, rows, columns, leading, stride, i):
            flat = array_at(address + i * stride * dtype.itemsize, dtype, ((columns - 1) * leading + rows,))
            steps = dtype.itemsize, leading * dtype.itemsize
            return np.lib.stride_tricks.as_strided(flat, (rows, columns), steps)

        def product():
            for i in range(batch):
                one = matrix(a, rows_a, m if op_a else k, lda, stride_a, i)
                two = matrix(b, rows_b, k if op_b else n, ldb, stride_b, i)
                out = matrix(c, m, n, ldc, stride_c, i)
                one, two = (tf32(x.copy()) if compute == 77 else x for x in (one, two))
                result = alpha * ((one.T if op_a else one) @ (two.T if op_b else two))
                out[...] = result + beta * out if beta else result

        self.products += 1
        if m and n and k and batch:
            self.enqueue(stream, product)


class Performance(ctypes.Structure):
    """cudnnConvolutionFwdAlgoPerf_t and its twins."""

    _fields_ = [
        *[("algorithm", c_int), ("status", c_int), ("milliseconds", c_float), ("nbytes", c_size_t)],
        *[("determinism", c_int), ("math", c_int), ("reserved", c_int * 3)],
    ]


class Algorithm(NamedTuple):
    """One way to compute a direction."""

    number: int
    nbytes: int  # of workspace
    repeats: bool = True  # its bits
    exists: bool = True
    math: int | None = None  # the only arithmetic that it can do


# As cuDNN would rank them; timing finds the reverse order.
ALGORITHMS = {
    "Forward": [
        *(Algorithm(6, 0, exists=False), Algorithm(7, 0, math=2), Algorithm(4, 1 << 40)),
        *(Algorithm(1, 4096), Algorithm(0, 0)),
    ],
    "BackwardData": [
        *(Algorithm(0, 0, repeats=False), Algorithm(4, 16, math=1), Algorithm(1, 2048), Algorithm(5, 8192)),
    ],
    "BackwardFilter": [Algorithm(3, 64, repeats=False), Algorithm(1, 1024), Algorithm(0, 0, repeats=False)],
}

_array = [c_void_p, c_void_p]  # descriptor, address
_described = [c_void_p] * 5  # handle, operand, operand, convolution, result
_found = [c_int, POINTER(c_int), POINTER(Performance)]
_ranked = entry(*_described, *_found)
_sized = entry(*_described, c_int, POINTER(c_size_t))
_timed = entry(c_void_p, *_array, *_array, c_void_p, *_array, *_found, c_void_p, c_size_t)
_convolved = entry(
    *[c_void_p, c_void_p, *_array, *_array, c_void_p, c_int, c_void_p, c_size_t, c_void_p, *_array]
)


class FakeCudnn(FakeLibrary):
    """cuDNN's convolutions, tap by tap in the arrays' type; arrays of 4 or 5 axes, contiguous but for the
    first.

    An algorithm fills its workspace with NaN, and timing fills the result.
    """

    BAD_PARAM, NOT_SUPPORTED = 2000, 3000
    failure, bad_handle = 4000, 1001

    def __init__(self, enqueue=None, *, version: int = 92800) -> None:
        super().__init__(enqueue)
        self.version = version
        self.descriptors: dict[int, dict] = {}
        self.used: list[tuple[str, int, int]] = []  # direction, algorithm, math of the convolutions that ran
        self.text = ctypes.create_string_buffer(64)

    # -- handle and descriptors

    @entry(result=c_size_t)
    def cudnnGetVersion(self):
        return self.version

    @entry(c_int, result=c_void_p)
    def cudnnGetErrorString(self, status):
        names = {self.BAD_PARAM: "BAD_PARAM", self.NOT_SUPPORTED: "NOT_SUPPORTED", 1001: "NOT_INITIALIZED"}
        self.text.value = f"CUDNN_STATUS_{names.get(status, status)}".encode()
        return ctypes.addressof(self.text)

    @entry(POINTER(c_void_p))
    def cudnnCreate(self, out):
        self.create(out)

    @entry(c_void_p)
    def cudnnDestroy(self, handle):
        self.destroy(handle)

    @entry(c_void_p, c_void_p)
    def cudnnSetStream(self, handle, stream):
        self.stream(handle)
        self.streams[handle] = stream

    @entry(POINTER(c_void_p))
    def cudnnCreateTensorDescriptor(self, out):
        self._describe(out, "tensor")

    @entry(POINTER(c_void_p))
    def cudnnCreateFilterDescriptor(self, out):
        self._describe(out, "filter")

    @entry(POINTER(c_void_p))
    def cudnnCreateConvolutionDescriptor(self, out):
        self._describe(out, "convolution", groups=1, math=0)

    @entry(c_void_p)
    def cudnnDestroyTensorDescriptor(self, descriptor):
        self._get(descriptor, "tensor", whole=False)
        del self.descriptors[descriptor]

    @entry(c_void_p)
    def cudnnDestroyFilterDescriptor(self, descriptor):
        self._get(descriptor, "filter", whole=False)
        del self.descriptors[descriptor]

    @entry(c_void_p)
    def cudnnDestroyConvolutionDescriptor(self, descriptor):
        self._get(descriptor, "convolution", whole=False)
        del self.descriptors[descriptor]

    @entry(c_void_p, c_int, c_int, POINTER(c_int), POINTER(c_int))
    def cudnnSetTensorNdDescriptor(self, descriptor, kind, axes, extents, strides):
        shape, steps = self._shape(kind, axes, extents), 1
        for extent, stride in zip(reversed(shape[1:]), reversed(strides[1:axes])):
            if stride != steps:
                raise Refused(self.NOT_SUPPORTED)
            steps *= extent
        if strides[0] < steps:
            raise Refused(self.NOT_SUPPORTED)
        self._get(descriptor, "tensor", whole=False).update(kind=kind, shape=shape, step=strides[0])

    @entry(c_void_p, c_int, c_int, c_int, POINTER(c_int))
    def cudnnSetFilterNdDescriptor(self, descriptor, kind, layout, axes, extents):
        if layout != 0:
            raise Refused(self.NOT_SUPPORTED)
        shape = self._shape(kind, axes, extents)
        self._get(descriptor, "filter", whole=False).update(kind=kind, shape=shape)

    @entry(c_void_p, c_int, POINTER(c_int), POINTER(c_int), POINTER(c_int), c_int, c_int)
    def cudnnSetConvolutionNdDescriptor(self, descriptor, axes, pad, stride, dilation, mode, kind):
        pad, stride, dilation = pad[:axes], stride[:axes], dilation[:axes]
        if axes not in (2, 3) or min(pad) < 0 or min(stride) < 1 or min(dilation) < 1 or kind not in FLOATS:
            raise Refused(self.BAD_PARAM)
        if mode != 1:  # 0 turns the kernel round
            raise Refused(self.NOT_SUPPORTED)
        known = self._get(descriptor, "convolution", whole=False)
        known.update(kind=kind, pad=pad, stride=stride, dilation=dilation)

    @entry(c_void_p, c_int)
    def cudnnSetConvolutionGroupCount(self, descriptor, groups):
        self._get(descriptor, "convolution")["groups"] = groups

    @entry(c_void_p, c_int)
    def cudnnSetConvolutionMathType(self, descriptor, math):
        if math not in (0, 1, 2, 3):
            raise Refused(self.BAD_PARAM)
        self._get(descriptor, "convolution")["math"] = math

    def _describe(self, out, what: str, **values) -> None:
        out[0] = descriptor = next(self.addresses)
        self.descriptors[descriptor] = {"what": what, **values}

    def _get(self, descriptor: int, *what: str, whole: bool = True) -> dict:
        known = self.descriptors.get(descriptor, {"what": None})
        if known["what"] not in what or (whole and "kind" not in known):
            raise Refused(self.BAD_PARAM)
        return known

    def _shape(self, kind: int, axes: int, extents) -> tuple[int, ...]:
        if kind not in FLOATS or not 4 <= axes <= 5 or min(extents[:axes]) < 1:
            raise Refused(self.BAD_PARAM)
        return tuple(extents[:axes])

    # -- results

    @_ranked
    def cudnnGetConvolutionForwardAlgorithm_v7(self, *args):
        self._list("Forward", *args)

    @_ranked
    def cudnnGetConvolutionBackwardDataAlgorithm_v7(self, *args):
        self._list("BackwardData", *args)

    @_ranked
    def cudnnGetConvolutionBackwardFilterAlgorithm_v7(self, *args):
        self._list("BackwardFilter", *args)

    @_sized
    def cudnnGetConvolutionForwardWorkspaceSize(self, *args):
        self._size("Forward", *args)

    @_sized
    def cudnnGetConvolutionBackwardDataWorkspaceSize(self, *args):
        self._size("BackwardData", *args)

    @_sized
    def cudnnGetConvolutionBackwardFilterWorkspaceSize(self, *args):
        self._size("BackwardFilter", *args)

    @_timed
    def cudnnFindConvolutionForwardAlgorithmEx(self, *args):
        self._time("Forward", *args)

    @_timed
    def cudnnFindConvolutionBackwardDataAlgorithmEx(self, *args):
        self._time("BackwardData", *args)

    @_timed
    def cudnnFindConvolutionBackwardFilterAlgorithmEx(self, *args):
        self._time("BackwardFilter", *args)

    @_convolved
    def cudnnConvolutionForward(self, *args):
        self._convolve("Forward", *args)

    @_convolved
    def cudnnConvolutionBackwardData(self, *args):
        self._convolve("BackwardData", *args)

    @_convolved
    def cudnnConvolutionBackwardFilter(self, *args):
        self._convolve("BackwardFilter", *args)

    # -- what the three directions share

    def _operands(self, direction: str, handle, a, b, convolution, result) -> tuple[dict, dict, dict, dict]:
        """x, weights, y and the convolution, which must fit."""
        self.stream(handle)
        order = {"Forward": (a, b, result), "BackwardData": (result, a, b), "BackwardFilter": (a, result, b)}
        x, weights, y = map(self._get, order[direction], ("tensor", "filter", "tensor"))
        known = self._get(convolution, "convolution")
        channels, groups = x["shape"][1], known["groups"]
        outputs, per_group, *kernel = weights["shape"]
        extents = [
            (extent + 2 * p - l * (k - 1) - 1) // s + 1
            for extent, k, p, s, l in zip(
                x["shape"][2:], kernel, known["pad"], known["stride"], known["dilation"]
            )
        ]
        fits = (
            len({len(x["shape"]), len(weights["shape"]), len(y["shape"]), len(known["pad"]) + 2}) == 1
            and len({x["kind"], weights["kind"], y["kind"], known["kind"]}) == 1
            and channels == per_group * groups
            and outputs % groups == 0
            and y["shape"] == (x["shape"][0], outputs, *extents)
        )
        if not fits:
            raise Refused(self.BAD_PARAM)
        return x, weights, y, known

    def _list(self, direction, handle, a, b, convolution, result, asked, count, found) -> None:
        known = self._operands(direction, handle, a, b, convolution, result)[3]
        self._report(ALGORITHMS[direction], known["math"], asked, count, found)

    def _report(self, algorithms, math, asked, count, found) -> None:
        count[0] = min(asked, len(algorithms))
        for i, one in enumerate(algorithms[:asked]):
            status = 0 if one.exists else self.NOT_SUPPORTED
            listed = math if one.math is None else one.math
            found[i] = Performance(one.number, status, i, one.nbytes, int(one.repeats), listed)

    def _algorithm(self, direction: str, number: int, math: int) -> Algorithm:
        for one in ALGORITHMS[direction]:
            if one.number == number and one.exists and one.math in (None, math):
                return one
        raise Refused(self.NOT_SUPPORTED)

    def _size(self, direction, handle, a, b, convolution, result, number, out) -> None:
        known = self._operands(direction, handle, a, b, convolution, result)[3]
        out[0] = self._algorithm(direction, number, known["math"]).nbytes

    def _time(
        self, direction, handle, a, a_at, b, b_at, convolution, result, result_at, asked, count, found, block,
        nbytes,
    ):  # fmt: skip
        known = self._operands(direction, handle, a, b, convolution, result)[3]
        if not all((a_at, b_at, result_at, block)):
            raise Refused(self.BAD_PARAM)
        known_result = self.descriptors[result]

        def spoil():
            array_at(block, np.dtype(np.uint8), (nbytes,)).fill(0xFF)
            described(result_at, known_result)[...] = np.nan

        self.enqueue(self.stream(handle), spoil)
        self._report(ALGORITHMS[direction][::-1], known["math"], asked, count, found)

    def _convolve(
        self, direction, handle, alpha, a, a_at, b, b_at, convolution, number, block, nbytes, beta, result,
        result_at,
    ):  # fmt: skip
        stream = self.stream(handle)
        x, weights, y, known = self._operands(direction, handle, a, b, convolution, result)
        need = self._algorithm(direction, number, known["math"]).nbytes
        if nbytes < need or (need and not block) or not all((alpha, beta, a_at, b_at, result_at)):
            raise Refused(self.BAD_PARAM)
        dtype, scalar = FLOATS[known["kind"]]
        alpha, beta = (dtype.type(scalar.from_address(address).value) for address in (alpha, beta))
        coarse = known["math"] != 3 and dtype == np.float32
        self.used.append((direction, number, known["math"]))
        all_three = x, weights, y
        order = {"Forward": (0, 1, 2), "BackwardData": (1, 2, 0), "BackwardFilter": (0, 2, 1)}[direction]

        def run():
            if need:
                array_at(block, np.dtype(np.uint8), (need,)).fill(0xFF)
            arrays = [described(at, all_three[i]) for i, at in zip(order, (a_at, b_at, result_at))]
            factors = [tf32(array.copy()) if coarse else array for array in arrays[:2]]
            computed = alpha * correlation(direction, *factors, all_three[order[2]]["shape"], known)
            arrays[2][...] = computed + (beta * arrays[2] if beta else 0)

        self.enqueue(stream, run)


def described(address: int, known: dict) -> np.ndarray:
    """The array of a descriptor: a contiguous one, or images that lie `step` elements apart."""
    dtype, (n, *image) = FLOATS[known["kind"]][0], known["shape"]
    size = int(np.prod(image))
    step = known.get("step", size)
    flat = array_at(address, dtype, ((n - 1) * step + size,))
    steps = [step, *[int(np.prod(image[i + 1 :])) for i in range(len(image))]]
    return np.lib.stride_tricks.as_strided(flat, (n, *image), [dtype.itemsize * one for one in steps])


def correlation(direction: str, a, b, shape: tuple[int, ...], known: dict) -> np.ndarray:
    """One direction of a convolution: the sum over its taps, each a product of y's channels with those pixels
    of x that the tap meets."""
    groups, pad = known["groups"], known["pad"]

    def split(array, axis):  # channels of an axis by their groups
        return array.reshape(*array.shape[:axis], groups, -1, *array.shape[axis + 1 :])

    def flat(array):  # its pixels in one axis
        return array.reshape(*array.shape[:3], -1)

    around = [(0, 0)] * 3 + [(p, p) for p in pad]
    result = np.zeros(shape, a.dtype)
    if direction == "Forward":
        x, weights, y = np.pad(split(a, 1), around), split(b, 0), split(result, 1)
    elif direction == "BackwardData":
        weights, y = split(a, 0), split(b, 1)
        x = np.pad(split(result, 1), around)
    else:
        x, y, weights = np.pad(split(a, 1), around), split(b, 1), split(result, 0)
    extents = y.shape[3:]
    for tap in np.ndindex(*weights.shape[3:]):
        met = tuple(
            slice(k * l, k * l + (extent - 1) * s + 1, s)
            for k, l, extent, s in zip(tap, known["dilation"], extents, known["stride"])
        )
        pixels, factor = x[(..., *met)], weights[(..., *tap)]
        if direction == "Forward":
            y += np.einsum("ngc...,gmc->ngm...", pixels, factor)
        elif direction == "BackwardData":
            pixels += np.einsum("ngm...,gmc->ngc...", y, factor)
        else:
            factor += np.einsum("ngmp,ngcp->gmc", flat(y), flat(pixels))
    if direction == "BackwardData":
        inner = tuple(slice(p, extent - p) for p, extent in zip(pad, x.shape[3:]))
        result[...] = x[(..., *inner)].reshape(shape)
    return result
