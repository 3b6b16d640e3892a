"""The transformer against plain loops, and against Caffe."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.batch import Batch
from minicaffe.data.resize import Resize
from minicaffe.data.transformer import Transformer
from minicaffe.errors import ConfigError, DataError, SchemaError, ShapeError
from minicaffe.proto import binary, text
from minicaffe.proto.schema import TEST, TRAIN, BlobProto, TransformationParameter

GOLDEN = Path(__file__).parent.parent / "golden" / "data"
SHAPE = (3, 7, 8)
KEY = (0x12345678, 0x9ABCDEF0)
TYPES = [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]


def transformer(conf: str, phase: int = TRAIN, shape=SHAPE) -> Transformer:
    return Transformer(text.parse(conf, TransformationParameter), phase, shape)


def images(count: int, dtype=np.uint8, shape=SHAPE) -> np.ndarray:
    """Every pixel another value, as far as the type has them."""
    return np.arange(count * np.prod(shape)).reshape(count, *shape).astype(dtype)


def by_loops(t: Transformer, batch, draws, mean, factors) -> np.ndarray:
    """Caffe's formula, pixel by pixel."""
    out = np.zeros((len(batch), *t.out_shape), np.float32)
    for n, (image, (top, left, flip)) in enumerate(zip(batch, draws)):
        for c, h, w in np.ndindex(*t.out_shape):
            column = t.out_shape[2] - 1 - w if flip else w
            pixel, m = np.float32(image[c, top + h, left + w]), np.float32(mean[c, top + h, left + w])
            out[n, c, h, column] = (pixel - m) * np.float32(factors[c])
    return out


@pytest.fixture
def mean_file(tmp_path):
    mean = np.random.default_rng(3).uniform(0, 255, SHAPE).astype(np.float32)
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(binary.from_array(mean[None]).SerializeToString())
    return path, mean


@given(
    dtype=st.sampled_from(TYPES),
    crop=st.integers(0, 7),
    mirror=st.booleans(),
    scale=st.sampled_from([1.0, 0.00390625, 3.0]),
    std=st.sampled_from([[], [78.6], [58.4, 57.1, 57.4]]),
    mean=st.sampled_from(["none", "one", "channels", "file"]),
    phase=st.sampled_from([TRAIN, TEST]),
    start=st.sampled_from([0, 1000, 2**40]),
    as_list=st.booleans(),
)
def test_equals_the_formula(mean_file, dtype, crop, mirror, scale, std, mean, phase, start, as_list):
    path, from_file = mean_file
    conf, full = {
        "none": ("", np.zeros(SHAPE)),
        "one": ("mean_value: 33.5", np.full(SHAPE, 33.5)),
        "channels": (
            "mean_value: [1.5, 2.5, 100]",
            np.broadcast_to(np.reshape([1.5, 2.5, 100], (3, 1, 1)), SHAPE),
        ),
        "file": (f'mean_file: "{path}"', from_file),
    }[mean]
    conf += f" crop_size: {crop} mirror: {str(mirror).lower()} scale: {scale} std_value: {std}"
    factors = np.broadcast_to(scale / np.float32(std or [1]).astype(float), 3)
    t = transformer(conf, phase)
    batch, at = images(4, dtype), np.arange(start, start + 4)
    out = np.full((4, *t.out_shape), np.nan, np.float32)
    t(list(batch) if as_list else batch, out, at, KEY)
    np.testing.assert_array_equal(out, by_loops(t, batch, t.draw(at, KEY), full, factors))


def test_agrees_with_caffe():
    """Crop and mean_file in TEST, as Caffe's Data layer gave them for the raw images of the same database."""
    raw, wanted = np.load(GOLDEN / "lmdb_raw.npz"), np.load(GOLDEN / "lmdb_crop_meanfile.npz")
    conf = f'crop_size: 11 mean_file: "{GOLDEN / "mean.binaryproto"}" scale: 0.0039'
    t = transformer(conf, TEST, (3, 27, 33))
    for k in range(3):
        out = np.empty(wanted[f"batch{k}/data"].shape, np.float32)
        t(raw[f"batch{k}/data"].astype(np.uint8), out, np.arange(3))
        np.testing.assert_array_equal(out, wanted[f"batch{k}/data"])


