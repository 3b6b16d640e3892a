"""The laws every layer obeys.

A test file states cases (a layer, its bottoms) and a reference; the laws here do the rest, on every device.
Each law takes a `Case` and a device and raises AssertionError with the layer and what went wrong.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from minicaffe.checking.isolated import Alone
from minicaffe.device.base import Device
from minicaffe.errors import ConfigError
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

Maker = Callable[[tuple[int, ...], np.random.Generator], np.ndarray]


# -- what goes into a bottom


def distinct(shape, rng) -> np.ndarray:
    """Values in (-1, 1), at least 1 / size apart and none near 0: no ties and no kink within a finite
    difference."""
    count = math.prod(shape)
    return ((rng.permutation(count) - count / 2 + 0.25) / max(count, 1) * 2).reshape(shape)


def positive(shape, rng) -> np.ndarray:
    """Distinct values in (0.5, 1.5)."""
    return distinct(shape, rng) / 2 + 1


def uniform(shape, rng) -> np.ndarray:
    """Values in (0, 1): soft targets."""
    return rng.uniform(0.02, 0.98, shape)


def labels(classes: int) -> Maker:
    """Whole numbers below `classes`."""
    return lambda shape, rng: rng.integers(0, classes, shape).astype(np.float64)


@dataclass(frozen=True)
class Case:
    """A layer and what it is fed.

    layer     the body of its prototxt entry, without name, bottoms and tops: 'type: "ReLU" relu_param { ...
              }'
    shapes    one per bottom
    makers    what fills each bottom; `distinct` for those left out
    gradient  False if the layer has no backward
    in_place  False if this use of the layer cannot run in place
    growing   the axis along which a larger batch makes each bottom longer; 0 for those left out
    """

    layer: str
    shapes: tuple[tuple[int, ...], ...]
    makers: tuple[Maker, ...] = ()
    tops: int = 1
    phase: str = "TRAIN"
    gradient: bool = True
    in_place: bool = True
    growing: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.layer} {'x'.join(map(str, self.shapes))} {self.phase}"

    def arrays(self, seed: int = 1701, more: int = 0) -> list[np.ndarray]:
        """The bottoms' values; `more` items are added to the batch."""
        rng = np.random.default_rng(seed)
        makers = (*self.makers, *[distinct] * (len(self.shapes) - len(self.makers)))
        axes = (*self.growing, *[0] * (len(self.shapes) - len(self.growing)))
        pairs = zip(self.shapes, axes)
        shapes = [tuple(d + more * (i == axis) for i, d in enumerate(s)) for s, axis in pairs]
        return [maker(shape, rng) for maker, shape in zip(makers, shapes)]


class Rig(Alone):
    """The layer of a case in a net of its own; in place, top 0 is bottom 0.

    relu    the layer is told to end in a ReLU
    adding  it is told to add to the diffs of these bottoms
    """

    def __init__(
        self,
        case: Case,
        device: Device,
        *,
        in_place: bool = False,
        relu: bool = False,
        adding: Sequence[bool] = (),
    ) -> None:
        (param,) = text.parse(f'layer {{ name: "layer" {case.layer} }}', NetParameter).layer
        net = {"phase": case.phase, "device": device, "seed": 1701}
        super().__init__(param, case.shapes, case.tops, [in_place], passes=3, **net)
        self.case = case
        if relu or any(adding):
            self.layer.relu, self.layer.adding = relu, list(adding) or [False] * len(case.shapes)
            self.net.reshape()
        self.put_params()

    def put_params(self, seed: int = 5) -> None:
        """Give the parameters that are learned distinct values, whatever the fillers are."""
        rng = np.random.default_rng(seed)
        for blob, learned in zip(self.layer.params, self.learned):
            if learned:
                self.device.put(distinct(blob.shape, rng), blob.data)

    def forward(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """`evaluate`, and what the layer then complains of."""
        tops = self.evaluate(arrays)
        self.layer.verify()
        return tops

    def seed_tops(self, seed: int = 7) -> list[np.ndarray]:
        """Random top diffs, also returned; of a detached top 0, and NaN is there."""
        rng = np.random.default_rng(seed)
        diffs = [rng.uniform(0.5, 1.5, blob.shape) * rng.choice([-1, 1], blob.shape) for blob in self.top]
        for i, (blob, diff) in enumerate(zip(self.top, diffs)):
            detached = i in self.layer.detached_tops
            self.put(np.full(blob.shape, math.nan) if detached else diff, blob, "diff")
            diffs[i] = 0 * diff if detached else diff
        return diffs


# -- the laws


def check_forward(case: Case, device: Device, reference: Callable[..., object], rtol: float = 1e-9) -> None:
    """The tops equal reference(*bottoms, *parameters), an array or a sequence of them."""
    rig = Rig(case, device)
    arrays = case.arrays()
    got = rig.forward(arrays)
    wanted = reference(*arrays, *[device.get(p.data) for p in rig.layer.params])
    wanted = [wanted] if isinstance(wanted, np.ndarray | float) else wanted
    for i, (g, w) in enumerate(zip(got, wanted, strict=True)):
        assert g.shape == np.shape(w), f"{case}: top {i} has shape {g.shape}, the reference {np.shape(w)}"
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol, err_msg=f"{case}: top {i}")


