"""caffe.io: conversions as pycaffe makes them, images as scikit-image resizes them, no argument changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from minicaffe.data import datum as records
from minicaffe.errors import ConfigError, DataError, MiniCaffeError, ShapeError
from minicaffe.proto.schema import BlobProto
from minicaffe.pycaffe import io

from ..data.test_images import BGR, GREY, RGB, stored

SHAPE = (2, 3, 4, 5)  # of the input: (N, K, H, W)


# -- blobs


def test_a_blob_of_the_old_and_of_the_new_form():
    old = BlobProto(num=1, channels=1, height=10, width=10, data=[0] * 100)
    new = BlobProto(data=[0] * 100)
    new.shape.dim.extend((10, 10))
    assert io.blobproto_to_array(old).shape == (1, 1, 10, 10)
    assert io.blobproto_to_array(new).shape == (10, 10)
    assert io.blobproto_to_array(new).dtype == np.float64


def test_a_blob_without_a_shape_holds_one_value():
    assert io.blobproto_to_array(BlobProto(data=[123])) == 123
    with pytest.raises(ValueError, match=r"a blob of shape \(\) holds 100 values; expected 1"):
        io.blobproto_to_array(BlobProto(data=[0] * 100))


@given(
    arrays.arrays(
        np.float32, arrays.array_shapes(min_dims=0, max_dims=5, max_side=4), elements=st.floats(width=32)
    )
)
def test_arrays_to_blobs_and_back(array):
    blob = io.array_to_blobproto(array, diff=-array)
    assert not blob.HasField("num") and not blob.double_data
    np.testing.assert_array_equal(io.blobproto_to_array(blob), array)
    np.testing.assert_array_equal(io.blobproto_to_array(blob, return_diff=True), -array)
    data = io.arraylist_to_blobprotovector_str([array, array[None]])
    first, second = io.blobprotovector_str_to_arraylist(data)
    np.testing.assert_array_equal(first, array)
    assert second.shape == (1, *array.shape)


def test_doubles_become_floats_and_stored_doubles_are_read():
    assert list(io.array_to_blobproto(np.array([0.1])).data) == [np.float32(0.1)]
    blob = BlobProto(double_data=[0.1])
    assert io.blobproto_to_array(blob) == 0.1


def test_a_diff_of_another_shape():
    with pytest.raises(ValueError, match=r"diff must have the shape of the data, \(2,\); got \(3,\)"):
        io.array_to_blobproto(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="not a whole binary BlobProtoVector"):
        io.blobprotovector_str_to_arraylist(b"\xff")


# -- datums


def test_a_datum_without_a_label_is_smaller():
    with_label, without = io.array_to_datum(np.ones((10, 10, 3)), 1), io.array_to_datum(np.ones((10, 10, 3)))
    assert with_label.ByteSize() > without.ByteSize() and not without.HasField("label")
    assert io.array_to_datum(np.ones((1, 1, 1)), label=0).HasField("label")


@pytest.mark.parametrize(
    ("kind", "back"), [(np.uint8, np.uint8), (np.float64, np.float64), (np.int16, np.float64)]
)
def test_arrays_to_datums_and_back(kind, back):
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    datum = io.array_to_datum(array, 7)
    assert (datum.channels, datum.height, datum.width, datum.label) == (2, 3, 4, 7)
    assert bool(datum.data) == (kind is np.uint8)
    result = io.datum_to_array(datum)
    np.testing.assert_array_equal(result, array)
    assert result.dtype == back and result.flags.writeable


def test_an_encoded_datum_is_decoded():
    np.testing.assert_array_equal(io.datum_to_array(records.from_encoded(stored(RGB))), BGR)


def test_no_datum():
    with pytest.raises(
        ValueError, match=r"an image must have the axes \(C, H, W\), none empty; got \(3, 4\)"
    ):
        io.array_to_datum(np.ones((3, 4)))
    with pytest.raises(ValueError, match="a label must fit 32 bits"):
        io.array_to_datum(np.ones((1, 1, 1)), 1 << 31)


# -- images


def saved(tmp_path, pixels, name="image.png", **options) -> str:
    (tmp_path / name).write_bytes(stored(pixels, name.rsplit(".")[-1].upper(), **options))
    return str(tmp_path / name)


def grey_of(rgb: np.ndarray) -> np.ndarray:
    return (rgb / 255 @ np.array([0.2125, 0.7154, 0.0721]))[:, :, None]


def test_a_colour_image(tmp_path):
    path = saved(tmp_path, RGB)
    image = io.load_image(path)
    assert image.dtype == np.float32 and image.flags.writeable and image.flags.c_contiguous
    np.testing.assert_allclose(image, RGB / 255, rtol=1e-7)
    np.testing.assert_allclose(io.load_image(path, color=False), grey_of(RGB), rtol=1e-6)


def test_a_grey_image(tmp_path):
    path = saved(tmp_path, GREY)
    wanted = GREY[:, :, None] / 255
    np.testing.assert_allclose(io.load_image(path, color=False), wanted, rtol=1e-7)
    colour = io.load_image(path)
    np.testing.assert_allclose(colour, np.tile(wanted, (1, 1, 3)), rtol=1e-7)
    assert colour.flags.writeable


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "CMYK"])
def test_alpha_is_dropped_and_other_modes_are_converted(tmp_path, mode):
    image = Image.fromarray(RGB).convert(mode)
    path = saved(tmp_path, image, "image.tiff")
    wanted = np.asarray(image.convert("RGB")) / 255
    np.testing.assert_allclose(io.load_image(path), wanted, rtol=1e-6)
    grey = io.load_image(path, color=False)
    assert grey.shape == (6, 5, 1)
    np.testing.assert_allclose(
        grey, wanted[:, :, :1] if mode in ("LA", "1") else grey_of(wanted * 255), rtol=1e-5
    )


def test_deep_images_keep_their_bits(tmp_path):
    deep = np.array([[0, 1], [40000, 65535]], np.uint16)
    np.testing.assert_allclose(
        io.load_image(saved(tmp_path, deep), color=False)[:, :, 0], deep / 65535, rtol=1e-6
    )
    floats = np.array([[-1, 0.5]], np.float32)
    np.testing.assert_array_equal(io.load_image(saved(tmp_path, floats, "f.tiff"), False)[:, :, 0], floats)


def test_no_image(tmp_path):
    with pytest.raises(OSError, match=r"cannot read .*gone\.png: No such file"):
        io.load_image(tmp_path / "gone.png")
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(DataError, match=r"text\.png: not a whole image"):
        io.load_image(tmp_path / "text.png")
    short = tmp_path / "short.png"
    short.write_bytes(stored(RGB)[:-30])
    with pytest.raises(io.ImageError, match=r"short\.png: not a whole image"):
        io.load_image(short)
    with pytest.raises(io.ImageError, match=r"f\.tiff: an image of floats must hold values from -1 to 1"):
        io.load_image(saved(tmp_path, np.full((2, 2), 2, np.float32), "f.tiff"))


# -- resizing: the numbers are those of scikit-image 0.26, resize(normalised, size, order, mode="constant")

RAMP = np.arange(24, dtype=np.float32).reshape(4, 6, 1) * np.array([1, 2, -1], np.float32)


def test_a_shrinking_image():
    wanted = [
        [[1.2442, 2.4942], [2.75, 5.5], [4.25, 8.5], [5.7425, 11.4907]],
        [[9.2422, 18.4902], [10.75, 21.5], [12.25, 24.5], [13.7404, 27.4867]],
        [[17.2402, 34.4862], [18.75, 37.5], [20.25, 40.5], [21.7384, 43.4826]],
    ]
    np.testing.assert_allclose(io.resize_image(RAMP, (3, 4))[:, :, :2], wanted, atol=1e-4)
    wanted = [
        [[5.3927, 8.996], [6.7170, 12.3452], [9.7698, 17.7501]],
        [[18.5986, 35.4078], [19.5497, 38.0105], [22.9757, 44.1618]],
    ]
    np.testing.assert_allclose(io.resize_image(RAMP, (2, 3), 3)[:, :, :2], wanted, atol=1e-4)


def test_a_growing_image():
    first = [-5.2024, -3.1786, -2.4643, -1.75, -1.0357, -0.3214, -1.3333]
    second = [1.1429, 3.7857, 4.6429, 5.5, 6.3571, 7.2143, 5.7857]
    resized = io.resize_image(RAMP, (6, 7))
    np.testing.assert_allclose(resized[:2, :, 0], [first, second], atol=1e-4)
    assert resized.dtype == np.float32


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(*[st.integers(1, 9)] * 2, st.sampled_from([1, 3])),
    st.tuples(*[st.integers(1, 12)] * 2),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([np.uint8, np.int8, np.float32, np.float64]),
)
def test_as_scikit_image(shape, size, order, kind):
    transform = pytest.importorskip("skimage.transform")
    image = np.random.default_rng(0).integers(-128 if kind != np.uint8 else 0, 127, shape).astype(kind)
    resized = io.resize_image(image, size, order)
    assert resized.shape == (*size, shape[2])
    low, high = float(image.min()), float(image.max())
    if low == high:
        assert (resized == low).all()
        return
    normalised = ((image - np.float64(low)) / (high - low)).astype(np.float32)
    wanted = transform.resize(normalised, size, order=order, mode="constant") * (high - low) + low
    if order:  # a nearest pixel may be another one after a rounding
        np.testing.assert_allclose(resized, wanted, atol=2e-4)


def test_other_numbers_of_channels_keep_their_corners():
    image = np.arange(4 * 5 * 2, dtype=np.float32).reshape(4, 5, 2)
    resized = io.resize_image(image, (7, 9))
    assert resized.shape == (7, 9, 2)
    np.testing.assert_allclose(resized[::2, ::2], image, rtol=1e-6)


def test_sizes_and_images_that_are_none():
    for call, complaint in (
        (
            lambda: io.resize_image(RAMP, (3,)),
            r"new_dims must be a height and a width of at least 1; got \(3,\)",
        ),
        (lambda: io.resize_image(RAMP[0], (3, 3)), r"the axes \(H, W, K\), none empty; got \(6, 3\)"),
        (lambda: io.resize_image(RAMP, (3, 3), 6), "interp_order must be from 0 to 5; got 6"),
        (lambda: io.oversample([], (2, 2)), "there must be an image at least"),
        (lambda: io.oversample([RAMP], (5, 2)), "crops of 5 x 2 do not fit in images of 4 x 6"),
        (lambda: io.oversample([RAMP, RAMP[1:]], (2, 2)), r"have the shape \(4, 6, 3\), .*; got \(3, 6, 3\)"),
    ):
        with pytest.raises(ValueError, match=complaint) as caught:
            call()
        assert isinstance(caught.value, MiniCaffeError)


def test_ten_crops():
    crops = io.oversample([RAMP, -RAMP], np.array([2, 3]))
    assert crops.shape == (20, 2, 3, 3) and crops.dtype == np.float32
    for i, (top, left) in enumerate([(0, 0), (0, 3), (2, 0), (2, 3), (1, 1)]):
        crop = RAMP[top : top + 2, left : left + 3]
        np.testing.assert_array_equal(crops[i], crop)
        np.testing.assert_array_equal(crops[i + 5], crop[:, ::-1])
        np.testing.assert_array_equal(crops[i + 10], -crop)


# -- the transformer


@pytest.fixture
def transformer() -> io.Transformer:
    return io.Transformer({"data": SHAPE})


def image(height=4, width=5, channels=3) -> np.ndarray:
    return np.random.default_rng(3).random((height, width, channels), np.float32)


def test_every_step_in_its_order(transformer):
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 255)
    transformer.set_mean("data", np.array([104, 117, 123]))
    transformer.set_input_scale("data", 0.5)
    result = transformer.preprocess("data", image())
    wanted = (image()[:, :, ::-1] * 255 - [104, 117, 123]) * 0.5
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, wanted.transpose(2, 0, 1), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(transformer.deprocess("data", result), image(), atol=1e-5)
    np.testing.assert_allclose(transformer.deprocess("data", result[None]), image(), atol=1e-5)


def test_the_argument_stays_as_it_is(transformer):
    transformer.set_raw_scale("data", 255)
    data = np.ones((4, 5, 3), np.float32)
    assert transformer.preprocess("data", data).max() == 255
    assert (data == 1).all()
    transformer.set_input_scale("data", 2)
    transformer.deprocess("data", data)
    assert (data == 1).all()


def test_images_of_another_size_are_resized(transformer):
    transformer.set_transpose("data", [2, 0, 1])
    result = transformer.preprocess("data", image(9, 7))
    np.testing.assert_array_equal(result, io.resize_image(image(9, 7), (4, 5)).transpose(2, 0, 1))


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 1, 0), (2, 0, 1), (0, 1, 2)])
@pytest.mark.parametrize("swap", [(1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_any_order_is_inverted(order, swap):
    side = io.Transformer({"data": (1, 3, 3, 3)})
    side.set_transpose("data", order)
    side.set_channel_swap("data", swap)
    back = side.deprocess("data", side.preprocess("data", image(3, 3)))
    np.testing.assert_array_equal(back, image(3, 3))


def test_an_only_channel_stays():
    grey = io.Transformer({"data": (1, 1, 4, 5)})
    grey.set_transpose("data", (2, 0, 1))
    blob = grey.preprocess("data", image(4, 5, 1))[None]
    np.testing.assert_array_equal(grey.deprocess("data", blob), image(4, 5, 1))


def test_means_of_every_shape(transformer):
    transformer.set_transpose("data", (2, 0, 1))
    plain = transformer.preprocess("data", image())
    per_pixel = np.random.default_rng(1).random((3, 4, 5))
    for mean, wanted in (
        (per_pixel, per_pixel),
        (per_pixel[0], per_pixel[:1]),
        (np.full((3, 8, 9), 2.0), np.array(2.0)),  # constant: pycaffe makes NaN
        (np.full((8, 9), 2.0), np.array(2.0)),
        (per_pixel.mean((1, 2)), per_pixel.mean((1, 2))[:, None, None]),
    ):
        transformer.set_mean("data", mean)
        np.testing.assert_allclose(transformer.preprocess("data", image()), plain - wanted, atol=1e-6)
    large = np.random.default_rng(1).random((3, 8, 9))
    transformer.set_mean("data", large)
    resized = io.resize_image(large.transpose(1, 2, 0), (4, 5)).transpose(2, 0, 1)
    np.testing.assert_allclose(transformer.mean["data"], resized)


def test_what_does_not_fit(transformer):
    with pytest.raises(Exception, match="label is not one of the net inputs: data"):
        transformer.preprocess("label", image())
    with pytest.raises(
        Exception, match=r"same number of dimensions as the input, 3, each once; got \(1, 0\)"
    ):
        transformer.set_transpose("data", (1, 0))
    with pytest.raises(Exception, match=r"as the input channels, 3, counted from 0; got \(0, 1\)"):
        transformer.set_channel_swap("data", (0, 1))
    with pytest.raises(ValueError, match="mean channels incompatible with input: expected 3; got 4"):
        transformer.set_mean("data", np.zeros(4))
    with pytest.raises(ValueError, match="mean shape invalid"):
        transformer.set_mean("data", np.zeros(SHAPE))
    transformer.set_transpose("data", (2, 0, 1))
    with pytest.raises(ShapeError, match=r"input 'data': an image must have 3 axes; got \(4, 5\)"):
        transformer.preprocess("data", image()[:, :, 0])
    transformer.set_mean("data", np.zeros(3))
    with pytest.raises(ShapeError, match=r"a mean of \(3, 1, 1\) does not fit an image of \(2, 4, 5\)"):
        transformer.preprocess("data", image(channels=2))
    transformer.set_channel_swap("data", (2, 1, 0))
    with pytest.raises(ShapeError, match=r"channel_swap \(2, 1, 0\) does not fit an image of \(1, 4, 5\)"):
        transformer.preprocess("data", image(channels=1))
    transformer.set_channel_swap("data", (0, 0, 0))
    with pytest.raises(ConfigError, match=r"channel_swap \(0, 0, 0\) takes some channels twice"):
        transformer.deprocess("data", np.zeros((3, 4, 5)))
