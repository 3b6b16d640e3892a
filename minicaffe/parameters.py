"""A net's parameters: one flat block of weights and one of gradients, shared by name, filled from the
seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .core.blob import Blob
from .core.filler import Stream, fill
from .core.layer import Layer
from .device.base import Device
from .errors import ConfigError, ShapeError, locate
from .proto import binary
from .proto.schema import BlobProto, Message, ParamSpec

BLOCK = 64  # elements: each parameter starts on a boundary, so that an update can look settings up per block


@dataclass
class Owned:
    """A parameter blob, where it lies in the flat blocks, and how it is trained."""

    blob: Blob
    layer: int  # index of the owning layer
    index: int  # of the blob in it
    offset: int  # of its first element
    multipliers: dict[str, float] = field(default_factory=dict)  # lr_mult, decay_mult, where a layer says so

    @property
    def lr_mult(self) -> float:
        return self.multipliers.get("lr_mult", 1.0)

    @property
    def decay_mult(self) -> float:
        return self.multipliers.get("decay_mult", 1.0)

    def heed(self, spec: Message) -> None:
        """Take over what a ParamSpec says explicitly; ConfigError if another sharer said something else."""
        for name in ("lr_mult", "decay_mult"):
            if spec.HasField(name):
                new = getattr(spec, name)
                old = self.multipliers.setdefault(name, new)
                if old != new:
                    raise ConfigError(
                        f"shared parameter {spec.name!r}: {name} is {old:g} in one layer, {new:g} in another"
                    )


def specs(layer: Layer) -> list[Message]:
    """One ParamSpec per parameter of the layer; ConfigError for more than it has parameters."""
    given = list(layer.param.param)
    if len(given) > len(layer.params):
        raise ConfigError(
            f"{len(given)} param entries for {len(layer.params)} parameters", hint="remove the surplus"
        )
    return given + [ParamSpec()] * (len(layer.params) - len(given))


class Parameters:
    """All parameters of a net.

    owned     the distinct ones, in net order: the order of solver history and of the flat blocks
    size      elements of all of them; each starts on a multiple of BLOCK elements, gaps are zero
    data      their values in one array, made by `allocate`
    diff      their gradients, likewise

    Parameters of equal, non-empty name are one: the first layer owns it, later ones see its arrays, so that
    gradients add up.
    """

    def __init__(self, layers: Sequence[Layer], device: Device) -> None:
        self.device = device
        self.owned: list[Owned] = []
        self.data: Any = None
        self.diff: Any = None
        by_name: dict[str, Owned] = {}
        self._sharers: list[tuple[Blob, Owned]] = []
        size = 0
        for i, layer in enumerate(layers):
            with locate(f"layer {layer.name!r} ({layer.type})"):
                for j, (blob, spec) in enumerate(zip(layer.params, specs(layer))):
                    owner = by_name.get(spec.name) if spec.name else None
                    if owner:
                        _check_sharing(owner, layers, blob, spec)
                        self._sharers.append((blob, owner))
                    else:
                        owner = Owned(blob, i, j, size)
                        self.owned.append(owner)
                        by_name[spec.name] = owner
                        size += -(-blob.count // BLOCK) * BLOCK
                    owner.heed(spec)
        self.size = size

    def allocate(self, *, diffs: bool = True) -> None:
        """Give every parameter its place in the flat arrays; without `diffs` in the first alone."""
        self.data = self.device.zeros((self.size,))
        self.diff = self.device.zeros((self.size,)) if diffs else None
        for blob, owner in [*((owned.blob, owned) for owned in self.owned), *self._sharers]:
            place = slice(owner.offset, owner.offset + blob.count)
            blob.data = self.data[place].reshape(blob.shape)
            blob.diff = self.diff[place].reshape(blob.shape) if diffs else None

    def fill(self, layers: Sequence[Layer], seed: int) -> None:
        """Fill every parameter: from the layer's `blobs` if the prototxt holds them, else by its filler.

        All draw from one stream in the order of the net, and data layers take their words from it too, as in
        Caffe: the same random_seed gives the same weights.
        """
        stream = Stream(seed)
        owned = {id(o.blob) for o in self.owned}
        for layer in layers:
            stream.words(layer.setup_draws)
            for j, (blob, filler) in enumerate(zip(layer.params, layer.fillers)):
                with locate(f"layer {layer.name!r} ({layer.type}), parameter {j}"):
                    if layer.param.blobs:
                        host = stored_array(layer.param.blobs, j, blob, len(layer.params))
                    else:  # what a sharer draws is lost, but moves the stream on
                        host = np.empty(blob.shape, self.device.dtype)
                        if isinstance(filler, np.ndarray):
                            host[...] = filler
                        else:
                            fill(host, filler, stream)
                if id(blob) in owned:
                    self.device.put(host, blob.data)

    def clear_diffs(self) -> None:
        if self.diff is not None:
            self.device.fill(self.diff, 0)


def stored_array(blobs: Sequence[BlobProto], index: int, target: Blob, expected: int) -> np.ndarray:
    """The array of blobs[index] in the shape of `target`.

    Legacy 4-D blobs fit a shape of up to four axes read from the right: a bias stored 1 x 1 x 1 x N is [N].
    Raises ShapeError for another number of blobs or another shape.
    """
    if len(blobs) != expected:
        raise ShapeError(f"{len(blobs)} blobs are stored for {expected} parameters")
    shape = binary.blob_shape(blobs[index])
    padded = (1,) * (4 - len(target.shape)) + target.shape
    if shape != (padded if binary.is_legacy(blobs[index]) else target.shape):
        raise other_shape(shape, target.shape)
    return binary.to_array(blobs[index]).reshape(target.shape)


def other_shape(stored: tuple[int, ...], wanted: tuple[int, ...]) -> ShapeError:
    """The error for a parameter that is stored in another shape than the net has."""
    hint = "to start it afresh instead, give the layer another name"
    if math.prod(stored) == math.prod(wanted):
        hint = (
            "the values are as many: if the net has an InnerProduct as a Convolution, or the like,"
            " `minicaffe convert WEIGHTS OUT --model NET --reshape` stores them in its shapes"
        )
    return ShapeError(f"stored with shape {stored}; the net has {wanted}", hint=hint)


def _check_sharing(owner: Owned, layers: Sequence[Layer], blob: Blob, spec: Message) -> None:
    where = f"parameter {spec.name!r}, which layer {layers[owner.layer].name!r} owns"
    if spec.share_mode == ParamSpec.PERMISSIVE:
        if blob.count != owner.blob.count:
            raise ShapeError(
                f"{where}, has {owner.blob.shape}; cannot share it as {blob.shape} (other count)"
            )
    elif blob.shape != owner.blob.shape:
        raise ShapeError(
            f"{where}, has {owner.blob.shape}; cannot share it as {blob.shape}",
            hint="share_mode: PERMISSIVE allows any shape of equal count"
            if math.prod(blob.shape) == owner.blob.count
            else "",
        )
