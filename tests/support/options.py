"""The laws of what a net may ask of a layer: ends_in_relu, adds, apart.

Each holds for every layer that declares it.  A layer that took the declaration back in setup is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from minicaffe.core.blob import Blob
from minicaffe.device.base import Device
from minicaffe.errors import ConfigError
from minicaffe.kernels import activation

from .laws import Case, Rig, check_gradient, poison

FENCE, GAP = 7, 5  # elements around an array whose images lie apart, and between its images
UNTOUCHED = 42.0  # what nobody may write over


def assert_close(case: Case, device: Device, some: Sequence, others: Sequence) -> None:
    """Equal but for the order of sums; nothing else may differ, least of all what is 0 or not finite."""
    rtol = 1e-11 if device.dtype == np.float64 else 1e-4
    for one, other in zip(some, others, strict=True):
        if one is not None:
            scale = max(np.abs(other).max(initial=0), 1.0)
            np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * scale, err_msg=str(case))


def assert_same_bits(case: Case, some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> None:
    """Equal, and 0 and -0 told apart; all NaN are one."""
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=str(case))
        numbers = one == one
        assert (np.signbit(one) == np.signbit(other))[numbers].all(), f"{case}: 0 for -0, or -0 for 0"


def strange(case: Case) -> list[np.ndarray]:
    """Bottoms that begin with what is no ordinary number."""
    arrays = case.arrays()
    for array in arrays:
        few = array.reshape(-1)[:5]
        few[:] = [math.nan, -0.0, -math.inf, math.inf, 0.0][: few.size]
    return arrays


# -- ends_in_relu


def check_ends_in_relu(case: Case, device: Device, *, in_place: bool = False) -> None:
    """A layer that ends in a ReLU equals the layer with a ReLU layer behind it: forward bit for bit, NaN and
    -0 included; backward where nothing but the signs of its tops is left to read."""
    plain = Rig(case, device)
    if not plain.layer.ends_in_relu:
        return
    try:
        ends = Rig(case, device, relu=True, in_place=in_place)
    except ConfigError:
        assert in_place
        return
    neuron = device.bind(activation)
    for arrays in (strange(case), case.arrays()):
        with np.errstate(all="ignore"):
            plain.forward(arrays)
            got = ends.forward(arrays)
            rectified = [device.zeros(blob.shape) for blob in plain.top]
            for blob, out in zip(plain.top, rectified):
                neuron.relu_forward(blob.data, out, 0)
            assert_same_bits(case, got, [device.get(out) for out in rectified])
    if not case.gradient:
        return
    plain.seed_tops()
    ends.seed_tops()
    for out, blob in zip(rectified, plain.top):
        neuron.relu_backward(out, blob.diff, blob.diff, 0)
    poison(ends)
    for some, others in zip(ends.backward(), plain.backward()):
        assert_close(case, device, some, others)


# -- adds


def check_adds(case: Case, device: Device) -> None:
    """Adding to the bottom diffs equals writing, and adding then; bottoms that are not asked for are
    written."""
    for relu in (False, True):
        writes = Rig(case, device, relu=relu)
        if not can_add(writes) or relu > writes.layer.ends_in_relu:
            return
        writes.forward(case.arrays())
        writes.seed_tops()
        written, weights = writes.backward()
        count = len(case.shapes)
        first, last = [i == 0 for i in range(count)], [i == count - 1 for i in range(count)]
        for adding in [[True] * count] + [first, last] * (count > 1):
            rig = Rig(case, device, relu=relu, adding=adding)
            rig.forward(case.arrays())
            rig.seed_tops()
            poison(rig)
            before = [np.random.default_rng(i).uniform(-1, 1, b.shape) for i, b in enumerate(rig.bottom)]
            for blob, start, adds in zip(rig.bottom, before, adding):
                if adds:
                    rig.put(start, blob, "diff")
            down, same = rig.backward()
            wanted = [
                None if diff is None else diff + start * adds
                for diff, start, adds in zip(written, before, adding)
            ]
            assert_close(case, device, down, wanted)
            assert_close(case, device, same, weights)


def can_add(rig: Rig) -> bool:
    """Whether the layer declares it, and no bottom diff is itself a top's (Split with one top)."""
    tops = {id(blob.diff_of) for blob in rig.top}
    return rig.layer.adds and not any(id(blob.diff_of) in tops for blob in rig.bottom)


