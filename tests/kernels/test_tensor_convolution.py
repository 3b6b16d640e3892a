"""Convolution on tensor cores, in the emulator and through NVRTC: against the plain loops in float64."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.device.cuda import CudaDevice
from minicaffe.errors import DeviceError
from minicaffe.kernels import convolution as family
from minicaffe.kernels.tensor import convolution as tensor
from minicaffe.kernels.tensor import launches, places, tiles
from minicaffe.kernels.tensor.tiles import Choice, Tile

from ..support import emulator
from ..support.emulator import EmulatedCuda
from ..support.emulator.libraries import FakeCublas
from ..support.emulator.module import ORDERS, KernelError
from .test_convolution import ALL, CASES, check_one_by_one, extended, extras, few, flag, geometry, run, three

needs_emulator = pytest.mark.skipif(not emulator.available(), reason="the CUDA emulator needs g++")

SMALL = Tile(32, 64, 16, 32, 4, (1.0, 1.0))
TOLERANCE = {"FAST": 1e-5, "TF32": 2e-3}  # of the norm of a result


class EveryOrder(EmulatedCuda):
    """Every launch runs in all orders of threads and of copies, and all must agree."""

    def __init__(self, math: str = "FAST", **options) -> None:
        super().__init__(np.float32, math=math, **options)

    def launch(self, function, grid, block, args, shared_bytes=0):
        self.stream.enqueue(
            lambda: function.function(grid, block, args, shared_mem=shared_bytes, schedules=ORDERS)
        )


@pytest.fixture
def force(monkeypatch):
    """Makes every geometry use a tile, and cut its sums into so many parts if they are long enough."""

    def use(tile: Tile, parts: int = 1) -> None:
        def choose(m, n, slices, *rest):
            each = max(1, -(-slices // parts))
            return Choice(tile, max(1, -(-slices // each)), each)

        monkeypatch.setattr(tiles, "choose", choose)

    return use


@functools.lru_cache(maxsize=16)
def oracle(g) -> list[np.ndarray]:
    return run(CpuDevice(np.float64, kernels="plain"), g)


def errors(device, g) -> dict[str, float]:
    """How far y, dx and dw are from the plain loops' in float64, relative to their norms."""
    wanted = oracle(g)
    names = "y", "dx", "dw"  # dy and db have no part here
    return {
        name: float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30))
        for name, a, b in zip(names, run(device, g, mask=wanted[0]), wanted)
    }


def check(device, g) -> None:
    for name, error in errors(device, g).items():
        assert error < TOLERANCE[device.math], f"{name} of {g} is off by {error:.1e}"


# -- results


DEVICES = {math: EveryOrder(math) for math in TOLERANCE} if emulator.available() else {}