def test_float64_batches_are_computed_in_float64():
    out = np.empty((1, *SHAPE))
    transformer("scale: 0.1 mean_value: 0.3")(images(1), out, np.arange(1))
    wanted = (images(1) - np.float64(np.float32(0.3))) * np.float64(np.float32(0.1))
    np.testing.assert_array_equal(out, wanted)


def test_std_value_is_that_of_normalised_digits():
    """MNIST's mean and standard deviation, of pixels from 0 to 1: 0.1307 and 0.3081."""
    batch, out = images(2, shape=(1, 28, 28)), np.empty((2, 1, 28, 28), np.float32)
    transformer("mean_value: 33.3285 std_value: 78.5655", shape=(1, 28, 28))(batch, out, np.arange(2))
    np.testing.assert_allclose(out, (batch / 255 - 0.1307) / 0.3081, rtol=1e-4, atol=1e-5)


# -- batches: transformed, or left to a device

REST = "crop_size: 3 mirror: true scale: 0.5 mean_value: [1, 2, 3]"


def filled(t: Transformer, batch, *, takes_bytes: bool, dtype=np.float32) -> Batch:
    out = Batch(np.empty(0, np.uint8), dtype=dtype, takes_bytes=takes_bytes)
    t.fill(out, batch, np.arange(len(batch)), KEY)
    return out


def transformed(t: Transformer, batch, dtype=np.float32) -> np.ndarray:
    out = np.empty((len(batch), *t.out_shape), dtype)
    t(batch, out, np.arange(len(batch)), KEY)
    return out


@pytest.mark.parametrize("as_list", [False, True])
def test_bytes_of_one_size_are_left_to_a_device_that_wants_them(as_list):
    t, batch = transformer(REST), images(4)
    got = filled(t, list(batch) if as_list else batch, takes_bytes=True)
    assert got.images.dtype == np.uint8
    np.testing.assert_array_equal(got.images, batch)
    np.testing.assert_array_equal(got.windows, t.draw(np.arange(4), KEY))


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(
    "conf", [f"resize {{ height: 5 width: 11 }} {REST}", "resize { height: 5 width: 4 }"]
)
def test_so_are_bytes_after_resize(conf, as_list):
    t, batch = transformer(conf), images(4)
    got = filled(t, list(batch) if as_list else batch, takes_bytes=True)
    small = np.empty((4, *t.shape), np.uint8)
    t.resize(batch, small)
    np.testing.assert_array_equal(got.images, small)
    np.testing.assert_array_equal(got.windows, t.draw(np.arange(4), KEY))


MIXED = [images(1)[0], images(1, np.uint8, (3, 9, 4))[0]]


