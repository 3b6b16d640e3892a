"""Reading images: what each kind of file becomes."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import images
from minicaffe.data.images import Channels
from minicaffe.errors import DataError

RGB = np.random.default_rng(1).integers(0, 256, (6, 5, 3), np.uint8)
GREY = RGB[:, :, 0]
BGR = RGB[:, :, ::-1].transpose(2, 0, 1)


def stored(pixels, kind="PNG", mode=None, **options) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, kind, **options)
    return out.getvalue()


def decoded(data: bytes, channels: str) -> np.ndarray:
    image = images.decode(data, Channels(channels))
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    return image


def libpng(pixels) -> np.ndarray:
    red, green, blue = pixels.astype(int).transpose(2, 0, 1)
    return ((9797 * red + 19234 * green + 3737 * blue) >> 15)[None]


def opencv(pixels) -> np.ndarray:
    red, green, blue = pixels.astype(int).transpose(2, 0, 1)
    return ((4899 * red + 9617 * green + 1868 * blue + 8192) >> 14)[None]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_colour_is_blue_green_red(kind):
    for channels in ("color", "native"):
        np.testing.assert_array_equal(decoded(stored(RGB, kind), channels), BGR)


@pytest.mark.parametrize(("kind", "formula"), [("PNG", libpng), ("BMP", opencv), ("TIFF", opencv)])
def test_grey_of_colour(kind, formula):
    np.testing.assert_array_equal(decoded(stored(RGB, kind), "gray"), formula(RGB))


def test_grey_of_a_jpeg_is_its_luminance():
    data = stored(RGB, "JPEG", quality=95)
    with Image.open(io.BytesIO(data)) as image:
        image.draft("YCbCr", None)
        wanted = np.asarray(image)[:, :, 0]
    np.testing.assert_array_equal(decoded(data, "gray"), wanted[None])


def test_grey_files():
    data = stored(GREY)
    np.testing.assert_array_equal(decoded(data, "color"), np.stack([GREY] * 3))
    for channels in ("gray", "native"):
        np.testing.assert_array_equal(decoded(data, channels), GREY[None])


def test_one_bit():
    data = stored(Image.fromarray(GREY > 100))
    np.testing.assert_array_equal(decoded(data, "native"), np.where(GREY > 100, 255, 0)[None])


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_lose_the_lower_eight(kind):
    deep = np.arange(30, dtype=np.uint16).reshape(6, 5) * 2100
    np.testing.assert_array_equal(decoded(stored(deep, kind), "gray"), (deep >> 8)[None])
    np.testing.assert_array_equal(decoded(stored(deep, kind), "color"), np.stack([deep >> 8] * 3))


def test_palettes_are_looked_up():
    image = Image.fromarray(RGB).quantize(16)
    wanted = np.asarray(image.convert("RGB"))
    for channels in ("color", "native"):
        np.testing.assert_array_equal(decoded(stored(image), channels), wanted[:, :, ::-1].transpose(2, 0, 1))
    np.testing.assert_array_equal(decoded(stored(image), "gray"), libpng(wanted))
    assert decoded(stored(image, transparency=0), "native").shape == (4, 6, 5)
    np.testing.assert_array_equal(
        decoded(stored(image, transparency=0), "color"), wanted[:, :, ::-1].transpose(2, 0, 1)
    )


def test_alpha_is_dropped_but_from_native():
    data = stored(np.dstack([RGB, GREY]))
    np.testing.assert_array_equal(decoded(data, "color"), BGR)
    np.testing.assert_array_equal(decoded(data, "gray"), libpng(RGB))
    np.testing.assert_array_equal(decoded(data, "native"), np.concatenate([BGR, GREY[None]]))
    grey = stored(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(GREY // 2)]))
    np.testing.assert_array_equal(decoded(grey, "gray"), GREY[None])
    np.testing.assert_array_equal(decoded(grey, "native"), np.stack([GREY, GREY, GREY, GREY // 2]))


def test_exif_turns_the_image_but_not_in_native():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    data = stored(RGB, exif=exif)
    np.testing.assert_array_equal(decoded(data, "color"), np.rot90(BGR, -1, (1, 2)))
    assert decoded(data, "gray").shape == (1, 5, 6)
    np.testing.assert_array_equal(decoded(data, "native"), BGR)


def test_cmyk():
    data = stored(RGB, "JPEG", mode="CMYK", quality=95)
    assert decoded(data, "color").shape == (3, 6, 5)
    assert decoded(data, "gray").shape == (1, 6, 5)


# -- what cannot be read


def test_bytes_that_are_no_image():
    with pytest.raises(DataError, match="5 bytes that are no image Pillow knows; hint: PNG, JPEG"):
        images.decode(b"hello")


@pytest.mark.filterwarnings("ignore")  # what Pillow says of a damaged TIFF
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_images_cut_short_and_damaged(kind):
    data = stored(RGB, kind)
    for end in range(0, len(data) - 2, 7):
        try:
            image = images.decode(data[:end])
        except DataError:
            continue
        np.testing.assert_array_equal(image, images.decode(data))  # what is missing matters to no pixel


def test_damaged_pixels():
    data = bytearray(stored(RGB))
    data[60] ^= 0xFF
    with pytest.raises(DataError, match=r"not a whole image: .*; hint: the file is damaged or cut short"):
        images.decode(bytes(data))


def test_pixels_that_bytes_cannot_hold():
    with pytest.raises(DataError, match="an image of floats; hint: store it in HDF5"):
        images.decode(stored(GREY.astype(np.float32), "TIFF"))
    with pytest.raises(DataError, match="pixel values from 0 to 70000; expected at most 16 bits"):
        images.decode(stored(np.array([[0, 70000]], np.int32), "TIFF"))


def test_errors_name_the_file(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none.png: No such file"):
        images.read(tmp_path / "none.png")
    with pytest.raises(DataError, match=r"cannot read a\\x00.png: embedded null byte"):
        images.read("a\0.png")
    (tmp_path / "bad.png").write_bytes(stored(RGB)[:-30])
    with pytest.raises(DataError, match=r"bad.png: not a whole image"):
        images.read(tmp_path / "bad.png")
    (tmp_path / "good.png").write_bytes(stored(RGB))
    np.testing.assert_array_equal(images.read(tmp_path / "good.png"), BGR)


def test_a_few_bytes_that_stand_for_too_many_pixels():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))
    with pytest.raises(DataError, match=r"an image of more than 178956970 pixels, .* hint: make it smaller"):
        images.decode(bomb)