# -- apart


class Images:
    """An array of images GAP elements apart; around and between them lies `between`."""

    def __init__(self, shape: tuple[int, ...], device: Device, between: float) -> None:
        n, image = shape[0], math.prod(shape[1:])
        self.shape, self.device, self.between = shape, device, between
        self.step = image + GAP
        self.places = FENCE + self.step * np.arange(n)[:, None] + np.arange(image)
        size = self.step * (n - 1) + image
        self.block = device.zeros((size + 2 * FENCE,))
        self.array = self.block[FENCE : FENCE + size]
        self.put(np.full(shape, between))

    def put(self, values: np.ndarray) -> None:
        """Set the images."""
        host = np.full(self.block.shape, self.between)
        host[self.places] = np.reshape(values, self.places.shape)
        self.device.put(host, self.block)

    def get(self) -> np.ndarray:
        """The images; AssertionError if anything else was written."""
        host = self.device.get(self.block)
        images = host[self.places].reshape(self.shape)
        host[self.places] = self.between
        assert np.array_equal(host, np.full(host.shape, self.between), equal_nan=True), (
            "written between images"
        )
        return images


class Apart(Rig):
    """A Rig with the images of some blobs apart: all that are read have NaN between them."""

    def __init__(self, case: Case, device: Device, sides: frozenset[str], **told) -> None:
        super().__init__(case, device, **told)
        self.images: dict[tuple[int, str], Images] = {}
        for side, blobs, between in (
            ("bottom", self.bottom, {"data": math.nan, "diff": UNTOUCHED}),
            ("top", self.top, {"data": UNTOUCHED, "diff": math.nan}),
        ):
            for blob in blobs if side in sides else ():
                for kind, value in between.items():
                    images = Images(blob.shape, device, value)
                    self.images[id(blob), kind] = images
                    setattr(blob, kind, images.array)
                    blob.step = images.step
        self.layer.arrange(self.bottom, self.top)

    def put(self, values: np.ndarray, blob: Blob, kind: str = "data") -> None:
        if images := self.images.get((id(blob), kind)):
            images.put(values)
        else:
            super().put(values, blob, kind)

    def get(self, blob: Blob, kind: str = "data") -> np.ndarray:
        images = self.images.get((id(blob), kind))
        return images.get() if images else super().get(blob, kind)


def check_apart(case: Case, device: Device) -> None:
    """Images that lie apart give what images in one piece give; what lies between them is not looked at and
    stays as it is."""
    apart = Rig(case, device).layer.apart
    for told in told_to(case, device) if apart else ():
        wanted = passes(Rig(case, device, **told))
        for sides in filter(None, dict.fromkeys([apart, apart & {"bottom"}, apart & {"top"}])):
            assert_close(case, device, passes(Apart(case, device, sides, **told)), wanted)


def passes(rig: Rig) -> list[np.ndarray | None]:
    """What a forward and a backward give."""
    results: list[np.ndarray | None] = [*rig.forward(rig.case.arrays())]
    if rig.case.gradient:
        rig.seed_tops()
        for blob in rig.bottom:
            rig.put(np.full(blob.shape, 0.5), blob, "diff")
        down, weights = rig.backward()
        results += down + weights
    for blob in [*rig.bottom, *rig.top]:
        rig.get(blob)
    return results


# -- all of them


def told_to(case: Case, device: Device) -> Iterator[dict]:
    """Nothing, and everything at once that the layer declares."""
    rig = Rig(case, device)
    relu, adds = rig.layer.ends_in_relu, can_add(rig)
    yield {}
    if relu or adds:
        yield {"relu": relu, "adding": [adds] * len(case.shapes)}


def check_gradients(case: Case, device: Device) -> None:
    """The gradient law with everything that the layer declares."""
    for told in told_to(case, device):
        if told and case.gradient:
            relu, adding = told["relu"], any(told["adding"])
            check_gradient(case, device, relu=relu, adding=adding, directions=1)
