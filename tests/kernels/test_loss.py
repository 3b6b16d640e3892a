"""Sums of losses: the same bits for any number of threads, and accurate in single precision."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from minicaffe.errors import DeviceError
from minicaffe.kernels import cuda, loss, partial_sums

from ..support.devices import each_device, make_device
from ..support.emulator import EmulatedCuda, available


@pytest.fixture
def threads():
    """Sets the number of threads, for one test."""
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


def placed(device, *hosts) -> list:
    """Arrays of the device that hold these values; integers stay what they are."""
    arrays = []
    for host in hosts:
        host = np.asarray(host)
        arrays.append(device.empty(host.shape, np.int32 if host.dtype.kind == "i" else None))
        device.put(host, arrays[-1])
    return arrays


def results(device, pieces: int) -> list:
    """The arrays `sums` to `value` of a measure's kernel."""
    return placed(
        device, np.ones(pieces), np.ones(2 * pieces, int), [9.0], [9.0, 9.0], [partial_sums.NONE, 0], [9.0]
    )


def sigmoid_loss(device, x: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss and slopes of one batch of count positions."""
    on, ends = placed(device, x, t, x), results(device, partial_sums.chunks(x.size))
    device.bind(loss).sigmoid_loss_forward(*on, *ends, loss.Labels(1, 1, x.size, 0, 0), 1.0)
    return device.get(ends[2]), device.get(on[2])


def test_the_number_of_threads_changes_no_bit(threads):
    rng = np.random.default_rng(3)
    x, t = rng.standard_normal(50_000), rng.random(50_000)
    device = make_device("cpu", np.float32)
    results = []
    for count in {1, min(2, numba.config.NUMBA_NUM_THREADS), numba.config.NUMBA_NUM_THREADS}:
        threads(count)
        results.append(sigmoid_loss(device, x, t))
    for y, slope in results[1:]:
        np.testing.assert_array_equal(y, results[0][0])
        np.testing.assert_array_equal(slope, results[0][1])


class Positions:
    """Rows of scores and a label for each, as softmax_loss_forward takes them: on a GPU with a partial sum
    for every position where there are many classes, for every 8 where there are few."""

    def __init__(self, device, positions: int, classes: int, ignore: int | None = None) -> None:
        self.g = loss.Labels(positions, classes, 1, int(ignore is not None), ignore or 0)
        rng = np.random.default_rng(positions)
        self.x, self.labels = rng.standard_normal((positions, classes)), rng.integers(0, classes, positions)
        self.device, self.ends = device, results(device, self.g.pieces)

    def run(self, fixed: float = 1.0) -> list[np.ndarray]:
        """The result, the outcome, what was noted, and the value there."""
        x, labels = self.x, self.labels.astype(np.float64)
        on = placed(self.device, x, labels, x, np.zeros(len(labels), int))
        self.device.bind(loss).softmax_loss_forward(*on, *self.ends, self.g, fixed)
        return [self.device.get(array) for array in self.ends[2:]]

    def losses(self) -> np.ndarray:
        """-log softmax(x) at the labels."""
        picked = self.x[np.arange(len(self.x)), self.labels]
        return np.log(np.exp(self.x).sum(1)) - picked


@each_device
@pytest.mark.parametrize("positions, classes", [(1, 300), (2, 256), (7, 3), (257, 256), (2060, 2)])
@pytest.mark.parametrize("fixed", [0.0, 7.0])
def test_a_sum_is_divided(device, positions, classes, fixed):
    """Of more partial sums than a block has threads, too; and again, as a graph repeats it."""
    case = Positions(device, positions, classes, ignore=1)
    counts = case.labels != 1
    wanted = fixed or max(1, counts.sum())
    for _ in range(2):
        y, outcome, noted, _ = case.run(fixed)
        np.testing.assert_allclose(y, math.fsum(case.losses()[counts]) / wanted, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(outcome, [wanted, y[0]])
        np.testing.assert_array_equal(noted, [partial_sums.NONE, 0])


@each_device
@pytest.mark.parametrize("positions, classes", [(260, 256), (260, 3)])
def test_the_first_bad_label_is_noted_and_stays(device, positions, classes):
    case = Positions(device, positions, classes)
    good = case.labels.copy()

    def note(**bad: int) -> tuple[int, float]:
        case.labels = good.copy()
        for place, label in bad.items():
            case.labels[int(place[1:])] = label
        y, outcome, (first, arrived), value = case.run()
        assert np.isnan(y) == np.isnan(outcome[1]) == bool(bad) and arrived == 0
        return first, value[0]

    assert note()[0] == partial_sums.NONE
    assert note(i259=-1, i250=classes, i255=-2) == (250, classes)
    assert note(i3=-5) == (250, classes)
    assert note() == (250, classes)


@each_device
def test_no_positions(device):
    """Nothing, divided by 1."""
    y, outcome, noted, _ = Positions(device, 0, 5).run(0.0)
    assert y == [0] and outcome.tolist() == [1, 0] and noted.tolist() == [partial_sums.NONE, 0]


def test_both_halves_agree_on_the_size_of_a_chunk():
    source = cuda.source(loss, np.dtype(np.float32))
    assert f"#define CHUNK {partial_sums.CHUNK} " in source
    assert f"#define NONE {partial_sums.NONE}\n" in source


class Unfenced(EmulatedCuda):
    """A GPU that is watched for races, with one of the two fences of a sum taken out."""

    def __init__(self, near: str) -> None:
        super().__init__(np.float64, races=True, orders=1)
        self.near = near

    def source(self, module):
        text = super().source(module)
        assert text.count(self.near) == 1
        return text.replace(self.near, self.near.replace("__threadfence();", ""))


ARRIVE = "    last = atomicAdd(noted + ARRIVED, 1) == int(gridDim.x) - 1;\n"


@pytest.mark.skipif(not available(), reason="the CUDA emulator needs g++")
@pytest.mark.parametrize("near", ["    __threadfence();\n" + ARRIVE, ARRIVE + "    __threadfence();\n"])
def test_a_missing_fence_is_seen(near):
    with pytest.raises(DeviceError, match=r"reads sums\[0\], which another block writes"):
        Positions(Unfenced(near), 20, 3).run()
    Positions(EmulatedCuda(np.float64, races=True), 20, 3).run()
