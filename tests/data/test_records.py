"""Images that are read one by one, as numbered batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.batch import Batch
from minicaffe.data.order import Order, Share
from minicaffe.data.records import RecordBatches
from minicaffe.errors import ConfigError, ShapeError
from minicaffe.proto import text
from minicaffe.proto.schema import TRAIN, TransformationParameter


class Held:
    """Records in memory."""

    def __init__(self, *shapes: tuple[int, int, int]) -> None:
        self.images = [np.full(shape, i, np.uint8) for i, shape in enumerate(shapes)]

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index], 10 * index

    def place(self, index: int) -> str:
        return f"held:{index}"


def make(records: Held, batch: int, conf="", shuffle=False, **process) -> RecordBatches:
    order = Order(len(records), shuffle=shuffle, seed=3)
    transform = text.parse(conf, TransformationParameter)
    return RecordBatches(records, transform, TRAIN, None, order, Share(batch, (1, 2), **process))


def draw(batches: RecordBatches, number: int) -> list[np.ndarray]:
    out = Batch(np.empty((0,), np.float32), np.full(batches.share.batch, np.nan, np.float32))
    batches(number, out)
    return [out.images, out.labels]


def test_the_first_image_of_a_batch_decides_its_shape():
    batches = make(Held((3, 4, 5), (3, 4, 5), (1, 2, 2), (1, 2, 2)), 2)
    assert batches.transformer.out_shape == (3, 4, 5)
    for number, shape in enumerate([(2, 3, 4, 5), (2, 1, 2, 2), (2, 3, 4, 5)]):
        pixels, labels = draw(batches, number)
        assert pixels.shape == shape and pixels.dtype == np.float32
        np.testing.assert_array_equal(pixels[:, 0, 0, 0] * 10, labels)


def test_arrays_are_written_into_while_they_fit():
    batches = make(Held((3, 4, 5), (3, 4, 5), (1, 2, 2), (3, 5, 5)), 1)
    before = np.empty((1, 3, 4, 5), np.float32)
    out = Batch(before, np.empty(1, np.float32))
    batches(1, out)
    assert out.images is before and (out.images == 1).all()
    batches(2, out)  # smaller
    assert out.images.shape == (1, 1, 2, 2) and (out.images == 2).all()
    assert np.shares_memory(out.images, before)
    batches(3, out)  # larger
    assert out.images.shape == (1, 3, 5, 5) and (out.images == 3).all()
    assert not np.shares_memory(out.images, before)


def test_labels_may_be_left_out():
    out = Batch(np.empty((1, 3, 4, 5)))
    make(Held((3, 4, 5)), 1)(0, out)
    assert (out.images == 0).all() and out.labels is None


@pytest.mark.parametrize("conf", ["crop_size: 2", "resize { height: 3 width: 3 } mirror: true"])
@given(number=st.integers(0, 50), shuffle=st.booleans())
def test_images_of_many_sizes_in_one_batch(conf, number, shuffle):
    shapes = [(3, 4, 5), (3, 9, 2), (3, 2, 7), (3, 2, 2), (3, 5, 5)]
    together = draw(make(Held(*shapes), 6, conf, shuffle), number)
    for rank in range(3):
        mine = draw(make(Held(*shapes), 2, conf, shuffle, rank=rank, size=3), number)
        for part, whole in zip(mine, together):
            np.testing.assert_array_equal(part, whole[rank::3])
    np.testing.assert_array_equal(together[0][:, 0, 0, 0] * 10, together[1])


def test_errors_name_the_record():
    with pytest.raises(
        ShapeError, match=r"held:1: all images of a batch must have the shape \(3, 4, 5\); got"
    ):
        draw(make(Held((3, 4, 5), (3, 5, 4)), 2), 0)
    batches = make(Held((3, 4, 5), (3, 2, 2)), 1, "crop_size: 4")
    with pytest.raises(ConfigError, match="held:1: crop_size 4 is larger than the images, 2 x 2"):
        draw(batches, 1)
    with pytest.raises(ConfigError, match="held:0: crop_size 4 is larger"):
        make(Held((3, 3, 3)), 1, "crop_size: 4")