@pytest.mark.parametrize(
    ("batch", "takes_bytes"),
    [
        (images(4), False),
        (images(4, np.float32), True),
        (images(4, np.int8), True),
        (MIXED, True),
        ([images(1)[0], images(1, np.float32)[0]], True),
    ],
    ids=["not wanted", "floats", "signed", "two sizes", "two types"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_else_is_transformed(batch, takes_bytes, dtype):
    t = transformer(REST)
    got = filled(t, batch, takes_bytes=takes_bytes, dtype=dtype)
    assert got.windows is None and got.images.dtype == dtype
    np.testing.assert_array_equal(got.images, transformed(t, batch, dtype))


def test_one_batch_holds_bytes_and_floats_in_turn():
    t, out = transformer(REST), Batch(np.empty(0, np.uint8), dtype=np.float32, takes_bytes=True)
    for batch in (images(4), images(4, np.float32), images(4), MIXED, images(2)):
        t.fill(out, batch, np.arange(len(batch)), KEY)
        if isinstance(batch, np.ndarray) and batch.dtype == np.uint8:
            assert out.windows is not None
            np.testing.assert_array_equal(out.images, batch)
        else:
            assert out.windows is None
            np.testing.assert_array_equal(out.images, transformed(t, batch))


def test_windows_that_never_change_are_one_array():
    t = transformer("crop_size: 3", TEST)
    first, again = (filled(t, images(4), takes_bytes=True).windows for _ in range(2))
    assert first is again and not first.flags.writeable and first.tolist() == [[2, 2, 0]] * 4
    assert filled(t, images(3), takes_bytes=True).windows.shape == (3, 3)
    larger = images(4, shape=(3, 9, 11))
    assert filled(t, larger, takes_bytes=True).windows.tolist() == [[3, 4, 0]] * 4


def test_images_that_do_not_fit_are_refused_as_bytes_too():
    with pytest.raises(ShapeError, match=r"must have the shape \(3, 7, 8\); got \(3, 9, 4\)"):
        filled(transformer(""), MIXED, takes_bytes=True)


# -- draws


@given(start=st.integers(0, 2**50), count=st.integers(1, 20))
def test_draws_belong_to_the_sample_not_to_the_batch(start, count):
    t = transformer("mirror: true crop_size: 3")
    together = t.draw(np.arange(start, start + count), KEY)
    alone = [t.draw(np.array([at]), KEY) for at in range(start, start + count)]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_draws_differ_with_key_and_position_and_take_every_value():
    t = transformer("mirror: true crop_size: 3")
    at = np.arange(2000)
    tops, lefts, mirrored = t.draw(at, KEY).T
    assert abs(np.mean(mirrored) - 0.5) < 0.05
    assert set(tops) == set(range(5)) and set(lefts) == set(range(6))
    assert np.bincount(tops).min() > 300 and np.bincount(lefts).min() > 250
    for others in (t.draw(at, (KEY[0], 1)), t.draw(at, (1, KEY[1])), t.draw(at + 2**32, KEY)):
        assert (others[:, 0] != tops).any()


def test_draws_stay_what_they_are():
    """Resuming an old run depends on it."""
    t = transformer("mirror: true crop_size: 3")
    tops, lefts, mirrored = t.draw(np.arange(6), (1, 2)).T.tolist()
    assert mirrored == [0, 0, 0, 0, 0, 1]
    assert tops == [1, 1, 3, 2, 4, 3]
    assert lefts == [4, 4, 2, 4, 3, 0]


def test_in_test_the_crop_is_central_and_mirror_still_random():
    t = transformer("mirror: true crop_size: 4", TEST)
    tops, lefts, mirrored = t.draw(np.arange(64), KEY).T
    assert set(tops) == {1} and set(lefts) == {2}  # (7 - 4) / 2, (8 - 4) / 2
    assert set(mirrored) == {0, 1}


def test_without_crop_and_mirror_nothing_is_drawn_and_nothing_allocated():
    import tracemalloc

    t = transformer("scale: 0.5 mean_value: 3", shape=(1, 64, 64))
    batch, out, at = images(16, shape=(1, 64, 64)), np.empty((16, 1, 64, 64), np.float32), np.arange(16)
    t(batch, out, at)
    tracemalloc.start()
    t(batch, out, at)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000  # NumPy's casting buffer, not a batch (262 kB)


# -- what is refused


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ("crop_size: 8", "crop_size 8 is larger than the images, 7 x 8; hint: at most 7"),
        ("std_value: [1, 2]", r"std_value must be given once or once per channel \(3\); got 2 values"),
        ("std_value: 0", "std_value must be above 0; got 0"),
        ("std_value: [1, -2, 3]", "std_value must be above 0; got 1, -2, 3"),
        ("std_value: inf", "std_value must be above 0; got inf"),
        ("std_value: nan", "std_value must be above 0; got nan"),
        ("mean_value: [1, 2]", r"once per channel \(3\); got 2 values"),
        ("resize { height: 3 }", "resize must have a height and a width; got 3 and 0"),
        ("resize { height: 3 width: 9 } crop_size: 4", "crop_size 4 is larger than the images, 3 x 9"),
        ('mean_value: 1 mean_file: "x"', "both mean_file and mean_value are set; hint: keep one"),
    ],
)
def test_fields_that_do_not_fit(conf, message):
    with pytest.raises(ConfigError, match=message):
        transformer(conf)


def test_mean_files_that_do_not_fit(tmp_path, mean_file):
    path, _ = mean_file
    with pytest.raises(DataError, match=r"shape of the whole images, \(3, 8, 8\); got \(1, 3, 7, 8\)"):
        transformer(f'mean_file: "{path}" crop_size: 7', shape=(3, 8, 8))
    with pytest.raises(DataError, match=r"cannot read .*missing: No such file"):
        transformer(f'mean_file: "{tmp_path}/missing"')
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SchemaError, match=r"mean.binaryproto.*not a whole binary BlobProto"):
        transformer(f'mean_file: "{path}"')