@needs_emulator
@pytest.mark.parametrize("math", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_cases(name, math):
    """With the tiles that they are given."""
    check(DEVICES[math], CASES[name])


@needs_emulator
@given(
    st.sampled_from(list(TOLERANCE)),
    few,
    few,
    few,
    st.integers(1, 5),
    st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    three,
    three,
    three,
    three,
    flag,
    extras,
    st.integers(1, 3),
    st.none() | three,
)
@settings(max_examples=60)
def test_any_geometry(math, n, groups, c, m, size, kernel, stride, pad, dilation, bias, more, parts, behind):
    g = geometry(n, groups, c, m, size, kernel, stride, pad, dilation, bias, behind)
    assume(g is not None)
    g = extended(g, **more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tiles, "choose", lambda m, n, slices, *rest: Choice(SMALL, parts, max(1, -(-slices // parts)))
        )
        check(EveryOrder(math), g)


@needs_emulator
@pytest.mark.parametrize("tile", tiles.TILES, ids=lambda tile: f"{tile.bm}x{tile.bn}")
def test_every_tile(tile, force):
    """More rows, columns and slices than one block has; weights that are copied by 4 floats, and by one."""
    force(tile, parts=2)
    size = (1, 9, 9)
    check(EveryOrder(), geometry(2, 1, 12, tile.bm + 3, size, (1, 3, 3), stride=(1, 1, 2), pad=(0, 1, 1)))
    force(tile)
    check(EveryOrder(), geometry(2, 1, 3, tile.bm + 3, size, (1, 3, 3), pad=(0, 1, 1)))


@needs_emulator
def test_weights_that_are_not_aligned():
    """A group's or a blob's weights may begin anywhere: they are copied float by float."""
    device, g = EveryOrder(), geometry(1, 1, 4, 3, (1, 4, 4), (1, 2, 2), bias=0)
    rng = np.random.default_rng(1)
    block = device.empty((1 + g.m * g.c * g.taps,))
    device.put(rng.standard_normal(block.size), block)
    x, y = device.empty((g.c * 16,)), device.empty((g.m * g.pixels,))
    device.put(rng.standard_normal(x.size), x)
    device.bind(family).conv_forward(x, block[1:], y, y, y, g)
    host = CpuDevice(np.float64, kernels="plain")
    wanted = np.empty(y.size)
    w = device.get(block).astype(np.float64)[1:]
    host.bind(family).conv_forward(device.get(x).astype(np.float64), w, wanted, wanted, wanted, g)
    np.testing.assert_allclose(device.get(y), wanted, atol=1e-5)


@needs_emulator
@pytest.mark.parametrize("parts", [1, 3])
def test_what_follows_changes_nothing_else(parts, force):
    force(SMALL, parts)
    close = ("db",)  # images apart are read by other vectors
    check_one_by_one(EveryOrder(), extended(CASES["stride 2"], **ALL), close)
    check_one_by_one(EmulatedCuda(np.float64), extended(CASES["3-D"], **ALL), close)  # the plain kernels


@needs_emulator
def test_no_images():
    device, g = EveryOrder(), CASES["padded 3x3"]._replace(n=0)
    assert [a.size for a in run(device, g)[:2]] == [0, 0]
    np.testing.assert_array_equal(run(device, g)[2], 1)


@needs_emulator
def test_same_bits(force):
    force(SMALL, parts=3)
    one, two = (run(EveryOrder(), CASES["lenet conv2"]) for _ in range(2))
    for a, b in zip(one, two):
        np.testing.assert_array_equal(a, b)


@needs_emulator
@pytest.mark.parametrize("dtype, arch", [(np.float64, 80), (np.float32, 70)])
def test_others_use_the_plain_kernels(dtype, arch):
    device = EmulatedCuda(dtype, arch=arch)
    makers = tensor.make_forward, tensor.make_backward_data, tensor.make_backward_weights
    assert [make(device) for make in makers] == [None] * 3
    wanted = run(CpuDevice(np.float64, kernels="plain"), CASES["3-D"])
    for a, b in zip(run(device, CASES["3-D"]), wanted):
        np.testing.assert_allclose(a, b, atol=1e-10 if dtype is np.float64 else 1e-5)


# -- 1x1


@needs_emulator
@pytest.mark.parametrize("groups, bias", [(1, 1), (3, 0)])
def test_1x1_by_cublas(groups, bias):
    blas = FakeCublas()
    g = geometry(2, groups, 5, 4, (1, 3, 4), (1, 1, 1), bias=bias)
    check(EveryOrder(libraries={"cublas": blas}), g)
    assert blas.products == 2 * groups  # forward and backward by data
    check(EveryOrder(libraries={"cublas": blas}), extended(g, scaled=1, **ALL))
    check_one_by_one(EveryOrder(libraries={"cublas": blas}), extended(g, **ALL), close=("db",))


@needs_emulator
def test_not_every_1x1_is_a_product():
    """With a stride or a pad pixels do not lie as in the image."""
    blas = FakeCublas()
    device = EveryOrder(libraries={"cublas": blas})
    check(device, geometry(1, 1, 2, 3, (1, 5, 5), (1, 1, 1), stride=(1, 2, 2)))
    check(device, geometry(1, 1, 2, 3, (1, 5, 5), (1, 1, 1), pad=(0, 1, 1)))
    assert blas.products == 0


# -- capture


@needs_emulator
def test_capture(force):
    """After one call of a geometry nothing is allocated, made or compiled any more."""
    force(SMALL, parts=2)
    device, g = EmulatedCuda(np.float32), CASES["stride 2"]
    kernels = device.bind(family)
    x, w, b = device.zeros((g.n * g.c * 225,)), device.zeros((g.m * g.c * g.taps,)), device.zeros((g.m,))
    y, dw = device.zeros((g.n * g.m * g.pixels,)), device.zeros(w.shape)

    def step():
        kernels.conv_forward(x, w, b, b, y, g)
        kernels.conv_backward_data(y, w, x, g)
        kernels.conv_backward_weights(x, y, dw, g)

    with pytest.raises(DeviceError, match="while a capture is recording; hint: run the body once"):
        device.capture(step)
    step()
    replay = device.capture(step)
    rng = np.random.default_rng(2)
    for array in (x, w, b):
        device.put(rng.standard_normal(array.shape), array)
    kept = [device.get(a) for a in (x, w, b)]
    replay()
    got = [device.get(a) for a in (y, x, dw)]
    for array, host in zip((x, w, b), kept):
        device.put(host, array)
    device.fill(dw, 0)
    step()
    for one, array in zip(got, (y, x, dw)):
        np.testing.assert_array_equal(one, device.get(array))
        assert np.abs(one).max() > 0


# -- on a GPU


@pytest.fixture(params=TOLERANCE)
def gpu(request):
    """A real one, with the project's kernels alone."""
    try:
        device = CudaDevice(np.float32, math=request.param, libraries=False)
    except DeviceError as error:
        pytest.skip(str(error))
    if not tensor.suits(device):
        pytest.skip("the GPU has no tensor cores for TF32")
    return device


# Enough blocks to keep a GPU busy, for what only shows when they run at the same time.
BUSY = geometry(16, 1, 48, 150, (1, 27, 27), (1, 3, 3), stride=(1, 2, 1), pad=(0, 1, 1))


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_cases_on_a_gpu(name, gpu):
    check(gpu, CASES[name])


@pytest.mark.gpu
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("tile", tiles.TILES, ids=lambda tile: f"{tile.bm}x{tile.bn}")
def test_every_tile_on_a_gpu(tile, parts, gpu, force):
    """Weights copied by 4 floats and by one; and the same bits every time."""
    force(tile, parts)
    check(gpu, geometry(2, 1, 3, tile.bm + 3, (1, 9, 9), (1, 3, 3), pad=(0, 1, 1)))
    check(gpu, BUSY)
    first = run(gpu, BUSY)
    for _ in range(5):
        for one, other in zip(run(gpu, BUSY), first):
            np.testing.assert_array_equal(one, other)


# -- planted faults

# 5 images of 2 groups, 8 to 20 channels, 6 x 5 to 3 x 5: five slices and a tail of 8 forward, 6 by weights
G = geometry(5, 2, 8, 20, (1, 6, 5), (1, 3, 3), stride=(1, 2, 1), pad=(0, 1, 1))

MUTANTS = [
    ("__syncthreads();  // all copies", "// all copies", "y dw"),
    ("cp_async_wait<STAGES - 2>();", "", "y dw"),
    ("cp_async_wait<STAGES - 2>();", "cp_async_wait<STAGES - 1>();", "y dw"),
    ("staged + fill * STAGE", "staged + use * STAGE", "y dw"),  # one buffer instead of three
    ("STAGE = BM * A_ROW + DEPTH * B_ROW", "STAGE = BM * A_ROW + DEPTH * B_ROW - 12", "dx"),  # they overlap
    ("STAGE = (BM + BN) * ROW", "STAGE = (BM + BN) * ROW - 8", "dw"),
    ("unsigned(e.w)", "unsigned(e.w + 1)", "y dw"),
    ("unsigned(e.h)", "unsigned(e.h + 1)", "dx"),
    (" + lattice.shift_i", "", "y"),  # the padding
    (" + lattice.shift_j", "", "y"),
    (" + lattice.first_i", "", "dx"),
    ("* lattice.step_i", "", "dx"),
    ("* lattice.scale_i", "", "y"),
    ("(m0 + a_m + m < g.m)", "true", "y"),
    ("(m0 + down + m < g.m)", "true", "dw"),
    ("(k0 + a_k < depth)", "true", "y"),  # the tail of k
    ("there = image < g.images", "there = true", "dw"),
    ("if (m >= g.m || target < 0) return;", "if (target < 0) return;", "y"),
    ("if (m >= g.m || target < 0) return;", "if (m >= g.m) return;", "y"),
    ("if (m < g.m && n < g.n) to", "if (m < g.m) to", "dw"),
    ("if (m < g.m && n < g.n) to", "if (n < g.n) to", "dw"),
    ("if (n < g.images * pixels)", "if (n <= g.images * pixels)", "dx"),
    ("last = min(first + g.slices", "last = min(first + g.slices + 1", "y dw"),
    ("first = blockIdx.z * g.slices", "first = blockIdx.z * (g.slices - 1)", "y dw"),
    ("last = min(first + g.slices", "last = min(first + g.slices - 1", "y dw"),
    ("(long long)blockIdx.z * g.part", "0", "y"),
    ("pixel >= g.pixels; pixel", "pixel > g.pixels; pixel", "dw"),
    ("__syncthreads();\n\n  const int first", "const int first", "dw"),  # columns before they are written
    ("part < g.parts", "part < g.parts - 1", "y dw"),
    ("*at = g.add ? *at + total", "*at = g.add ? total", "dw"),
    ("bias, i / g.area % g.channels)", "bias, i % g.channels)", "y"),
    ("origins[k] < 0 ? 0.0f : ", "", "dx"),
    ("if constexpr (SPLIT) {", "if constexpr (false) {", "y dw"),  # one pass instead of three
    ("mma_m16n8k8_tf32(sum[j], a, b_low[j]);", "", "y dw"),
    ("low = __float_as_uint(x - ", "low = __float_as_uint(x + ", "y dw"),
]


def noticed(device, name: str) -> bool:
    """Whether one result is refused or wrong."""
    rng = np.random.default_rng(3)
    kernels, arrays = device.bind(family), {}
    sizes = {"x": G.n * 16 * 30, "w": 40 * 8 * 9, "b": 40, "y": G.n * 40 * G.pixels}
    for key, size in [*sizes.items(), ("dx", sizes["x"]), ("dw", sizes["w"])]:
        arrays[key] = device.empty((size,)), rng.standard_normal(size)
        device.put(arrays[key][1], arrays[key][0])
    x, w, b, y, dx, dw = (array for array, _ in arrays.values())
    calls = {
        "y": lambda: kernels.conv_forward(x, w, b, b, y, G),
        "dx": lambda: kernels.conv_backward_data(y, w, dx, G),
        "dw": lambda: kernels.conv_backward_weights(x, y, dw, G),
    }
    try:
        calls[name]()
    except KernelError as error:
        assert "does not compile" not in str(error)
        return True
    host = {key: values.copy() for key, (_, values) in arrays.items()}
    plain = CpuDevice(np.float64, kernels="plain").bind(family)
    if name == "y":
        plain.conv_forward(host["x"], host["w"], host["b"], host["b"], host["y"], G)
    elif name == "dx":
        plain.conv_backward_data(host["y"], host["w"], host["dx"], G)
    else:
        plain.conv_backward_weights(host["x"], host["y"], host["dw"], G)
    error = np.linalg.norm(device.get(arrays[name][0]) - host[name]) / np.linalg.norm(host[name])
    return not error < 1e-5


class Planted(EveryOrder):
    """With a fault in the kernels; all that SMALL needs is built at once."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new
        super().__init__()

    def module(self, text, names=()):
        if "conv_gather" not in text:
            return super().module(text, names)
        assert self.old in text, f"the kernels no longer contain {self.old!r}"
        everything = [
            *("conv_pack", "conv_add_parts"),
            launches.instance("conv_gather", 3, SMALL, 4),
            launches.instance("conv_weights", 3, SMALL),
        ]
        return super().module(text.replace(self.old, self.new), everything)


@needs_emulator
def test_without_a_fault_nothing_is_noticed(force):
    force(SMALL, parts=2)
    assert not any(noticed(EveryOrder(), name) for name in ("y", "dx", "dw"))


@needs_emulator
# Every other one by default, all of them with -m slow: each is compiled anew.
@pytest.mark.parametrize(
    "old, new, names",
    [pytest.param(*fault, marks=[pytest.mark.slow] if i % 2 else []) for i, fault in enumerate(MUTANTS)],
)
def test_mutant_is_noticed(old, new, names, force):
    force(SMALL, parts=2)
    device = Planted(old, new)
    assert all(noticed(device, name) for name in names.split())


# -- what the host prepares


def test_a_lattice_for_every_rest():
    """Every input pixel is in one lattice; together they use every tap of every stride's rest once."""
    g = geometry(1, 1, 2, 3, (4, 7, 9), (2, 5, 3), stride=(2, 3, 2), pad=(1, 2, 1), dilation=(1, 2, 1))
    found = places.backward_data(g)
    seen = np.zeros((g.d, g.h, g.w), int)
    for lattice in found.lattices:
        z, i, j = (
            first + step * np.arange(count)
            for first, step, count in zip(lattice[14:], lattice[11:14], lattice[2:5])
        )
        seen[np.ix_(z, i, j)] += 1
    assert (seen == 1).all()
    used = found.origins[found.origins >= 0]
    assert len(np.unique(used)) == len(used) == g.m * g.taps
    assert found.row == len(found.taps) == len(found.origins) == sum(16 * p.slices for p in found.lattices)


def test_work_of_a_strided_gradient_is_no_more_than_the_forward_pass():
    g = geometry(1, 1, 16, 16, (1, 32, 32), (1, 4, 4), stride=(1, 2, 2), pad=(0, 1, 1))
    work = sum(p.pixels * p.slices * 16 for p in places.backward_data(g).lattices)
    assert work == g.pixels * g.m * g.taps


@pytest.mark.parametrize(
    "m, n, slices, parts",
    [
        (256, 128 * 56 * 56, 144, "one"),  # enough tiles: nothing is cut
        (64, 147, 128 * 112 * 112 // 16, "many"),  # weights of few elements
        (512, 49, 288, "many"),  # one image
        (16, 49, 2, "one"),  # nothing to cut
    ],
)
def test_sums_are_cut_where_tiles_are_few(m, n, slices, parts):
    choice = tiles.choose(m, n, slices, 1, 132, 3)
    assert (choice.parts > 1) == (parts == "many")
    assert (choice.parts - 1) * choice.slices < slices <= choice.parts * choice.slices


@pytest.mark.parametrize("passes", [1, 3])
def test_tiles_follow_the_rows(passes):
    chosen = [tiles.choose(m, 10**6, 50, 1, 132, passes).tile.bm for m in (10, 32, 64, 128)]
    assert chosen == [16, 32, 64, 128]


def test_three_passes_are_worth_more_parts():
    """Products take longer, adding parts up does not."""
    parts = [tiles.choose(64, 1600, 16, 1, 132, passes).parts for passes in (1, 3)]
    assert parts[0] < parts[1]
