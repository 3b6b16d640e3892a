"""A blob as Python code of users sees it: arrays on the host, and the protocols that arrays speak."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import numpy as np

from ..core.blob import Blob
from ..device.base import Device
from ..errors import DeviceError, ShapeError


class _Copy:
    """An array on the host for one that cannot be written directly.

    held  keeps it alive until it is written back: `blob.data[...] = 1` leaves no other reference
    seen  what it held when it was read or written back last
    """

    def __init__(self, array: np.ndarray) -> None:
        self.held: np.ndarray | None = array
        self.seen = array.copy()
        self._reference = weakref.ref(array)

    @property
    def array(self) -> np.ndarray | None:
        """None once nobody has it any more."""
        return self._reference()

    @property
    def changed(self) -> bool:
        array = self.array
        return array is not None and array.tobytes() != self.seen.tobytes()


class BlobView:
    """pycaffe's Blob: data and diff as NumPy arrays, shape, reshape.

    Where the host can write the blob's memory, the arrays are that memory.  On a GPU, and after a reshape
    that the memory has not followed yet, they are copies: `flush` writes back those that were changed,
    `refresh` reads anew those that somebody still has.  Who runs passes calls the first before and the second
    after them, so that arrays stay what the blob holds, whenever they were taken.

    np.asarray(view) is data.  DLPack and __cuda_array_interface__ give data where it lies, without a copy;
    what is written there must be done before the next pass.

    copied  a set that views with copies add themselves to; given where every blob has memory of its own,
            which stays as long as it is large enough
    """

    def __init__(self, blob: Blob, device: Device, copied: Any = None) -> None:
        self._blob, self._device, self.copied = blob, device, copied
        self._copies: dict[str, _Copy] = {}
        self._initial: np.ndarray | None = None  # data of a parameter before it has memory

    def __repr__(self) -> str:
        return repr(self._blob)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._blob.shape

    @property
    def count(self) -> int:
        return self._blob.count

    num = property(lambda self: self._legacy(0))
    channels = property(lambda self: self._legacy(1))
    height = property(lambda self: self._legacy(2))
    width = property(lambda self: self._legacy(3))

    def _legacy(self, axis: int) -> int:
        """One of four axes, 1 if it is missing."""
        if len(self.shape) > 4:
            raise ShapeError(f"num, channels, height and width are for up to 4 axes; got {self.shape}")
        return self.shape[axis] if axis < len(self.shape) else 1

    def reshape(self, *shape: int) -> None:
        self.flush()  # what was written before is there in another shape, as in Caffe, unless that is larger
        self._blob.reshape(*map(int, shape))

    @property
    def data(self) -> np.ndarray:
        if self._blob.data is None and self._initial is not None:
            return self._initial
        return self._array("data")

    @property
    def diff(self) -> np.ndarray:
        return self._array("diff")

    def _array(self, kind: str) -> np.ndarray:
        bound, follows = self._bound(kind)
        copy = self._copies.get(kind)
        array = copy.array if copy else None
        if copy and array is not None and array.shape == self.shape:
            if follows and copy.held is None:
                self._read(copy, bound)
            copy.held = array
            return array
        if follows and isinstance(bound, np.ndarray):
            return bound
        if follows:
            array = self._device.get(bound)
        elif self.copied is not None and bound is not None and bound.size >= self.count:
            array = self._device.get(bound).ravel()[: self.count].reshape(self.shape)
        else:
            array = np.zeros(self.shape, self._device.dtype)
        self._copies[kind] = _Copy(array)
        if self.copied is not None:
            self.copied.add(self)
        return array

    def _bound(self, kind: str) -> tuple[Any, bool]:
        """The blob's memory, and whether it has the blob's shape."""
        bound: Any = getattr(self._blob, kind)
        return bound, bound is not None and bound.shape == self.shape

    def _read(self, copy: _Copy, bound: Any) -> None:
        """Read the memory anew into a copy that was not written to."""
        array = copy.array
        if array is not None and not copy.changed:
            array[...] = self._device.get(bound)
            copy.seen = array.copy()

    def flush(self) -> None:
        """Bring what was written into copies to the blob's memory, where it has any."""
        for kind, copy in list(self._copies.items()):
            bound, follows = self._bound(kind)
            array = copy.array
            if array is None or array.shape != self.shape:
                del self._copies[kind]
            elif follows:
                if copy.changed:
                    self._device.put(array, bound)
                    copy.seen = array.copy()
                copy.held = None

    def refresh(self) -> None:
        """Read the blob's memory anew into the copies that somebody has; what was written into them comes
        first."""
        self.flush()
        for kind, copy in list(self._copies.items()):
            bound, follows = self._bound(kind)
            if copy.array is None:
                del self._copies[kind]
            elif follows:
                self._read(copy, bound)

    # -- the protocols of arrays

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.data if dtype is None else self.data.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        return self._in_place().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._in_place().__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if isinstance(self._blob.data, np.ndarray):
            raise AttributeError("the blob lies in the host's memory: it has no __cuda_array_interface__")
        return self._in_place().__cuda_array_interface__

    def _in_place(self, kind: str = "data") -> Any:
        """The memory itself, with all that was to be done to it done."""
        self.flush()
        bound, follows = self._bound(kind)
        if not follows:
            raise ShapeError(
                f"blob {self._blob.name!r} has no memory of shape {self.shape} yet", hint="call net.reshape()"
            )
        self._device.synchronize()
        return bound

    _gpu_data_ptr = property(lambda self: self._address("data"))
    _gpu_diff_ptr = property(lambda self: self._address("diff"))

    def _address(self, kind: str) -> int:
        bound = self._in_place(kind)
        if isinstance(bound, np.ndarray):
            raise DeviceError(
                f"blob {self._blob.name!r} lies in the host's memory, not on a GPU",
                hint="caffe.set_mode_gpu()",
            )
        return bound.data.ptr


class ParamView(BlobView):
    """A parameter.  Its shape is what its layer computes with."""

    def reshape(self, *shape: int) -> None:
        """ShapeError for any shape but its own."""
        if tuple(map(int, shape)) != self.shape:
            raise ShapeError(
                f"parameter {self._blob.name!r} has the shape {self.shape}, which its layer gave it; it"
                f" cannot become {shape}",
                hint="change the prototxt; data.flat copies between parameters of equal count",
            )


class ParamViews(Sequence[BlobView]):
    """pycaffe's BlobVec: the parameters of a layer.

    add(shape, values) makes a parameter of a Python layer that starts with what an array holds after setup.
    """

    def __init__(
        self,
        device: Device,
        add: Callable[[tuple[int, ...], np.ndarray], Blob],
        views: Iterable[BlobView] = (),
    ) -> None:
        self._device, self._add = device, add
        self._views = list(views)

    def add_blob(self, *shape: int) -> None:
        values = np.zeros(tuple(map(int, shape)), self._device.dtype)
        view = ParamView(self._add(values.shape, values), self._device)
        view._initial = values
        self._views.append(view)

    def __len__(self) -> int:
        return len(self._views)

    @overload
    def __getitem__(self, index: int) -> BlobView: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[BlobView]: ...
    def __getitem__(self, index):
        return self._views[index]

    def __repr__(self) -> str:
        return repr(self._views)
