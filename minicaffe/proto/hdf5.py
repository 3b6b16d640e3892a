"""Weights and solver states in HDF5, as Caffe writes them with snapshot_format: HDF5.

    weights   /data/<layer>/<i> is parameter i of a layer, in its own shape.  A parameter that layers share is
              stored once, with the layer that owns it.  /diff/<layer>/<i> holds the gradients of all
              parameters, if asked for
    state     /iter, /current_step (int32, one element), /learned_net (string), /history/<i>

Differs: Caffe aborts on saving a layer whose name contains `/`; here such a name becomes nested groups.

h5py is imported on first use.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Place, WeightsError, locate
from ..files import LARGEST_BYTES, read_start
from . import binary
from .hdf5_file import SIGNATURE, check_datasets, find, members, opened, read_string
from .schema import NetParameter, SolverState

_DEFLATE = 1032  # bytes that one byte of a compressed dataset can stand for, at most


def is_hdf5(path: str | Path) -> bool:
    """Whether the file starts as an HDF5 file does."""
    return read_start(path, len(SIGNATURE)) == SIGNATURE


def from_weights(net: NetParameter) -> bytes:
    """The bytes of an HDF5 file with a net's weights, and with the gradients of blobs that have them.

    Raises WeightsError if layers with weights have names that are equal, or that HDF5 cannot tell apart.
    """

    def fill(file: Any) -> None:
        data = file.create_group("data")
        diff = file.create_group("diff") if any(map(binary.has_diff, _blobs(net))) else None
        shared: set[str] = set()
        for layer in net.layer:
            with locate(Place(layer=layer.name)):
                group = _group(data, layer.name, needed=bool(layer.blobs))
                for i, blob in enumerate(layer.blobs):
                    name = layer.param[i].name if i < len(layer.param) else ""
                    if not name or name not in shared:
                        _store(group, i, binary.to_array(blob))
                    shared.add(name)
                    if diff is not None and binary.has_diff(blob):
                        _store(_group(diff, layer.name), i, binary.to_array(blob, diff=True))

    return _file(fill)


@contextmanager
def open_weights(path: str | Path, largest_bytes: int = LARGEST_BYTES) -> Iterator[dict[str, dict[int, Any]]]:
    """The layers of a file of weights: by name of the layer and number of the parameter, the datasets of
    HDF5.

    A dataset has a shape; `read` reads its values, while the file is open.  Raises WeightsError naming the
    file if it is damaged, DataError if values lie in other files or would take more than `largest_bytes` of
    memory.
    """
    with opened(path, WeightsError) as file:
        layers = _weights(file)
        check_datasets(_all(layers), largest_bytes)
        yield layers


def to_weights(path: str | Path, largest_bytes: int = LARGEST_BYTES) -> NetParameter:
    """The weights in a file, with gradients if it has them, as a net whose layers have only names and blobs.

    Raises as `open_weights`, naming layer and parameter too.  WeightsError also if a layer lacks a parameter:
    it is stored with the layer that shares it, and without the net nobody knows which that is.
    """
    net = NetParameter()
    with opened(path, WeightsError) as file:
        layers, gradients = _weights(file), _datasets(file, "diff") or {}
        check_datasets([*_all(layers), *_all(gradients)], largest_bytes)
        for name, datasets in layers.items():
            if not datasets:
                continue
            layer = net.layer.add(name=name)
            with locate(Place(layer=name)):
                if sorted(datasets) != list(range(len(datasets))):
                    raise WeightsError(
                        f"parameters {sorted(datasets)} alone are stored: others lie with other layers",
                        hint="a net tells with which: --model NET",
                    )
                for j in sorted(datasets):
                    with locate(f"parameter {j}"):
                        data, diff = read(datasets[j]), gradients.get(name, {}).get(j)
                        layer.blobs.append(binary.from_array(data, None if diff is None else read(diff)))
    return net


def is_state(path: str | Path) -> bool:
    """Whether an HDF5 file holds a solver state."""
    with opened(path, WeightsError) as file:
        return find(file, "history") is not None


def _weights(file: Any) -> dict[str, dict[int, Any]]:
    if (layers := _datasets(file, "data")) is None:
        hint = "it is the state of a solver" if find(file, "history") is not None else ""
        raise WeightsError("no weights: it has no group 'data'", hint=hint)
    return layers


def _datasets(file: Any, name: str) -> dict[str, dict[int, Any]] | None:
    """The datasets in the group `name` of a file, by layer and number of the parameter; None if there is no
    such group."""
    top = find(file, name)
    if not hasattr(top, "keys"):
        return None
    layers: dict[str, dict[int, Any]] = {}
    for path, item in members(top):
        if hasattr(item, "keys"):
            if not len(item):
                layers.setdefault(path, {})
            continue
        layer, _, number = path.rpartition("/")
        if not (number.isascii() and number.isdigit()) or len(number) > 9:
            raise WeightsError(f"dataset {path!r} is no parameter: they are numbered")
        layers.setdefault(layer, {})[int(number)] = item
    return layers


def _all(layers: dict[str, dict[int, Any]]) -> list[Any]:
    return [dataset for datasets in layers.values() for dataset in datasets.values()]


def read(dataset: Any) -> np.ndarray:
    """The values of a dataset as an array: float64 if stored as such, else float32.

    Raises WeightsError, before memory is allocated, if the file does not contain all the values.
    """
    stored = dataset.id.get_storage_size()
    if dataset.dtype.kind not in "fiu":
        raise WeightsError(f"values of type {dataset.dtype} are no numbers")
    if dataset.nbytes > stored * (_DEFLATE if dataset.chunks else 1):
        raise WeightsError(f"{stored} bytes are stored for an array of shape {dataset.shape}")
    array = np.asarray(dataset)
    return array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32, copy=False)


def from_state(state: SolverState) -> bytes:
    """The bytes of an HDF5 file with a solver state."""

    def fill(file: Any) -> None:
        file["iter"] = np.array([state.iter], np.int32)
        file["current_step"] = np.array([state.current_step], np.int32)
        # Of fixed length and with the NUL at its end that Caffe's reader relies on.
        name = state.learned_net.encode() + b"\0"
        file["learned_net"] = np.array(name, f"S{len(name)}")
        history = file.create_group("history")
        for i, blob in enumerate(state.history):
            history[str(i)] = binary.to_array(blob)

    return _file(fill)


def to_state(path: str | Path, largest_bytes: int = LARGEST_BYTES) -> SolverState:
    """The solver state in a file.  WeightsError if the file holds none, DataError if values lie in other
    files or would take more than `largest_bytes` of memory."""
    with opened(path, WeightsError) as file:
        found = {name: find(file, name) for name in ("iter", "current_step", "history", "learned_net")}
        for name in ("iter", "current_step", "history"):
            if found[name] is None:
                raise WeightsError(f"not a solver state: it has no {name!r}")
        check_datasets([found["iter"], found["current_step"]])
        state = SolverState(iter=_number(found["iter"]), current_step=_number(found["current_step"]))
        if found["learned_net"] is not None:
            state.learned_net = read_string(found["learned_net"])
        stored = dict(members(found["history"]))
        check_datasets(stored.values(), largest_bytes)
        arrays = [read(stored[str(i)]) for i in range(len(stored))]
    state.history.extend(map(binary.from_array, arrays))
    return state


def _number(dataset: Any) -> int:
    if dataset.size != 1:
        raise WeightsError(f"{dataset.name} should be one number; it has the shape {dataset.shape}")
    return int(np.asarray(dataset).reshape(()))


def _blobs(net: NetParameter) -> Iterator[Any]:
    for layer in net.layer:
        yield from layer.blobs


def _group(parent: Any, name: str, needed: bool = True) -> Any:
    """Make the group of a layer.  If its name cannot be that of a group: WeightsError if the group is
    `needed`, else None."""
    if any(part in ("", ".") for part in name.split("/")) or "\0" in name:
        if not needed:
            return None
        raise WeightsError(
            "no HDF5 group can have this name", hint="rename the layer, or snapshot_format: BINARYPROTO"
        )
    try:
        return parent.require_group(name)
    except TypeError:
        raise _in_the_way(name) from None


def _store(group: Any, index: int, array: np.ndarray) -> None:
    if str(index) in group:
        raise _in_the_way(f"{group.name}/{index}")
    group[str(index)] = array


def _in_the_way(name: str) -> WeightsError:
    return WeightsError(
        f"another layer's weights have the place {name!r} in the HDF5 file already",
        hint="give every layer a name of its own, or snapshot_format: BINARYPROTO",
    )


def _file(fill: Callable[[Any], None]) -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()
