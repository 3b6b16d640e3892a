"""A net's parameters: one flat block of weights and one of gradients, shared by name, filled from the
seed."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .core.blob import Blob
from .core.filler import fill
from .core.layer import Layer
from .device.base import Device
from .errors import ConfigError, ShapeError, locate
from .proto import binary
from .proto.schema import Message, ParamSpec

BLOCK = 64  # elements: each parameter starts on a boundary, so that an update can look settings up per block


class Owned(NamedTuple):
    """A parameter blob and how it is trained."""

    blob: Blob
    layer: int  # index of the owning layer
    index: int  # of the blob in it
    lr_mult: float
    decay_mult: float


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
    data      their values in one array; each starts on a multiple of BLOCK elements, gaps are zero
    diff      their gradients, likewise

    Parameters of equal, non-empty name are one: the first layer owns it, later ones see its arrays, so that
    gradients add up.
    """

    def __init__(self, layers: Sequence[Layer], device: Device) -> None:
        self.device = device
        self.owned: list[Owned] = []
        self.offsets: list[int] = []
        owner_of: dict[str, int] = {}
        settings: dict[str, tuple[float | None, float | None]] = {}
        shared: list[tuple[Blob, int]] = []
        size = 0
        for i, layer in enumerate(layers):
            with locate(f"layer {layer.name!r} ({layer.type})"):
                for j, (blob, spec) in enumerate(zip(layer.params, specs(layer))):
                    if spec.name in owner_of:
                        owner = self.owned[owner_of[spec.name]]
                        _check_sharing(owner, layers, blob, spec)
                        shared.append((blob, owner_of[spec.name]))
                    else:
                        if spec.name:
                            owner_of[spec.name] = len(self.owned)
                        self.owned.append(Owned(blob, i, j, 1.0, 1.0))
                        self.offsets.append(size)
                        size += -(-blob.count // BLOCK) * BLOCK
                    key = spec.name or f"\0{i}.{j}"
                    settings[key] = _merge(settings.get(key), spec)
        keys = [specs(layers[o.layer])[o.index].name or f"\0{o.layer}.{o.index}" for o in self.owned]
        self.owned = [
            o._replace(lr_mult=_default(settings[key][0]), decay_mult=_default(settings[key][1]))
            for o, key in zip(self.owned, keys)
        ]
        self.data = device.zeros((size,))
        self.diff = device.zeros((size,))
        for owned, offset in zip(self.owned, self.offsets):
            self._bind(owned.blob, offset)
        for blob, owner in shared:
            self._bind(blob, self.offsets[owner])

    def _bind(self, blob: Blob, offset: int) -> None:
        blob.data = self.data[offset : offset + blob.count].reshape(blob.shape)
        blob.diff = self.diff[offset : offset + blob.count].reshape(blob.shape)

    def fill(self, layers: Sequence[Layer], seed: int) -> None:
        """Fill every owned parameter: from the layer's `blobs` if the prototxt holds them, else by its
        filler.

        Each draws from a generator of its own, keyed by seed, layer name and index: adding a layer changes
        nothing in the others.
        """
        for owned in self.owned:
            layer = layers[owned.layer]
            with locate(f"layer {layer.name!r} ({layer.type}), parameter {owned.index}"):
                if layer.param.blobs:
                    host = stored_array(layer.param.blobs, owned.index, owned.blob, len(layer.params))
                else:
                    host = np.empty(owned.blob.shape, np.float64)
                    rng = np.random.default_rng([seed, zlib.crc32(layer.name.encode()), owned.index])
                    fill(host, layer.fillers[owned.index], rng)
                self.device.put(host, owned.blob.data)

    def clear_diffs(self) -> None:
        self.device.fill(self.diff, 0)


def stored_array(blobs: Sequence[Message], index: int, target: Blob, expected: int) -> np.ndarray:
    """The array of blobs[index] in the shape of `target`.

    Legacy 4-D blobs fit a shape of up to four axes read from the right: a bias stored 1 x 1 x 1 x N is [N].
    Raises ShapeError for another number of blobs or another shape.
    """
    if len(blobs) != expected:
        raise ShapeError(f"{len(blobs)} blobs are stored for {expected} parameters")
    shape = binary.blob_shape(blobs[index])
    legacy = (
        len(shape) == 4 and len(target.shape) <= 4 and shape == (1,) * (4 - len(target.shape)) + target.shape
    )
    if shape != target.shape and not (legacy and not blobs[index].HasField("shape")):
        raise ShapeError(
            f"stored with shape {shape}; the net has {target.shape}",
            hint="to start it afresh instead, give the layer another name",
        )
    return binary.to_array(blobs[index]).reshape(target.shape)


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


def _merge(before: tuple | None, spec: Message) -> tuple[float | None, float | None]:
    """The explicit (lr_mult, decay_mult) of a shared name so far; ConfigError if two layers disagree."""
    merged = []
    for k, field in enumerate(("lr_mult", "decay_mult")):
        old = before[k] if before else None
        new = getattr(spec, field) if spec.HasField(field) else None
        if old is not None and new is not None and old != new:
            raise ConfigError(
                f"shared parameter {spec.name!r}: {field} is {old:g} in one layer and {new:g} in another"
            )
        merged.append(old if old is not None else new)
    return merged[0], merged[1]


def _default(value: float | None) -> float:
    return 1.0 if value is None else value