def test_mean_files_of_three_axes_and_of_legacy_shape_are_read(tmp_path, mean_file):
    _, mean = mean_file
    path = tmp_path / "other.binaryproto"
    path.write_bytes(binary.from_array(mean).SerializeToString())
    np.testing.assert_array_equal(transformer(f'mean_file: "{path}"').mean, mean)
    blob = BlobProto(num=1, channels=3, height=7, width=8, data=mean.ravel())
    path.write_bytes(blob.SerializeToString())
    np.testing.assert_array_equal(transformer(f'mean_file: "{path}"').mean, mean)


@pytest.mark.parametrize(
    ("conf", "shape"),
    [
        ("", (3, 7, 9)),
        ("mirror: true", (3, 8, 8)),
        ("crop_size: 3", (3, 2, 9)),
        ("crop_size: 3", (1, 7, 8)),
        ('crop_size: 3 mean_file: "FILE"', (3, 7, 9)),
        ("resize { height: 7 width: 8 }", (4, 7, 8)),
    ],
)
def test_images_of_another_shape_are_refused(mean_file, conf, shape):
    t = transformer(conf.replace("FILE", str(mean_file[0])))
    with pytest.raises(
        ShapeError, match=rf"must have the shape \(3, 7, 8\); got {re.escape(str(shape))}; hint"
    ):
        t([images(1)[0], np.zeros(shape)], np.empty((2, *t.out_shape)), np.arange(2))
    with pytest.raises(ShapeError, match="must have the shape"):
        t(np.zeros((2, *shape)), np.empty((2, *t.out_shape)), np.arange(2))


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_a_crop_takes_images_of_any_size_it_fits_in(phase):
    t = transformer("crop_size: 3 mirror: true", phase)
    shapes, at = [(3, 7, 8), (3, 3, 3), (3, 20, 4), (3, 4, 30)] * 8, np.arange(32)
    batch = [images(1, np.int32, shape)[0] for shape in shapes]
    out = np.empty((32, 3, 3, 3), np.float32)
    t(batch, out, at, KEY)
    for i, image in enumerate(batch):  # as if all had its size
        alone, wanted = transformer("crop_size: 3 mirror: true", phase, image.shape), np.empty((1, 3, 3, 3))
        alone(image[None], wanted, at[i : i + 1], KEY)
        np.testing.assert_array_equal(out[i], wanted[0])


# -- resize


@given(
    rest=st.sampled_from(["", "crop_size: 4", "mirror: true", "scale: 0.5 mean_value: [1, 2, 3]"]),
    as_list=st.booleans(),
    dtype=st.sampled_from(TYPES),
)
def test_resize_comes_first(rest, as_list, dtype):
    resized, plain = (
        transformer(f"resize {{ height: 5 width: 11 }} {rest}"),
        transformer(rest, shape=(3, 5, 11)),
    )
    batch, at = images(4, dtype), np.arange(4)
    small = np.empty((4, 3, 5, 11), dtype if dtype in (np.uint8, np.float64) else np.float32)
    Resize(5, 11)(batch, small)
    assert resized.out_shape == plain.out_shape and resized.takes((3, 99, 1))
    out, wanted = (np.empty((4, *plain.out_shape), np.float32) for _ in range(2))
    for _ in range(2):
        resized(list(batch) if as_list else batch, out, at, KEY)
        plain(small, wanted, at, KEY)
        np.testing.assert_array_equal(out, wanted)


def test_resize_brings_all_sizes_and_types_to_one():
    t = transformer("resize { height: 5 width: 4 }")
    batch = [images(1)[0], images(1, np.float32, (3, 5, 4))[0], images(1, np.uint8, (3, 1, 20))[0]]
    out = np.empty((3, 3, 5, 4), np.float32)
    t(batch, out, np.arange(3), KEY)
    np.testing.assert_array_equal(out[1], batch[1])
    assert np.isfinite(out).all()


def test_a_mean_file_has_the_size_after_resize(mean_file):
    path, mean = mean_file
    t = transformer(f'resize {{ height: 7 width: 8 }} mean_file: "{path}"', shape=(3, 28, 28))
    np.testing.assert_array_equal(t.mean, mean)
    with pytest.raises(DataError, match=r"shape of the whole images, \(3, 9, 9\)"):
        transformer(f'resize {{ height: 9 width: 9 }} mean_file: "{path}"')
