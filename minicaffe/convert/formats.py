"""What a file of a net, solver, weights or solver state holds, by its name, and writing one.

    .prototxt and all others        a net or a solver, as text; weights go there as the net alone, and only if
                                    the name ends like a prototxt or has no ending
    .caffemodel, .solverstate       weights (of any schema, NVIDIA Caffe's too), a solver state: binary
    .caffemodel.h5, .solverstate.h5, .h5   the same in Caffe's HDF5 layout
    .npz, .safetensors              weights as named arrays (`proto.named`)
    .onnx                           written only (`onnx`)

Reading looks at the name too, but takes HDF5 for what it is, as Caffe does not.
"""

from __future__ import annotations

import math
from pathlib import Path

from .. import log
from ..errors import ConfigError, Place, WeightsError, locate
from ..files import LARGEST_BYTES, PIECE_BYTES, is_binary, read_start
from ..proto import binary, hdf5, named, npz, safetensors_file, text, upgrade
from ..proto.schema import BlobProto, LayerParameter, Message, NetParameter, SolverParameter, SolverState

TEXT, WEIGHTS, STATE, HDF5, NPZ, SAFETENSORS, ONNX = (
    "text",
    ".caffemodel",
    ".solverstate",
    ".h5",
    ".npz",
    ".safetensors",
    ".onnx",
)
SUFFIXES = (WEIGHTS, STATE, HDF5, NPZ, SAFETENSORS, ONNX)
PROTOTXT = (".prototxt", ".pbtxt", ".txt")  # of nets and solvers; any other will do


def format_of(path: str | Path) -> str:
    """The format that a file's name stands for."""
    return next((suffix for suffix in SUFFIXES if str(path).lower().endswith(suffix)), TEXT)


def read(path: str | Path, largest_bytes: int = LARGEST_BYTES) -> Message:
    """The NetParameter (with weights or without), SolverParameter or SolverState in a file, in the current
    schema.  Raises a MiniCaffeError that names the file; also for one that would unpack to more than
    `largest_bytes`."""
    form = format_of(path)
    if form in (TEXT, WEIGHTS, STATE, HDF5) and (form == HDF5 or hdf5.is_hdf5(path)):
        return (hdf5.to_state if hdf5.is_state(path) else hdf5.to_weights)(path, largest_bytes)
    if form == STATE:
        state = binary.read(path, SolverState)
        if not state.ListFields():
            raise WeightsError(f"{path}: holds no solver state", hint="the file is empty, or of another kind")
        return state
    if form == TEXT:
        return _read_text(path)
    if form == ONNX:
        raise ConfigError(f"{path}: ONNX is written, not read")
    if form == NPZ:
        net = npz.read(path, largest_bytes)
    else:
        net = (safetensors_file.read if form == SAFETENSORS else upgrade.read_weights)(path)
    if not net.layer:
        raise WeightsError(f"{path}: holds no layers", hint="the file is empty, or no weights")
    return net


def read_weights(path: str | Path, largest_bytes: int = LARGEST_BYTES) -> NetParameter:
    """The weights in a file; ConfigError for another kind of file, and what `read` raises."""
    message = read(path, largest_bytes)
    if not isinstance(message, NetParameter) or (format_of(path) == TEXT and not hdf5.is_hdf5(path)):
        raise ConfigError(f"{path} holds no weights", hint=f"names end in {', '.join(SUFFIXES[:-1])}")
    return message


def write(message: Message, path: str | Path) -> bytes:
    """The content of the file `path` for a message: what its name says.

    What the format cannot hold is named in the log.  Raises ConfigError for a format that is none of such a
    message, WeightsError for weights that it cannot hold.
    """
    form = format_of(path)
    with locate(str(path)):
        if isinstance(message, SolverState) and form in (STATE, HDF5):
            return hdf5.from_state(message) if form == HDF5 else plain_state(message).SerializeToString()
        if form == TEXT and not isinstance(message, SolverState):
            return _as_text(message, path)
        if isinstance(message, NetParameter) and form in (WEIGHTS, HDF5, NPZ, SAFETENSORS):
            return _as_weights(message, path, form)
        raise ConfigError(
            f"{_kind(message)} cannot be written as {form if form == TEXT else f'a {form} file'}",
            hint=f"{_kind(message)} goes to {_SUITABLE[type(message)]}",
        )


_SUITABLE: dict[type, str] = {
    SolverState: "FILE.solverstate or FILE.solverstate.h5",
    SolverParameter: "FILE.prototxt",
    NetParameter: "FILE.prototxt, FILE.caffemodel, FILE.caffemodel.h5, FILE.npz, FILE.safetensors or, as NET"
    " WEIGHTS, FILE.onnx",
}


