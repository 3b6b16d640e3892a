"""The machine code of the kernels for tensor cores: what it needs, and how long its main loops are."""

from __future__ import annotations

import functools

import pytest

from minicaffe.kernels.tensor import launches, tiles

from ..support import nvrtc

pytestmark = pytest.mark.skipif(not nvrtc.available(), reason="NVRTC is not installed (extra cuda-compile)")

# Instructions that a warp has for one slice of the main loop, by tile and passes, with NVRTC 12.9 for sm_90:
# of conv_gather with copies of 16 bytes, of conv_weights, and of conv_gather with copies of 4 bytes, which
# weights that are not packed may need.
INSTRUCTIONS = {
    (128, 128, 1): (246, 445),
    (128, 128, 3): (681, 789, 726),
    (64, 128, 1): (205, 365),
    (64, 128, 3): (451, 565, 460),
    (64, 64, 1): (213, 364),
    (64, 64, 3): (460, 581, 474),
    (32, 128, 1): (285, 482),
    (32, 128, 3): (531, 701, 540),
    (32, 64, 1): (189, 308),
    (32, 64, 3): (347, 464, 356),
    (16, 128, 1): (272, 448),
    (16, 128, 3): (429, 595, 435),
}
ROOM = 1.03  # another NVRTC schedules a little otherwise


def names(tile: tiles.Tile, passes: int) -> list[str]:
    """The instances that are used."""
    kernels = [("conv_gather", (4,)), ("conv_weights", ()), ("conv_gather", (1,))]
    return [launches.instance(name, passes, tile, *more) for name, more in kernels[: 2 if passes == 1 else 3]]


@functools.cache
def compiled(tile: tiles.Tile, arch: str, version: int) -> nvrtc.Compiled:
    """For both numbers of passes at once."""
    return nvrtc.compile(launches.source(), arch, names(tile, 1) + names(tile, 3), version)


each_tile = pytest.mark.parametrize("tile", tiles.TILES, ids=lambda tile: f"{tile.bm}x{tile.bn}")


@pytest.mark.parametrize("version, arch", [(12, "sm_80"), (12, "sm_90"), (13, "sm_90")])
@each_tile
def test_every_instance_compiles_and_spills_nothing(tile, version, arch):
    if version not in nvrtc.versions():
        pytest.skip(f"NVRTC {version} is not installed")
    shared = {"conv_gather": tile.gather_bytes(), "conv_weights": tile.weights_bytes()}
    used = compiled(tile, arch, version).kernels
    wanted = names(tile, 1) + names(tile, 3)
    assert set(used) == {*wanted, "conv_pack", "conv_add_parts"}
    for name in wanted:
        usage = used[name]
        blocks = int(name.split(",")[6].strip(" >"))
        assert usage.spill_bytes == 0, f"{name} spills {usage.spill_bytes} bytes on {arch}"
        assert usage.registers * tile.threads * blocks <= 65536, f"{name} needs {usage.registers} registers"
        dynamic = shared[name.split("<")[0]]
        assert usage.shared_bytes <= (2 << 10)
        assert dynamic + usage.shared_bytes <= (99 << 10), "8.6 and 8.9 have 99 KiB for a block"
        assert (dynamic + usage.shared_bytes + 1024) * blocks <= (164 << 10), "8.0 has 164 KiB for all blocks"


@each_tile
@pytest.mark.skipif(nvrtc.disassembler() is None, reason="nvdisasm is not installed (extra cuda-compile)")
def test_main_loops_stay_short(tile):
    """Tensor cores wait for whatever else a warp has to do."""
    code = compiled(tile, "sm_90", nvrtc.versions()[0])
    loops = nvrtc.main_loops(code)
    for passes in (1, 3):
        counts = [loops[name].instructions for name in names(tile, passes)]
        allowed = INSTRUCTIONS[tile.bm, tile.bn, passes]
        assert all(count <= ROOM * most for count, most in zip(counts, allowed, strict=True)), (
            counts,
            allowed,
        )
        products = tile.wm // 16 * (tile.wn // 8) * 2 * passes
        assert all(loops[name].products == products for name in names(tile, passes))


@pytest.mark.skipif(nvrtc.disassembler() is None, reason="nvdisasm is not installed (extra cuda-compile)")
def test_speeds_are_what_the_instructions_say():
    """tiles.py's estimates: products to an instruction of conv_gather, as parts of the largest tile's."""
    for passes in (1, 3):
        rates = {tile: tile.wm * tile.wn / INSTRUCTIONS[tile.bm, tile.bn, passes][0] for tile in tiles.TILES}
        for tile, rate in rates.items():
            assert tile.speed[passes == 3] == pytest.approx(rate / rates[tiles.TILES[0]], abs=0.03)
