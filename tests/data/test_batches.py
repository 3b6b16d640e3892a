"""A data set as numbered batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data import idx
from minicaffe.data.batch import Batch
from minicaffe.data.batches import Batches
from minicaffe.data.datasets import Samples
from minicaffe.data.order import Order, Share
from minicaffe.data.transformer import Transformer
from minicaffe.proto import text
from minicaffe.proto.schema import TRAIN, TransformationParameter

COUNT = 11
SAMPLES = Samples(
    np.arange(COUNT * 12, dtype=np.uint8).reshape(COUNT, 1, 4, 3), np.arange(COUNT, dtype=np.uint8)
)


def make(batch: int, *, conf="", shuffle=False, samples=SAMPLES, **process) -> Batches:
    transformer = Transformer(text.parse(conf, TransformationParameter), TRAIN, (1, 4, 3))
    order = Order(COUNT, shuffle=shuffle, seed=3)
    return Batches(samples, transformer, order, Share(batch, (1, 2), **process))


def draw(batches: Batches, number: int) -> list[np.ndarray]:
    images = np.full((batches.share.batch, *batches.transformer.out_shape), np.nan, np.float32)
    out = Batch(images, np.full(batches.share.batch, np.nan, np.float32))
    batches(number, out)
    return [out.images, out.labels]


def test_images_and_labels_belong_together():
    images, labels = draw(make(5, shuffle=True), 4)
    np.testing.assert_array_equal(images, SAMPLES.images[labels.astype(int)])


def test_samples_without_labels():
    images, labels = draw(make(5, samples=Samples(SAMPLES.images, None)), 0)
    np.testing.assert_array_equal(images, SAMPLES.images[:5])
    assert np.isnan(labels).all()


@given(batch=st.integers(1, 25), number=st.integers(0, 50), shuffle=st.booleans(), size=st.integers(1, 3))
def test_images_may_stay_in_their_file(tmp_path, batch, number, shuffle, size):
    idx.write(tmp_path / "images", SAMPLES.images)
    samples = SAMPLES._replace(images=idx.stored(tmp_path / "images", kept_bytes=0))
    in_memory, in_file = (
        draw(make(batch, shuffle=shuffle, samples=s, rank=size - 1, size=size), number)
        for s in (SAMPLES, samples)
    )
    for one, other in zip(in_memory, in_file):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("conf", ["", "crop_size: 2 mirror: true"])
@given(batch=st.integers(1, 25), number=st.integers(0, 50), shuffle=st.booleans())
def test_a_batch_does_not_depend_on_those_before(conf, batch, number, shuffle):
    alone, after = (make(batch, conf=conf, shuffle=shuffle) for _ in range(2))
    draw(after, number + 3)
    for one, other in zip(draw(alone, number), draw(after, number)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shuffle", [False, True])
def test_processes_share_the_samples_and_their_crops(shuffle):
    conf = {"conf": "crop_size: 2 mirror: true", "shuffle": shuffle}
    for number in range(4):
        together = draw(make(6, **conf), number)
        for rank in range(3):
            for mine, all_of_it in zip(draw(make(2, rank=rank, size=3, **conf), number), together):
                np.testing.assert_array_equal(mine, all_of_it[rank::3])