def check_gradient(
    case: Case,
    device: Device,
    *,
    step: float = 1e-5,
    rtol: float = 2e-6,
    directions: int = 3,
    relu: bool = False,
    adding: bool = False,
) -> None:
    """Backward equals the centred difference of sum(top.diff * top) along random directions; in float64.

    On the way: everything outside backward_reads is NaN when backward runs (the poison law); bottom diffs are
    written, not added to, or with `adding` the other way round; parameter diffs are added to, not written.
    """
    rig = Rig(case, device, relu=relu, adding=[adding] * len(case.shapes))
    layer, arrays = rig.layer, case.arrays()
    rig.forward(arrays)
    slopes = rig.seed_tops()
    before = [np.full(p.shape, 3.0 + j) for j, p in enumerate(layer.params)]
    for blob, start in zip(layer.params, before):
        device.put(start, blob.diff)
    poison(rig)
    if adding:
        for blob in rig.bottom:
            device.fill(blob.diff, 4.0)
    layer.backward(rig.top, rig.propagate, rig.bottom)
    down = [device.get(b.diff) if p else np.zeros(b.shape) for b, p in zip(rig.bottom, rig.propagate)]
    if adding:
        down = [diff - 4.0 if p else diff for diff, p in zip(down, rig.propagate)]
    weights = [device.get(p.diff) - start for p, start in zip(layer.params, before)]
    for i, diff in enumerate(down):
        assert np.isfinite(diff).all(), (
            f"{case}: bottom {i}'s diff is not written, or read more than {set(layer.backward_reads)}"
        )
    for j, diff in enumerate(weights):
        assert np.isfinite(diff).all(), (
            f"{case}: parameter {j}'s gradient read more than {set(layer.backward_reads)}"
        )
    values = [device.get(p.data) for p in layer.params]
    rng = np.random.default_rng(11)

    def objective(t: float, along_x, along_w) -> float:
        for blob, value, v in zip(layer.params, values, along_w):
            device.put(value + t * v, blob.data)
        tops = rig.forward([x + t * v for x, v in zip(arrays, along_x)])
        return math.fsum(float((s * y).sum()) for s, y in zip(slopes, tops))

    for _ in range(directions):
        along_x = [
            rng.standard_normal(x.shape) if p else np.zeros(x.shape) for x, p in zip(arrays, rig.propagate)
        ]
        along_w = [
            rng.standard_normal(p.shape) if learned else np.zeros(p.shape)
            for p, learned in zip(layer.params, rig.learned)
        ]
        numeric = (objective(step, along_x, along_w) - objective(-step, along_x, along_w)) / (2 * step)
        pairs = [*zip(along_x, down), *zip(along_w, weights)]
        analytic = math.fsum(float((v * d).sum()) for v, d in pairs)
        scale = math.fsum(float(np.abs(v * d).sum()) for v, d in pairs)
        assert abs(numeric - analytic) <= rtol * scale + 1e-8, (
            f"{case}: numeric {numeric:.9g}, analytic {analytic:.9g}"
        )


def poison(rig: Rig) -> None:
    """Make NaN whatever backward did not declare to read; bottom diffs too, which it must write."""
    reads, device = rig.layer.backward_reads | ({"top.sign"} if rig.layer.relu else set()), rig.device
    kept = {id(b) for b in rig.top} if reads & {"top.data", "top.sign"} else set()
    kept |= {id(b) for b in rig.bottom} if "bottom.data" in reads else set()
    for blob in [*rig.bottom, *rig.top]:
        if id(blob) not in kept:
            device.fill(blob.data, math.nan)
    if "top.sign" in reads and "top.data" not in reads:  # any values of the same sign must do
        for blob in rig.top:
            device.put(np.where(device.get(blob.data) > 0, 1e3, -1e3), blob.data)
    for blob, wanted in zip(rig.bottom, rig.propagate):
        if (
            wanted
            and not any(blob is t for t in rig.top)
            and not any(blob.diff_of is t.diff_of for t in rig.top)
        ):
            device.fill(blob.diff, math.nan)


def check_propagate_down(case: Case, device: Device) -> None:
    """With propagate_down all False no bottom diff changes; with param_gradient all False no parameter
    diff."""
    rig = Rig(case, device)
    rig.forward(case.arrays())
    rig.seed_tops()
    for blob in [*rig.bottom, *rig.layer.params]:
        device.fill(blob.diff, 42.0)
    aliased = {id(t.diff_of) for t in rig.top}
    rig.seed_tops()
    rig.layer.param_gradient = [False] * len(rig.layer.params)
    rig.layer.backward(rig.top, [False] * len(rig.bottom), rig.bottom)
    for blob in [*rig.bottom, *rig.layer.params]:
        if id(blob.diff_of) not in aliased:
            assert (device.get(blob.diff) == 42.0).all(), f"{case}: the diff of {blob} changed unasked"


