"""Weights and solver states in HDF5, the layout of Caffe's snapshot_format: HDF5.

    weights   /data/<layer>/<i>, a dataset per parameter in its own shape; layer names with `/` nest
    state     /iter, /current_step (int32, one element), /learned_net (string), /history/<i>

h5py is imported on first use.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import WeightsError
from . import binary
from .schema import NetParameter, SolverState
from .text import read_file

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(path: str | Path) -> bool:
    """Whether the file starts as an HDF5 file does."""
    return read_file(path)[: len(SIGNATURE)] == SIGNATURE


def from_weights(net: NetParameter) -> bytes:
    """The file of a net's weights; a shared parameter is stored with its owner only."""

    def fill(file) -> None:
        data = file.create_group("data")
        shared: set[str] = set()
        for layer in net.layer:
            group = data.require_group(layer.name)
            for i, blob in enumerate(layer.blobs):
                name = layer.param[i].name if i < len(layer.param) else ""
                if not name or name not in shared:
                    group[str(i)] = binary.to_array(blob)
                shared.add(name)

    return _file(fill)


def to_weights(path: str | Path, layers: Sequence[str]) -> NetParameter:
    """The weights of those named layers that the file holds, as a net of bare layers."""
    net = NetParameter()
    with _open(path) as file:
        for name in dict.fromkeys(layers):
            group = file["data"].get(name) if "data" in file else None
            if group is not None:
                layer = net.layer.add(name=name)
                arrays = [item for item in group.values() if not hasattr(item, "keys")]  # not a nested layer
                layer.blobs.extend(binary.from_array(np.asarray(group[str(i)])) for i in range(len(arrays)))
    return net


def from_state(state: SolverState) -> bytes:
    """The file of a solver state."""

    def fill(file) -> None:
        file["iter"] = np.array([state.iter], np.int32)
        file["current_step"] = np.array([state.current_step], np.int32)
        file["learned_net"] = state.learned_net
        history = file.create_group("history")
        for i, blob in enumerate(state.history):
            history[str(i)] = binary.to_array(blob)

    return _file(fill)


def to_state(path: str | Path) -> SolverState:
    """The solver state in a file; WeightsError if it is none."""
    with _open(path) as file:
        try:
            state = SolverState(iter=int(file["iter"][0]), current_step=int(file["current_step"][0]))
            if "learned_net" in file:
                name = file["learned_net"][()]
                state.learned_net = name.decode() if isinstance(name, bytes) else str(name)
            history = file["history"]
            arrays = [np.asarray(history[str(i)]) for i in range(len(history))]
        except (KeyError, ValueError) as error:
            raise WeightsError(f"{path}: not a solver state ({error})") from None
    state.history.extend(map(binary.from_array, arrays))
    return state


def _file(fill: Callable[[object], None]) -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def _open(path: str | Path):
    import h5py

    read_file(path)  # its errors name what the system says
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise WeightsError(f"{path}: not a whole HDF5 file ({error})") from None