def _kind(message: Message) -> str:
    kinds: dict[type, str] = {
        SolverState: "a solver state",
        SolverParameter: "a solver",
        NetParameter: "a net",
    }
    return kinds[type(message)]


def described(message: Message, path: str | Path) -> str:
    """What `write` puts into a file, in a few words."""
    if isinstance(message, SolverState):
        return f"a solver state of iteration {message.iter}, {_count(len(message.history), 'array')}"
    if not isinstance(message, NetParameter):
        return "a solver"
    if format_of(path) == TEXT:
        return f"a net of {_count(len(message.layer), 'layer')}"
    values = sum(math.prod(binary.blob_shape(blob)) for layer in message.layer for blob in layer.blobs)
    layers = sum(bool(layer.blobs) for layer in message.layer)
    return f"weights of {_count(layers, 'layer')}, {_count(values, 'value')}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _read_text(path: str | Path) -> Message:
    if is_binary(read_start(path, PIECE_BYTES)):
        raise ConfigError(
            f"{path} is no prototxt: it is a binary file", hint=f"names end in {', '.join(SUFFIXES[:-1])}"
        )
    if text.is_net(path):
        return upgrade.read_net(path)
    solver = text.read(path, SolverParameter)
    with text.in_file(str(path)):
        upgrade.upgrade_solver(solver, str(path))
    return solver


def _as_text(message: Message, path: str | Path) -> bytes:
    if isinstance(message, NetParameter):
        if message.layer and not any(layer.type for layer in message.layer):
            raise ConfigError(
                "weights by name alone are no net", hint="--model NET says what net they are of"
            )
        if any(layer.blobs for layer in message.layer):
            suffix = Path(path).suffix
            if suffix not in ("", *PROTOTXT):  # rather a slip than a wish for the net alone
                hint = f"names end in {', '.join(SUFFIXES[:-1])}"
                raise ConfigError(f"no format of weights ends in {suffix}", hint=hint)
            log.warning(f"{path}: the weights are left out: it holds the net alone")
            message = named.without_weights(message)
    content = text.spell(message).encode()
    if not content:
        raise ConfigError("holds nothing that could be written")
    return content


def _as_weights(net: NetParameter, path: str | Path, form: str) -> bytes:
    if form == WEIGHTS:
        return binary.to_bytes(net)
    today = in_todays_shapes(net)
    if form == HDF5:
        return hdf5.from_weights(today)
    gradients = [layer.name for layer in net.layer if any(map(binary.has_diff, layer.blobs))]
    if gradients:
        count = f"{len(gradients)} layer{'s' if len(gradients) > 1 else ''}"
        log.warning(f"{path}: the gradients of {count} are left out: {form} holds weights alone")
    return npz.write(today) if form == NPZ else safetensors_file.write(today)


def in_todays_shapes(net: NetParameter) -> NetParameter:
    """A copy of a net's weights in which no blob has the four axes that once all had."""
    today = NetParameter()
    today.CopyFrom(net)
    for layer in today.layer:
        for i, blob in enumerate(layer.blobs):
            _drop_legacy_axes(layer, i, blob)
    return today


def _drop_legacy_axes(layer: LayerParameter, index: int, blob: BlobProto) -> None:
    """Give a blob of four legacy axes those that it has today: a bias of 1 x 1 x 1 x N has one."""
    if not binary.is_legacy(blob):
        return
    shape = binary.blob_shape(blob)
    axes = {"Convolution": 4, "Deconvolution": 4, "InnerProduct": 2, "Embed": 2}.get(layer.type)
    if axes is None or index:
        axes = max(1, 4 - next((i for i, d in enumerate(shape) if d != 1), 4))
    if any(d != 1 for d in shape[: 4 - axes]):
        what = f"blob {index} has shape {shape}; expected {axes} axes"
        raise WeightsError(what).within(Place(layer=layer.name))
    for name in ("num", "channels", "height", "width"):
        blob.ClearField(name)
    del blob.shape.dim[:]
    blob.shape.dim.extend(shape[4 - axes :])


def plain_state(state: SolverState) -> SolverState:
    """A solver state whose arrays lie in Caffe's fields, wherever NVIDIA Caffe put them."""
    plain = SolverState()
    plain.CopyFrom(state)
    for i, blob in enumerate(plain.history):
        if binary.is_raw(blob):
            with locate(f"history {i}"):
                blob.CopyFrom(binary.from_array(binary.to_array(blob)))
    plain.DiscardUnknownFields()
    return plain
