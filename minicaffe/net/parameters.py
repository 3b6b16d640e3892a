"""A net's parameters: one flat block of weights and one of gradients, shared by name, filled from the
seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.blob import Blob
from ..core.filler import Twister, fill
from ..core.layer import Layer
from ..device.base import Device
from ..errors import ConfigError, ShapeError, in_layer
from ..proto import binary
from ..proto.schema import BlobProto, Message, ParamSpec

BLOCK = 64  # elements: each parameter starts on a boundary, so that an update can look settings up per block


@dataclass
class Owned:
    """A parameter blob, where it lies in the flat blocks, and how it is trained."""

    blob: Blob
    layer: int  # index of the owning layer
    index: int  # of the blob in it
    offset: int  # of its first element
    sharers: list[Blob] = field(default_factory=list)  # of the later layers that share it by name
    lent: bool = False  # its values are those of another net
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
    data      their values in one array, made by `allocate`; None in a net that borrows some of another's
    diff      their gradients, likewise; never borrowed
    trained   a solver updates the block as a whole

    Parameters of equal, non-empty name are one: the first layer owns it, later ones see its arrays, so that
    gradients add up.
    """

    def __init__(self, layers: Sequence[Layer], device: Device) -> None:
        self.device = device
        self.layers = layers
        self.owned: list[Owned] = []
        self.data: Any = None
        self.diff: Any = None
        self.trained = False
        self._borrowed: dict[int, Any] = {}  # by id of a blob: the array of the other net's
        by_name: dict[str, Owned] = {}
        size = 0
        for i, layer in enumerate(layers):
            with in_layer(layer):
                for j, (blob, spec) in enumerate(zip(layer.params, specs(layer))):
                    owner = by_name.get(spec.name) if spec.name else None
                    if owner:
                        _check_sharing(owner, layers, blob, spec)
                        owner.sharers.append(blob)
                    else:
                        owner = Owned(blob, i, j, size)
                        self.owned.append(owner)
                        by_name[spec.name] = owner
                        size += -(-blob.count // BLOCK) * BLOCK
                    owner.heed(spec)
        self.size = size

    def elements(self, *, diffs: bool = True) -> int:
        """How many `allocate` makes room for."""
        lent = sum(-(-owned.blob.count // BLOCK) * BLOCK for owned in self.owned if owned.lent)
        return self.size - lent + (self.size if diffs else 0)

    def allocate(self, *, diffs: bool = True) -> None:
        """Give every parameter that is not borrowed its place, in flat arrays if none is; without `diffs` in
        the first alone."""
        if not any(owned.lent for owned in self.owned):
            self.data = self.device.zeros((self.size,))
        self.diff = self.device.zeros((self.size,)) if diffs else None
        for owned in self.owned:
            place = slice(owned.offset, owned.offset + owned.blob.count)
            if owned.lent:
                data = None
            elif self.data is None:
                data = self.device.zeros((owned.blob.count,))
            else:
                data = self.data[place]
            for blob in (owned.blob, *owned.sharers):
                if data is not None:
                    blob.data = data.reshape(blob.shape)
                if diffs:
                    blob.diff = self.diff[place].reshape(blob.shape)

    def multipliers(self, block: int) -> np.ndarray:
        """lr_mult and decay_mult (2, size / block) of every `block` elements; 0 in gaps."""
        factors = np.zeros((2, self.size // block))
        for owned in self.owned:
            first = owned.offset // block
            factors[:, first : first - (-owned.blob.count // block)] = [[owned.lr_mult], [owned.decay_mult]]
        return factors

    def borrow(self, other: Parameters) -> bool:
        """Use the values of another net's parameters, by layer name, without a copy; False if they are in
        use already.  What a layer shares by name with one that borrows it borrows too.

        Raises ShapeError for layers of one name whose parameters differ, and ConfigError for a net that is
        trained, unless the other has the same parameters in the same order: updates go to one block.
        """
        if self.device.dtype != other.device.dtype:
            raise ConfigError(f"{other.device.dtype} parameters cannot be shared as {self.device.dtype}")
        lenders = _lenders(self.layers, other.layers)
        found: list[tuple[Blob, Blob]] = []  # a blob of ours, and the one whose values it has from now on
        for owned in self.owned:
            blobs = (owned.blob, *owned.sharers)
            first = next((lenders[id(blob)] for blob in blobs if id(blob) in lenders), None)
            if first is not None:
                found += [(blob, lenders.get(id(blob), first)) for blob in blobs]
        if all(self._borrowed.get(id(blob), blob.data) is lender.data for blob, lender in found):
            return False
        whole = self._alike(other, lenders)
        if self.trained and not whole:
            raise ConfigError(
                "a net that a solver trains can use the parameters of a net with the very same ones alone",
                hint="let the other net share this one's instead, or copy them",
            )
        for blob, lender in found:
            self._borrowed[id(blob)] = lender.data
            blob.data = lender.data if blob.shape == lender.shape else lender.data.reshape(blob.shape)
        for owned in self.owned:
            owned.lent = owned.lent or id(owned.blob) in self._borrowed
        self.data = other.data if whole else None
        return True

    def _alike(self, other: Parameters, lenders: dict[int, Blob]) -> bool:
        """Whether the other's block can be ours: every parameter lies there where it would lie here."""
        places = {id(b): o.offset for o in other.owned for b in (o.blob, *o.sharers)}
        return (
            other.data is not None
            and all(
                id(blob) in lenders and places[id(lenders[id(blob)])] == owned.offset
                for owned in self.owned
                for blob in (owned.blob, *owned.sharers)
            )
            and self.size == other.size
        )

    def fill(self, seed: int) -> None:
        """Fill every parameter that is not borrowed: from the layer's `blobs` if the prototxt holds them,
        else by its filler.

        All draw from one stream in the order of the net, and data layers take their words from it too, as in
        Caffe: the same random_seed gives the same weights.
        """
        stream = Twister(seed)
        lent = {id(b) for o in self.owned if o.lent for b in (o.blob, *o.sharers)}
        owned = {id(o.blob) for o in self.owned}
        for layer in self.layers:
            stream.words(layer.setup_draws)
            for j, (blob, filler) in enumerate(zip(layer.params, layer.fillers)):
                if id(blob) in lent:
                    continue
                with in_layer(layer, f"parameter {j}"):
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


def _lenders(layers: Sequence[Layer], others: Sequence[Layer]) -> dict[int, Blob]:
    """By id of a parameter blob: its counterpart in the layer of equal name among `others`."""
    targets = {layer.name: layer for layer in reversed(layers)}
    found: dict[int, Blob] = {}
    for theirs in others:
        layer = targets.get(theirs.name)
        if layer is None:
            continue
        shapes, given = [p.shape for p in layer.params], [p.shape for p in theirs.params]
        if shapes != given:
            with in_layer(layer):
                raise ShapeError(
                    f"cannot share parameters of shapes {given} as {shapes}",
                    hint="training and test net, and the sizes of their data, must be alike",
                )
        found.update(zip(map(id, layer.params), theirs.params))
    return found


def stored_array(blobs: Sequence[BlobProto], index: int, target: Blob, expected: int) -> np.ndarray:
    """The array of blobs[index] in the shape of `target`.

    Legacy 4-D blobs fit a shape of up to four axes read from the right: a bias stored 1 x 1 x 1 x N is [N].
    A parameter (1, N, 1, 1), as forks have them, is as well one of N values however they are stored.
    Raises ShapeError for another number of blobs or another shape.
    """
    if len(blobs) != expected:
        raise ShapeError(f"{len(blobs)} blobs are stored for {expected} parameters")
    shape = binary.blob_shape(blobs[index])
    padded = (1,) * (4 - len(target.shape)) + target.shape
    fits = shape == (padded if binary.is_legacy(blobs[index]) else target.shape)
    if not (fits or are_channels(shape, target.shape)):
        raise other_shape(shape, target.shape)
    return binary.to_array(blobs[index]).reshape(target.shape)


def are_channels(stored: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a parameter is a number for each channel, (1, N, 1, 1), and N values are stored in a row."""
    n = math.prod(stored)
    return wanted == (1, n, 1, 1) and n in (*stored, 1)


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
