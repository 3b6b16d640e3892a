"""Batches of changed images: what they depend on, and what not."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from minicaffe.data.augment.augmentation import BYTES, Augmentation
from minicaffe.data.batch import Batch
from minicaffe.data.transformer import Transformer
from minicaffe.kernels.augment import plan as plans
from minicaffe.proto import text
from minicaffe.proto.schema import TEST, TRAIN, AugmentationParameter, TransformationParameter

KEY = (5, 6)
EVERYTHING = """
    fill: [9, 8, 7] crop { probability: 0.5 } elastic { probability: 0.5 alpha: 30 sigma: 3 }
    affine { probability: 0.8 rotation: 30 translation: 0.2 scale_min: 0.7 scale_max: 1.3 shear: 10 }
    blur { probability: 0.5 sigma_max: 1 } brightness { min: 0.7 max: 1.3 } contrast { min: 0.7 max: 1.3 }
    saturation { min: 0.5 max: 1.5 } hue { min: -30 max: 30 } noise { probability: 0.5 std: 9 }
    shade { probability: 0.5 strength_max: 1 } erase { probability: 0.5 fill: 127 }
"""
IMAGES = np.random.default_rng(3).integers(0, 256, (12, 3, 17, 13), np.uint8)
AT = np.arange(2**40, 2**40 + 12)


def parsed(conf: str):
    return text.parse(conf, AugmentationParameter)


def augmented(images=IMAGES, at=AT, conf=EVERYTHING, key=KEY):
    result = Augmentation(parsed(conf), 3)(images, at, key)
    return result.copy() if isinstance(result, np.ndarray) else result


WANTED = augmented()


def test_images_are_changed_each_in_its_own_way():
    assert WANTED.dtype == BYTES and WANTED.shape == IMAGES.shape
    assert all((a != b).any() for a, b in zip(WANTED, IMAGES))
    alike = augmented(np.repeat(IMAGES[:1], 12, axis=0))
    assert len({image.tobytes() for image in alike}) == 12
    assert (augmented(key=(5, 7)) != WANTED).any() and (augmented(at=AT + 1) != WANTED).any()


def test_neither_batch_nor_order_matters():
    np.testing.assert_array_equal(
        np.concatenate([augmented(IMAGES[i : i + 5], AT[i : i + 5]) for i in (0, 5, 10)]), WANTED
    )
    np.testing.assert_array_equal(augmented(IMAGES[::-1], AT[::-1])[::-1], WANTED)
    np.testing.assert_array_equal(augmented(list(IMAGES)), WANTED)
    for i, image in enumerate(IMAGES):
        np.testing.assert_array_equal(augmented(image[None], AT[i : i + 1])[0], WANTED[i])


@pytest.mark.parametrize("threads", [1, 2, 3, 5, 12, 100])
def test_nor_do_threads(threads):
    before = threading.active_count()
    np.testing.assert_array_equal(augmented(conf=f"{EVERYTHING} threads: {threads}"), WANTED)
    assert threading.active_count() == before


def test_large_batches_are_worth_threads(monkeypatch):
    from minicaffe.data.augment import augmentation

    started = []
    pool = augmentation.ThreadPoolExecutor
    monkeypatch.setattr(augmentation, "_processors", lambda: 3)
    monkeypatch.setattr(
        augmentation, "ThreadPoolExecutor", lambda count, name: started.append(count) or pool(count, name)
    )
    for shape in ((4, 3, 300, 300), (2, 3, 900, 900), (1, 3, 900, 900)):
        Augmentation(parsed(""), 3)(np.zeros(shape, np.uint8), np.arange(shape[0]), KEY)
    assert started == [2]  # 1.08 million values: one thread's work; 4.9: for as many as there are images


def test_an_error_in_a_thread_is_seen(monkeypatch):
    from minicaffe.data.augment import augmentation

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(augmentation, "render", fail)
    with pytest.raises(MemoryError):
        augmented(conf="threads: 3")


def test_sizes_may_differ():
    """Each image is changed as if all had its size."""
    shapes = [(3, 17, 13), (3, 5, 40), (3, 1, 1), (3, 17, 13)]
    images = [np.random.default_rng(i).integers(0, 256, shape, np.uint8) for i, shape in enumerate(shapes)]
    images[1] = images[1].astype(np.float64)
    results = augmented(images, AT[:4])
    for i, image in enumerate(images):
        alone = augmented(image[None], AT[i : i + 1])[0]
        assert results[i].shape == image.shape and results[i].dtype == (np.float32 if i == 1 else BYTES)
        np.testing.assert_array_equal(results[i], alone)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, ">f4"])
def test_other_types_become_floats_that_are_not_rounded(dtype):
    quiet = EVERYTHING.replace("std: 9", "std: 1")
    got = augmented(IMAGES.astype(dtype), conf=quiet)
    assert got.dtype == np.float32
    held = np.clip(got, 0, 255)
    np.testing.assert_allclose(held, augmented(conf=quiet), atol=0.51)
    assert (got % 1 != 0).any()


def test_arrays_that_cannot_be_written_to_or_lie_apart():
    frozen = IMAGES.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(augmented(frozen), WANTED)
    apart = np.zeros((24, 3, 17, 13), np.uint8)
    apart[::2] = IMAGES
    np.testing.assert_array_equal(augmented(apart[::2]), WANTED)
    assert (frozen == IMAGES).all() and (apart[::2] == IMAGES).all()


def test_fill_is_of_the_image():
    result = augmented(conf="affine { translation: 1 } fill: [10, 20, 30]")
    assert {
        tuple(pixel)
        for pixel in result[:, :, [0, -1], :][:, :, :, [0, -1]].transpose(0, 2, 3, 1).reshape(-1, 3)
    } & {(10, 20, 30)}


# -- in the transformer


def transformer(conf: str, phase=TRAIN, augment=EVERYTHING, shape=(3, 17, 13)) -> Transformer:
    return Transformer(text.parse(conf, TransformationParameter), phase, shape, parsed(augment))


def transformed(t: Transformer, images=IMAGES) -> np.ndarray:
    out = np.empty((len(images), *t.out_shape), np.float32)
    t(images, out, AT, KEY)
    return out


REST = "crop_size: 9 mirror: true scale: 0.5 mean_value: [1, 2, 3] std_value: [2, 3, 4]"


def test_it_stands_between_resize_and_crop():
    changed = augmented()
    plain = Transformer(text.parse(REST, TransformationParameter), TRAIN, (3, 17, 13))
    np.testing.assert_array_equal(transformed(transformer(REST)), transformed(plain, changed))
    resized = transformer("resize { height: 17 width: 13 }", shape=(3, 40, 40))
    large = np.random.default_rng(1).integers(0, 256, (12, 3, 40, 40), np.uint8)
    small = np.empty_like(IMAGES)
    resized.resize(large, small)
    np.testing.assert_array_equal(transformed(resized, large), augmented(small))


def test_test_sees_images_as_they_are_unless_it_asks():
    np.testing.assert_array_equal(transformed(transformer("", TEST)), IMAGES)
    np.testing.assert_array_equal(transformed(transformer("", TEST, f"test: true {EVERYTHING}")), WANTED)


def test_a_device_gets_changed_bytes():
    t, batch = transformer(REST), Batch(np.empty(0, np.uint8), dtype=np.float32, takes_bytes=True)
    t.fill(batch, IMAGES, AT, KEY)
    np.testing.assert_array_equal(batch.images, WANTED)
    np.testing.assert_array_equal(batch.windows, t.draw(AT, KEY))
    t.fill(batch, list(IMAGES.astype(np.float32)), AT, KEY)
    assert batch.windows is None and batch.images.dtype == np.float32


def test_crops_and_mirrors_are_drawn_as_without():
    with_it = transformer(REST)
    without = Transformer(text.parse(REST, TransformationParameter), TRAIN, (3, 17, 13))
    np.testing.assert_array_equal(with_it.draw(AT, KEY), without.draw(AT, KEY))
    assert with_it.draws == without.draws


@pytest.mark.parametrize("mean", ["mean_value: [1, 2, 3]", 'mean_file: "FILE"', ""])
def test_undo_gives_the_pixels_back(mean, tmp_path):
    from minicaffe.proto import binary

    path = tmp_path / "mean.binaryproto"
    path.write_bytes(binary.from_array(IMAGES[0].astype(np.float32)[None]).SerializeToString())
    conf = f"crop_size: 9 mirror: true scale: 0.01 std_value: [2, 3, 4] {mean.replace('FILE', str(path))}"
    t = transformer(conf)
    windows = t.draw(AT, KEY)
    for pixels, (top, left, mirrored), image in zip(t.undo(transformed(t), windows), windows, WANTED):
        part = image[:, top : top + 9, left : left + 9]
        np.testing.assert_allclose(pixels, part[:, :, ::-1] if mirrored else part, atol=1e-3)


def test_the_plan_can_be_looked_at():
    p = Augmentation(parsed(EVERYTHING), 3).plans(AT, KEY, (17, 13))
    assert p.shape == (12, plans.LENGTH) and 0 < (p[:, plans.BENT] > 0).mean() < 1
