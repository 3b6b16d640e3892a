"""Everything that can compute a kernel's call, ours and others', timed in turns and held to float64."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..device.base import MATH, Device
from ..device.cpu import CpuDevice
from ..errors import MiniCaffeError
from . import blas
from .own import OwnKernel
from .recorded import Call
from .turns import Ran, Record, take_turns

REST_S = 0.05  # between blocks
MOST = 50  # steps before arrays are put back: what adds to an array must not run away


class KernelError(MiniCaffeError, RuntimeError):
    """An implementation that raises."""


class Algorithm(NamedTuple):
    """One implementation of a kernel: its name, the device of its arrays, what to call.

    used    it is what nets on the device run
    choice  it is what they run with another accuracy, which may be the same
    """

    name: str
    device: Device
    function: Callable[..., object]
    used: bool = False
    choice: bool = False


def algorithms(call: Call, device: Device, own: Sequence[OwnKernel] = ()) -> list[Algorithm]:
    """The one that is used comes first, then those of other accuracies, the plain loops, NumPy over its BLAS,
    and the user's."""
    name = call.spec.name
    found = [Algorithm("minicaffe", device, getattr(device.bind(call.family), name), used=True)]
    for math in MATH:
        other = device.with_math(math)
        if other is not device:
            function, label = getattr(other.bind(call.family), name), f"minicaffe {math.lower()}"
            found.append(Algorithm(label, other, function, choice=True))
    if device.name == "cpu":
        if call.spec.cpu is not None:
            plain = CpuDevice(device.dtype, kernels="plain")
            found.append(Algorithm("loops", plain, getattr(plain.bind(call.family), name)))
        if name in blas.KERNELS:
            found.append(Algorithm("NumPy's BLAS", device, blas.KERNELS[name]))
    return found + [
        Algorithm(one.label, device, one.bound(device, call.spec)) for one in own if one.kernel == name
    ]


class Timed:
    """An algorithm that takes turns."""

    def __init__(self, algorithm: Algorithm, call: Call) -> None:
        self.name, self.algorithm, self.call = algorithm.name, algorithm, call
        self.arguments = call.arguments(algorithm.device)

    def run(self, wake: int, count: int) -> Ran:
        device, function = self.algorithm.device, self.algorithm.function
        own, mark, pairs = time.process_time(), device.clock(), []
        try:
            for i in range(wake + count):
                if i % MOST == 0:
                    self.call.restore(device, self.arguments)
                before = mark()
                function(*self.arguments)
                pairs.append((before, mark()))
        except MiniCaffeError:
            raise
        except Exception as error:  # whatever a user's kernel raises
            raise KernelError(f"{type(error).__name__}: {error}") from None
        return Ran([device.seconds(*pair) for pair in pairs[wake:]], time.process_time() - own)

    def results(self) -> list[Any]:
        """The arguments behind one call, on the host."""
        device = self.algorithm.device
        self.call.restore(device, self.arguments)
        self.algorithm.function(*self.arguments)
        return [device.get(a) if hasattr(a, "dtype") and hasattr(a, "shape") else a for a in self.arguments]


@dataclass
class Judged:
    """An algorithm after the turns; error: the largest difference of an element from float64's, as a share of
    the largest element of its array, None where nothing floating is written."""

    record: Record
    used: bool
    error: float | None = None


@dataclass
class Found:
    """A call, the bytes that it has to move, and its algorithms."""

    call: Call
    nbytes: int
    judged: list[Judged]

    @property
    def flops(self) -> int | None:
        """Two for every multiply-add."""
        return None if self.call.multiply_adds is None else 2 * self.call.multiply_adds


def contest(
    call: Call,
    choices: Sequence[Algorithm],
    turns: int,
    block_s: float,
    told: Callable[[str], None] = lambda line: None,
) -> Found:
    """Time and judge them.  What an accuracy chooses is left out where it gives the bits of another."""
    exact = _exactly(call)
    written = [i for i, (a, b) in enumerate(zip(call.values, exact)) if _differ(a, b)]
    timed = [Timed(algorithm, call) for algorithm in choices]
    judged: list[Judged] = []
    good: list[tuple[Timed, Judged]] = []
    seen: list[list[Any]] = []  # what ours give
    for one in timed:
        verdict = Judged(Record(one.name), one.algorithm.used)
        try:
            one.run(0, 1)  # compiles
            results = one.results()
            if one.algorithm.choice and any(_equal(results, other, written) for other in seen):
                continue
            seen += [results] if one.algorithm.used or one.algorithm.choice else []
            verdict.error = _error(results, exact, call, written)
            good.append((one, verdict))
        except MiniCaffeError as error:
            verdict.record.error = str(error)
        judged.append(verdict)
    records = take_turns([one for one, _ in good], turns, block_s=block_s, rest_s=REST_S, told=told)
    for (_, verdict), record in zip(good, records):
        verdict.record = record
    return Found(call, _moved(call, written), judged)


def _exactly(call: Call) -> list[Any]:
    """The arguments behind the plain loops in float64."""
    device = CpuDevice(np.float64, kernels="plain")
    arguments = call.arguments(device)
    getattr(device.bind(call.family), call.spec.name)(*arguments)
    return arguments


def _differ(before: Any, after: Any) -> bool:
    return isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True)


def _equal(some: list[Any], others: list[Any], written: Sequence[int]) -> bool:
    return all(np.array_equal(some[i], others[i], equal_nan=True) for i in written)


def _error(found: list[Any], exact: list[Any], call: Call, written: Sequence[int]) -> float | None:
    worst = None
    for i in written:
        if call.spec.parameters[i].kind is np.floating:
            a, b = np.asarray(found[i], np.float64).ravel(), exact[i].ravel()
            with np.errstate(invalid="ignore"):
                gap = np.abs(np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, a - b)).max(initial=0)
            level = np.abs(b[np.isfinite(b)]).max(initial=0) or 1.0
            share = float(gap / level) if np.isfinite(gap) else float("inf")
            worst = share if worst is None else max(worst, share)
    return worst


def _moved(call: Call, written: Sequence[int]) -> int:
    """Bytes of every array once: read, or written; what is added to is both, and counts twice."""
    arrays = {id(value): value for value in call.values if isinstance(value, np.ndarray)}
    both = {id(call.values[i]) for i in written if _adds(call, i)}
    return sum(value.nbytes * (2 if key in both else 1) for key, value in arrays.items())


def _adds(call: Call, i: int) -> bool:
    """Whether what a kernel writes depends on what was there: gradients of parameters, and of bottoms where
    the geometry says `add`."""
    name = call.spec.parameters[i].name
    added = any(getattr(value, "add", 0) for value in call.values)
    return name.startswith(("dw", "dbias", "dscale", "dslope")) or (added and name in ("dx", "c", "out"))