def check_repeatable(case: Case, device: Device, *, rig: type[Rig] = Rig) -> None:
    """The same bottoms give the same bits, forward and backward, however often; no state leaks, and a
    rehearsal leaves nothing behind."""
    rig = rig(case, device)
    arrays = case.arrays()
    first = rig.forward(arrays)
    rig.forward([a[::-1].copy() if a.ndim else a for a in arrays])
    assert_same(case, first, rig.forward(arrays))
    device.rehearse(rig.net.run_forward)
    assert_same(case, first, [device.get(blob.data) for blob in rig.top])
    assert_same(case, first, rig.forward(arrays))
    if case.gradient:
        rig.seed_tops()
        down, weights = rig.backward()
        rig.forward(arrays)
        rig.seed_tops()
        again, weights_again = rig.backward()
        assert_same(
            case,
            [d for d in down if d is not None] + weights,
            [d for d in again if d is not None] + weights_again,
        )


def check_reshape(case: Case, device: Device) -> None:
    """A larger batch in between changes nothing."""
    rig = Rig(case, device)
    arrays = case.arrays()
    first = rig.forward(arrays)
    for more in (2, 0):
        arrays = case.arrays(more=more)
        for blob, array in zip(rig.bottom, arrays):
            blob.reshape(*array.shape)
        rig.net.reshape()
        rig.forward(arrays)
    assert_same(case, first, rig.forward(arrays))


def check_in_place(case: Case, device: Device) -> None:
    """In place gives what out of place gives, forward and backward, or is refused because the gradient reads
    what would be overwritten."""
    apart = Rig(case, device)
    try:
        inside = Rig(case, device, in_place=True)
    except ConfigError:
        reads = apart.layer.backward_reads
        assert case.gradient and "bottom.data" in reads, f"{case}: refused in place without need"
        return
    reads = inside.layer.backward_reads  # a layer may keep a copy, and then read that
    if case.gradient and "bottom.data" in reads:
        raise AssertionError(f"{case}: runs in place, though its gradient reads the input")
    arrays = case.arrays()
    assert_same(case, apart.forward(arrays), inside.forward(arrays))
    if case.gradient:
        apart.seed_tops()
        inside.seed_tops()
        for one, other in zip(apart.backward(), inside.backward()):
            assert_same(case, one, other)


def check_no_allocation(case: Case, device: Device, limit_bytes: int = 16384) -> None:
    """After the first pass nothing is allocated; for compiled code see test_kernels_catalogue."""
    rig = Rig(case, device)
    rig.forward(case.arrays())
    rig.seed_tops()

    def run() -> None:
        rig.layer.forward(rig.bottom, rig.top)
        if case.gradient:
            rig.layer.backward(rig.top, rig.propagate, rig.bottom)

    run()
    tracemalloc.start()
    try:
        run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit_bytes, f"{case}: a pass allocates {peak} bytes"


def check_parity(case: Case, device: Device, other: Device, rtol: float = 1e-10) -> None:
    """Two devices agree on tops and gradients."""
    results = []
    for d in (device, other):
        rig = Rig(case, d)
        arrays = rig.forward(case.arrays())
        if case.gradient:
            rig.seed_tops()
            down, weights = rig.backward()
            arrays += [a for a in down if a is not None] + weights
        results.append(arrays)
    for one, another in zip(*results, strict=True):
        scale = max(np.abs(another).max(initial=0), 1.0)
        np.testing.assert_allclose(one, another, rtol=rtol, atol=rtol * scale, err_msg=str(case))


def check_captured(case: Case, device: Device, *, rig: type[Rig] = Rig) -> None:
    """What is captured over one batch and replayed over another gives what runs over that: the host decides
    nothing on the way, and passes nothing that changes."""
    rigged = rig(case, device)
    layer, net = rigged.layer, rigged.net
    if not layer.capturable:
        return
    params = [device.get(p.data) for p in layer.params]

    def body() -> None:
        net.clear_param_diffs()
        layer.forward(rigged.bottom, rigged.top)
        if case.gradient:
            layer.backward(rigged.top, rigged.propagate, rigged.bottom)

    def prepare(arrays: Sequence[np.ndarray], passes: int) -> None:
        for blob, array in zip(rigged.bottom, arrays, strict=True):
            device.put(array, blob.data)
        for blob, value in zip(layer.params, params):  # running statistics
            device.put(value, blob.data)
        if layer.random is not None:
            layer.random.seek(passes)
        layer.reset_state()
        rigged.seed_tops(passes)

    def results() -> list[np.ndarray]:
        down = [b.diff for b, p in zip(rigged.bottom, rigged.propagate) if p and case.gradient]
        weights = [p.diff for p in layer.params]
        return [device.get(array) for array in [*[b.data for b in rigged.top], *down, *weights]]

    first, second = case.arrays(), case.arrays(seed=4711)
    prepare(first, 3)
    body()
    prepare(first, 3)
    replay = device.capture(body)
    prepare(second, 5)
    replay()
    replayed = results()
    prepare(second, 5)
    body()
    assert_same(case, replayed, results())


def assert_same(case: Case, some: Sequence, others: Sequence) -> None:
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=str(case))
