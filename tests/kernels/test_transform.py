"""The device's transformation against the host's: the same bits."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.batch import Batch
from minicaffe.data.transformer import BYTES, Transformer
from minicaffe.kernels import transform as family
from minicaffe.layers.source.transforming import DeviceTransform
from minicaffe.proto import binary, text
from minicaffe.proto.schema import TEST, TRAIN, TransformationParameter

from ..support.devices import NAMES, make_device
from ..support.emulator import EmulatedCuda, available
from ..support.emulator.module import KernelError

SHAPE, COUNT, KEY = (3, 7, 8), 4, (5, 6)
RNG = np.random.default_rng(1)
IMAGES = RNG.integers(0, 256, (COUNT, *SHAPE), np.uint8)

# float32, as nets are run, and float64, as gradients are checked
each_device = pytest.mark.parametrize("name", NAMES)
each_type = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(scope="module")
def means(tmp_path_factory) -> dict[str, str]:
    """Every way to give a mean, as text."""
    path = tmp_path_factory.mktemp("mean") / "mean.binaryproto"
    mean = RNG.uniform(0, 255, SHAPE).astype(np.float32)
    path.write_bytes(binary.from_array(mean[None]).SerializeToString())
    return {
        "none": "",
        "one": "mean_value: 33.3",
        "channels": "mean_value: [104.007, 116.669, 122.679]",
        "pixels": f'mean_file: "{path}"',
    }


def transformer(conf: str, phase: int = TRAIN, shape=SHAPE) -> Transformer:
    return Transformer(text.parse(conf, TransformationParameter), phase, shape)


def on_host(t: Transformer, images, at, dtype) -> np.ndarray:
    out = np.full((len(images), *t.out_shape), np.nan, dtype)
    t(images, out, at, KEY)
    return out


def bytes_of(t: Transformer, images, at) -> Batch:
    """The batch as it travels."""
    batch = Batch(np.empty((len(images), *t.shape), BYTES), dtype=np.float32, takes_bytes=True)
    t.fill(batch, images, at, KEY)
    assert batch.images.dtype == BYTES and batch.windows is not None
    return batch


def on_device(transform: DeviceTransform, batch: Batch) -> np.ndarray:
    device, shape = transform.device, transform.out_shape(batch.images)
    out, feed = device.empty(shape), device.feed()
    feed.begin()
    transform.stage(batch.images, batch.windows, feed.put)
    feed.send()
    feed.deliver()
    transform.unpack(out)
    feed.delivered()
    return device.get(out)


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@each_device
@each_type
@pytest.mark.parametrize("mean", ["none", "one", "channels", "pixels"])
@given(
    crop=st.integers(0, 7),
    mirror=st.booleans(),
    scale=st.sampled_from([1.0, 0.00390625, 0.017, -3.3]),
    std=st.sampled_from(["", "78.6", "[58.4, 57.1, 57.4]"]),
    phase=st.sampled_from([TRAIN, TEST]),
    start=st.sampled_from([0, 1000, 2**40]),
    as_list=st.booleans(),
)
def test_the_same_bits_as_on_the_host(
    means, name, dtype, mean, crop, mirror, scale, std, phase, start, as_list
):
    conf = f"{means[mean]} crop_size: {crop} mirror: {str(mirror).lower()} scale: {scale}"
    conf += f" std_value: {std}" if std else ""
    t, at = transformer(conf, phase), np.arange(start, start + COUNT)
    images = list(IMAGES) if as_list else IMAGES
    transform = DeviceTransform(make_device(name, dtype), t)
    for _ in range(2):
        got = on_device(transform, bytes_of(t, images, at))
        assert same_bits(got, on_host(t, images, at, dtype))


@each_device
def test_batches_of_other_sizes_follow_each_other(name):
    """As a database of such images gives them, with and without crop."""
    for conf in ("crop_size: 3 mirror: true", "mean_value: [1, 2, 3]"):
        transform = DeviceTransform(make_device(name, np.float32), transformer(conf))
        for number, (count, size) in enumerate([(4, (7, 8)), (4, (9, 5)), (1, (3, 20)), (4, (7, 8))]):
            images = RNG.integers(0, 256, (count, 3, *size), np.uint8)
            t, at = transformer(conf, shape=(3, *size)), number + np.arange(count)
            assert same_bits(
                on_device(transform, bytes_of(t, images, at)), on_host(t, images, at, np.float32)
            )


def test_bytes_arrive_in_the_same_memory():
    t = transformer("crop_size: 4", TEST)
    transform = DeviceTransform(make_device("cpu", np.float32), t)
    arrived = set()
    for start in range(0, 12, COUNT):
        on_device(transform, bytes_of(t, IMAGES, np.arange(start, start + COUNT)))
        arrived.add((transform.pixels.data.ctypes.data, transform.windows.data.ctypes.data))
    assert len(arrived) == 1


def test_windows_that_are_drawn_are_sent_every_time():
    t = transformer("crop_size: 3 mirror: true")
    transform = DeviceTransform(make_device("cpu", np.float32), t)
    seen = {
        on_device(transform, bytes_of(t, IMAGES, np.arange(COUNT) + start)).tobytes() for start in range(9)
    }
    assert len(seen) == 9


# -- the checks can fail


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("g.ow - 1 - x", "g.ow - x"),
        ("window[2] ? g.ow - 1 - x : x", "x"),
        ("window[0] + y", "y"),
        ("3 * (plane / g.c)", "3 * plane"),
        ("at * g.pixel_step", "e * g.pixel_step"),
        ("plane % g.c * g.channel_step", "plane * g.channel_step"),
        ("pixels[plane * g.h", "pixels[plane * g.oh"),
        ("- m) * factors[plane % g.c]", "- m) * factors[0]"),
        ("- m) * factors[plane % g.c]", ") * factors[plane % g.c] - m * factors[plane % g.c]"),
    ],
)
@pytest.mark.skipif(not available(), reason="the CUDA emulator needs g++")
def test_planted_faults_are_noticed(means, old, new):
    class Mutated(EmulatedCuda):
        def source(self, module):
            text = super().source(module)
            assert module is not family or old in text
            return text.replace(old, new, 1) if module is family else text

    t = transformer(f"{means['pixels']} crop_size: 5 mirror: true scale: 0.017 std_value: [0.9, 1, 1.1]")
    at = np.arange(COUNT)
    wanted = on_host(t, IMAGES, at, np.float32)
    run = functools.partial(on_device, batch=bytes_of(t, IMAGES, at))
    assert same_bits(run(DeviceTransform(EmulatedCuda(np.float32), t)), wanted)
    try:
        assert not same_bits(run(DeviceTransform(Mutated(np.float32), t)), wanted)
    except KernelError as error:
        assert str(error).startswith("transform: ")
