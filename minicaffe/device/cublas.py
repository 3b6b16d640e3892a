"""cuBLAS: matrix products on a device, by ctypes."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import POINTER, byref, c_double, c_float, c_int, c_longlong, c_size_t, c_void_p

import numpy as np

from .libraries import functions

STATUS = {  # cublasStatus_t
    1: "NOT_INITIALIZED",
    3: "ALLOC_FAILED",
    7: "INVALID_VALUE",
    8: "ARCH_MISMATCH",
    11: "MAPPING_ERROR",
    13: "EXECUTION_FAILED",
    14: "INTERNAL_ERROR",
    15: "NOT_SUPPORTED",
    16: "LICENSE_ERROR",
}
HOST_SCALARS = 0  # CUBLAS_POINTER_MODE_HOST: alpha and beta are read in the call; a graph holds their values
DEFAULT_ALGORITHM = -1  # CUBLAS_GEMM_DEFAULT: cuBLAS chooses
# cudaDataType, cublasComputeType_t, and the C type of alpha and beta
TYPES = {np.dtype(np.float32): (0, 68, c_float), np.dtype(np.float64): (1, 70, c_double)}
TF32 = 77  # CUBLAS_COMPUTE_32F_FAST_TF32

_operand = [c_void_p, c_int, c_int, c_longlong]  # address, type, leading dimension, stride of the batch
PROTOTYPES: dict[str, list] = {
    "cublasCreate_v2": [POINTER(c_void_p)],
    "cublasDestroy_v2": [c_void_p],
    "cublasSetStream_v2": [c_void_p, c_void_p],
    "cublasSetWorkspace_v2": [c_void_p, c_void_p, c_size_t],
    "cublasSetPointerMode_v2": [c_void_p, c_int],
    "cublasGemmStridedBatchedEx": [
        *[c_void_p, c_int, c_int, c_int, c_int, c_int],  # handle, op(A), op(B), m, n, k
        *[c_void_p, *_operand, *_operand, c_void_p, *_operand],  # alpha, A, B, beta, C
        *[c_int, c_int, c_int],  # batch, compute type, algorithm
    ],
}


class Cublas:
    """Matrix products on one stream at a time.

    library          what libraries.find gives
    stream           address of the CUDA stream that calls are queued on
    workspace        address of device memory that products may use, on a boundary of 256 bytes: cuBLAS then
                     allocates nothing, so that calls can be captured in a graph, and repeats its bits
                     whatever other streams do
    workspace_bytes  its size: 32 MiB suit Hopper, 4 MiB others
    use              makes the stream's GPU the calling thread's current one, which cuBLAS takes it to be

    Raises DeviceError with cuBLAS's status, here and in every call.
    """

    def __init__(
        self,
        library,
        stream: int,
        workspace: int,
        workspace_bytes: int,
        use: Callable[[], None] = lambda: None,
    ) -> None:
        self._use = use
        self._call = functions("cublas", library, PROTOTYPES, _describe)
        self._handle = c_void_p()
        self._call.cublasCreate_v2(byref(self._handle))
        self._workspace_bytes = workspace_bytes
        self.queue_on(stream, workspace)
        self._call.cublasSetPointerMode_v2(self._handle, HOST_SCALARS)

    def queue_on(self, stream: int, workspace: int) -> None:
        """Queue further calls on another stream, which needs a workspace of its own, as large as the
        first."""
        # In this order: setting the stream resets the workspace.
        self._call.cublasSetStream_v2(self._handle, stream)
        self._call.cublasSetWorkspace_v2(self._handle, workspace, self._workspace_bytes)

    def gemm(
        self,
        a: int,
        b: int,
        c: int,
        m: int,
        n: int,
        k: int,
        *,
        ta: bool = False,
        tb: bool = False,
        add: bool = False,
        dtype: np.dtype | type = np.float32,
        tf32: bool = False,
        batch: int = 1,
        strides: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        """c (m, n) = op(a) (m, k) times op(b) (k, n), or c += with add: contiguous row-major matrices at
        these addresses; op transposes where ta or tb is set.

        With `batch`, as many products, `strides` elements apart; 0 gives every product the same a or b.
        `tf32` lets tensor cores round float32 operands to 10 bits behind the point.

        Nothing to compute is no call; but k = 0 without add would clear c, which is for the caller to do:
        ValueError.
        """
        if not m or not n or not batch:
            return
        if not k:
            if not add:
                raise ValueError("a product of no terms: fill c with 0 instead")
            return
        kind, compute, scalar = TYPES[np.dtype(dtype)]
        if tf32 and compute == 68:
            compute = TF32
        self._use()
        # cuBLAS counts by columns, where our arrays are their transposes: c' = op(b)' op(a)'.
        self._call.cublasGemmStridedBatchedEx(
            *(self._handle, int(tb), int(ta), n, m, k),
            *(byref(scalar(1)), b, kind, k if tb else n, strides[1]),
            *(a, kind, m if ta else k, strides[0]),
            *(byref(scalar(int(add))), c, kind, n, strides[2]),
            *(batch, compute, DEFAULT_ALGORITHM),
        )

    def close(self) -> None:
        """Give the handle back; no call may follow."""
        if self._handle:
            self._call.cublasDestroy_v2(self._handle)
            self._handle = c_void_p()


def _describe(status: int) -> str:
    return f"CUBLAS_STATUS_{STATUS.get(status, status)}"
