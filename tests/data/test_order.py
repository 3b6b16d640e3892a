"""Which sample comes when."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.order import Order, Share, permutation

counts = st.integers(1, 40)
batches = st.integers(1, 50)
seeds = st.integers(0, 2**64)


def sequence(order: Order, batch: int, epochs: int) -> np.ndarray:
    """The samples of whole epochs, one after the other, as batches deliver them."""
    n = order.count * epochs
    drawn = [order.samples(Share(batch).positions(b)) for b in range(-(-n // batch))]
    return np.concatenate(drawn)[:n].reshape(epochs, order.count)


@given(count=counts, batch=batches)
def test_without_shuffle_samples_come_in_order_and_wrap(count, batch):
    drawn = sequence(Order(count), batch, 3)
    np.testing.assert_array_equal(drawn, np.tile(np.arange(count), (3, 1)))


@given(count=counts, batch=batches, seed=seeds)
def test_with_shuffle_every_epoch_is_a_permutation_of_its_own(count, batch, seed):
    drawn = sequence(Order(count, shuffle=True, seed=seed), batch, 4)
    np.testing.assert_array_equal(np.sort(drawn, axis=1), np.tile(np.arange(count), (4, 1)))
    if count > 30:
        assert (drawn[0] != drawn[1]).any() and (drawn[1] != drawn[2]).any()


@given(count=counts, batch=batches, seed=seeds, number=st.integers(0, 10**12), shuffle=st.booleans())
def test_a_batch_does_not_depend_on_those_before(count, batch, seed, number, shuffle):
    alone = Order(count, shuffle=shuffle, seed=seed)
    after = Order(count, shuffle=shuffle, seed=seed)
    for other in (number + 1, 0, number - 1 if number else 0):
        after.samples(Share(batch).positions(other))
    np.testing.assert_array_equal(
        alone.samples(Share(batch).positions(number)), after.samples(Share(batch).positions(number))
    )


@given(count=counts, batch=batches, size=st.integers(1, 5), shuffle=st.booleans())
def test_processes_share_the_sequence(count, batch, size, shuffle):
    """Rank r of `size` gets every size-th sample of what one process would get."""
    order = Order(count, shuffle=shuffle, seed=7)
    for number in range(3):
        together = order.samples(Share(batch * size).positions(number))
        for rank in range(size):
            mine = order.samples(Share(batch, rank=rank, size=size).positions(number))
            np.testing.assert_array_equal(mine, together[rank::size])


def test_the_seed_decides():
    at = Share(100).positions(0)
    one, same, other = (Order(100, shuffle=True, seed=seed).samples(at) for seed in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_permutations_stay_what_they_are():
    """Resuming an old run depends on it."""
    assert permutation(8, 1701, 0).tolist() == [3, 5, 2, 4, 1, 6, 7, 0]
    assert permutation(8, 1701, 1).tolist() == [5, 4, 0, 6, 2, 1, 3, 7]


def test_at_most_two_permutations_are_kept():
    order = Order(10, shuffle=True)
    for number in range(30):
        order.samples(Share(7).positions(number))
    assert order._permutation.cache_info().currsize == 2
    assert order._permutation.cache_info().misses == 21  # one per epoch


@given(
    count=st.integers(1, 20), seed=st.integers(0, 2**32 - 1), skip=st.integers(1, 30), shuffle=st.booleans()
)
def test_rand_skip_begins_the_sequence_later(count, seed, skip, shuffle):
    plain = Order(count, shuffle=shuffle, seed=seed)
    late = Order(count, shuffle=shuffle, seed=seed, rand_skip=skip)
    assert 0 <= late.skip < skip
    np.testing.assert_array_equal(
        late.samples(Share(7).positions(2)), plain.samples(Share(7).positions(2) + late.skip)
    )


def test_every_skip_occurs():
    assert {Order(9, seed=seed, rand_skip=4).skip for seed in range(60)} == {0, 1, 2, 3}
