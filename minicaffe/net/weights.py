"""Weights by layer name: from files, between nets, and to NetParameter messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import log
from ..core.blob import Blob
from ..core.layer import Layer
from ..errors import ConfigError, ShapeError, WeightsError, in_layer, locate
from ..files import Content, write_atomic
from ..proto import binary, hdf5, npz, nvcaffe, safetensors_file, upgrade
from ..proto.schema import NetParameter
from .parameters import Parameters, are_channels, other_shape, stored_array

Pending = Iterator[tuple[np.ndarray, Blob]]  # values, and the parameter that they are for

# By how a file's name ends.
READERS: dict[str, Callable[[str | Path, int], NetParameter]] = {  # of a path, and the most bytes
    ".npz": npz.read,
    ".safetensors": lambda path, _: safetensors_file.read(path),
}
WRITERS: dict[str, Callable[[NetParameter], Content]] = {
    ".caffemodel": lambda message: binary.to_bytes(message),
    ".h5": hdf5.from_weights,
    ".npz": npz.write,
    ".safetensors": safetensors_file.write,
}


def load(
    parameters: Parameters, path: str | Path, *, quiet: bool = False, must_match: bool = False
) -> list[str]:
    """Copy the weights of a .caffemodel, binary (of any schema, NVIDIA Caffe's too) or HDF5, a .npz or a
    .safetensors file into the layers of equal name.

    Layers of the file that the net lacks, and layers of the net that the file lacks, which keep their values,
    are named in the log, the latter not with `quiet`.  Of layers with the same name, a binary file fills the
    first, HDF5 the last, as in Caffe.  Everything is read and checked before the first value is written.
    Returns the names of the layers that the file lacks.

    Weights of which fewer than half of the net's layers take something are probably of another net: a
    warning.  If no layer does, that is an error with `must_match`, a warning without.

    Raises DataError, SchemaError, WeightsError or ShapeError, naming file, layer and parameter.
    """
    pending = list(_in_hdf5(parameters, path) if hdf5.is_hdf5(path) else _in_binary(parameters, path))
    return _fill(parameters, pending, path, quiet, must_match)


def load_message(
    parameters: Parameters,
    stored: NetParameter,
    source: str | Path,
    *,
    quiet: bool = False,
    must_match: bool = False,
) -> list[str]:
    """As `load`, of weights that were read already, from the file `source`."""
    return _fill(parameters, list(_in_message(parameters, stored, source)), source, quiet, must_match)


def _fill(
    parameters: Parameters,
    pending: list[tuple[np.ndarray, Blob]],
    path: str | Path,
    quiet: bool,
    must_match: bool,
) -> list[str]:
    served = _served(parameters, pending)
    _judge(served, path, quiet, must_match)
    for host, blob in pending:
        parameters.device.put(host, blob.data)
    lacking = [name for name, takes in served if not takes]
    if not quiet:
        for name in lacking:
            log.info(f"Layer {name} is not in {path}: it stays as it was")
    return lacking


def _served(parameters: Parameters, pending: Sequence[tuple[np.ndarray, Blob]]) -> list[tuple[str, bool]]:
    """The name of each layer with parameters, and whether weights go to it, or to all that it shares."""
    owner = {id(blob): o.blob for o in parameters.owned for blob in (o.blob, *o.sharers)}
    given = {id(blob) for _, blob in pending}
    filled = {id(owner[key]) for key in given}

    def is_served(layer: Layer) -> bool:
        ids = [id(blob) for blob in layer.params]
        return any(key in given for key in ids) or all(id(owner[key]) in filled for key in ids)

    return [(layer.name, is_served(layer)) for layer in parameters.layers if layer.params]


def _judge(served: list[tuple[str, bool]], path: str | Path, quiet: bool, must_match: bool) -> None:
    """Say so where weights are rather those of another net."""
    names, matched = [name for name, _ in served], sum(takes for _, takes in served)
    if not names or matched * 2 >= len(names):
        return
    if matched == 0:
        some = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
        what = f"{path}: no layer of the net takes weights from it: none has the name of {some}"
        if must_match:
            raise WeightsError(what, hint="weights go to layers of equal name; it is of another net")
        log.warning(f"{what}; all keep their values")
    elif not quiet:
        log.warning(
            f"{path}: only {matched} of the net's {len(names)} layers with weights take any from it;"
            " the others keep their values"
        )


def _in_binary(parameters: Parameters, path: str | Path) -> Pending:
    reader = _by_suffix(READERS, path, lambda path, _: upgrade.read_weights(path))
    stored = reader(path, parameters.device.largest_bytes)
    if not stored.layer:
        raise WeightsError(f"{path}: holds no layers", hint="the file is empty, or no .caffemodel")
    return _in_message(parameters, stored, path)


def _in_message(parameters: Parameters, stored: NetParameter, path: str | Path) -> Pending:
    targets = scales_behind_batch_norms(parameters)
    targets.update({layer.name: layer for layer in reversed(parameters.layers)})
    for source in stored.layer:
        layer = targets.get(source.name)
        if layer is None:
            log.info(f"Ignoring source layer {source.name}")
            continue
        with locate(str(path)), in_layer(layer):
            if len(source.blobs) != len(layer.params):
                raise ShapeError(
                    f"{len(source.blobs)} blobs are stored for {len(layer.params)} parameters",
                    hint=_why_other_count(layer, len(source.blobs)),
                )
            for j, blob in enumerate(layer.params):
                with locate(f"parameter {j}"):
                    yield stored_array(source.blobs, j, blob, len(layer.params)), blob


def save(message: NetParameter, path: str | Path) -> None:
    """Write a net with its parameters, see to_message, in the format that the name's ending says:
    .caffemodel, .caffemodel.h5, .npz or .safetensors.  ConfigError for another ending, WeightsError if that
    fails; what was there stays then."""
    writer = _by_suffix(WRITERS, path, None)
    if writer is None:
        raise ConfigError(f"{path}: no format of weights", hint=f"names end in {', '.join(WRITERS)}")
    write(path, writer(message))


def write(path: str | Path, content: Content) -> None:
    """`files.write_atomic`; WeightsError if it fails."""
    try:
        write_atomic(path, content)
    except OSError as error:
        raise WeightsError(f"cannot write {path}: {error.strerror or error}") from None


def _by_suffix(table: dict[str, Any], path: str | Path, otherwise: Any) -> Any:
    return next((entry for suffix, entry in table.items() if str(path).lower().endswith(suffix)), otherwise)


def scales_behind_batch_norms(parameters: Parameters) -> dict[str, Layer]:
    """The Scale layers that BatchNorms feed, by the names that NVIDIA Caffe's weights have for them."""
    normalized: dict[str, str] = {}  # which BatchNorm wrote a blob last
    found = {}
    for layer in parameters.layers:
        if layer.type == "Scale" and len(layer.params) == 2 and layer.param.bottom[0] in normalized:
            found[nvcaffe.scale_name(normalized[layer.param.bottom[0]])] = layer
        for top in layer.param.top:
            normalized.pop(top, None)
            if layer.type == "BatchNorm":
                normalized[top] = layer.name
    return found


def _in_hdf5(parameters: Parameters, path: str | Path) -> Pending:
    targets = {layer.name: layer for layer in parameters.layers}
    owned = {id(owned.blob) for owned in parameters.owned}
    with hdf5.open_weights(path, parameters.device.largest_bytes) as stored:
        for name, datasets in stored.items():
            layer = targets.get(name)
            if layer is None:
                log.info(f"Ignoring source layer {name}")
                continue
            with in_layer(layer):
                # What is shared may lie with its owner alone.
                needed = {j for j, blob in enumerate(layer.params) if id(blob) in owned}
                if not needed <= set(datasets) <= set(range(len(layer.params))):
                    raise ShapeError(
                        f"blobs {sorted(datasets)} are stored for {len(layer.params)} parameters",
                        hint=_why_other_count(layer, len(datasets)),
                    )
                for j, dataset in datasets.items():
                    with locate(f"parameter {j}"):
                        yield _read_dataset(dataset, layer.params[j]), layer.params[j]


# The layers whose last parameter is a bias, which bias_term gives or takes.
_BIASED = {"Convolution", "Deconvolution", "InnerProduct", "Embed", "Scale"}
# By parameters stored and in the net.
BN_KINDS = {
    (4, 2): "the file has PSPNet's BN, with running moments: say so with bn_param { momentum: 0.9 }",
    (2, 4): "the file has SegNet's BN, without running moments: its bn_param has other fields",
}


def _why_other_count(layer: Layer, stored: int) -> str:
    if layer.type in _BIASED and stored == len(layer.params) + 1:
        return "the file has a bias, the net has none: bias_term: true takes it"
    if layer.type in _BIASED and stored == len(layer.params) - 1:
        return "the net has a bias, the file has none: bias_term: false does without"
    if layer.type == "BN" and (stored, len(layer.params)) in BN_KINDS:
        return BN_KINDS[stored, len(layer.params)]
    return "to start it afresh instead, give the layer another name"


def _read_dataset(dataset: Any, target: Blob) -> np.ndarray:
    if dataset.shape != target.shape and not are_channels(dataset.shape, target.shape):
        raise other_shape(dataset.shape, target.shape)
    return hdf5.read(dataset).reshape(target.shape)


def to_message(name: str, parameters: Parameters, *, diff: bool = False) -> NetParameter:
    """The net as Caffe stores it: every layer as built (splits too), with its parameters as `blobs`."""
    message = NetParameter(name=name)
    for layer in parameters.layers:
        entry = message.layer.add()
        entry.CopyFrom(layer.param)
        entry.phase = layer.phase
        if layer.loss_weight and not entry.loss_weight:  # a loss states its weight
            entry.loss_weight.append(layer.loss_weight)
        del entry.blobs[:]
        for blob in layer.params:
            arrays = [
                parameters.device.get(a)
                for a in ((blob.data, blob.diff) if diff and blob.diff is not None else (blob.data,))
            ]
            entry.blobs.append(binary.from_array(*(np.asarray(a) for a in arrays)))
    return message
