"""Parts of images that meet a constraint."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data.detection import draws, sampling
from minicaffe.data.detection.boxes import WHOLE, area, coverage, jaccard
from minicaffe.data.detection.sampling import NUMBERS, Constraint, Sampler

OBJECTS = np.array([[0.1, 0.2, 0.5, 0.6], [0.55, 0.5, 0.95, 0.9]])
ANY = Sampler((0.3, 1), (0.5, 2), None, 50, None)


def numbers(seed: int, trials: int = 50) -> np.ndarray:
    found = draws.numbers(np.array([seed]), (3, 4), draws.SAMPLER, trials * NUMBERS)
    return found.reshape(trials, NUMBERS)


@given(
    st.integers(0, 1000),
    st.lists(st.floats(0.01, 1), min_size=2, max_size=2).map(sorted),
    st.lists(st.floats(0.05, 20), min_size=2, max_size=2).map(sorted),
)
def test_parts_lie_in_the_image_and_have_their_scale(seed, scale, aspect):
    sampler = Sampler(tuple(scale), tuple(aspect), None, 50, None)
    parts = sampler.found(numbers(seed), OBJECTS)
    assert parts.shape == (50, 4) and (parts >= 0).all() and (parts <= 1).all()
    drawn = scale[0] + (scale[1] - scale[0]) * numbers(seed)[:, 0]
    sides = parts[:, 2:] - parts[:, :2]
    np.testing.assert_allclose(area(parts), drawn**2, rtol=1e-6)
    ratio = sides[:, 0] / sides[:, 1]
    held = np.clip(ratio, *aspect)
    fits = np.clip(held, drawn**2, 1 / drawn**2)  # as near as the image allows
    np.testing.assert_allclose(ratio, fits, rtol=1e-6)


@given(
    st.integers(0, 1000),
    st.sampled_from(["jaccard", "sample", "object"]),
    st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted),
    st.none() | st.integers(0, 4),
)
def test_parts_that_are_taken_meet_their_constraint(seed, measure, limits, most):
    sampler = ANY._replace(constraint=Constraint(measure, *limits), most=most)
    tried, parts = ANY.parts(numbers(seed)), sampler.found(numbers(seed), OBJECTS)

    def shares(part):
        part = part[None]
        if measure == "jaccard":
            return jaccard(part, OBJECTS)[0]
        return coverage(part, OBJECTS)[0] if measure == "sample" else coverage(OBJECTS, part)[:, 0]

    good = [p for p in tried if any(limits[0] <= share <= limits[1] for share in shares(p))]
    np.testing.assert_array_equal(parts, np.reshape(good[:most], (-1, 4)))


def test_nothing_found():
    hard = ANY._replace(constraint=Constraint("jaccard", 0.999, np.inf))
    assert not len(hard.found(numbers(1), OBJECTS))
    assert not len(hard.found(numbers(1), np.empty((0, 4))))
    assert sampling.chosen([np.empty((0, 4))], 0.5) is WHOLE
    parts = [np.full((2, 4), 1.0), np.empty((0, 4)), np.full((2, 4), 2.0)]
    assert [sampling.chosen(parts, u)[0] for u in (0, 0.49, 0.5, 0.99)] == [1, 1, 2, 2]


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 40))
def test_pixels_of_a_part(seed, height, width):
    for part in ANY.parts(numbers(seed, 5)):
        spans = sampling.pixels(part, height, width)
        for span, extent in zip(spans, (height, width)):
            assert 0 <= span.start < span.stop <= extent
        box = sampling.shares(*spans, height, width)
        assert np.abs((box - part) * [width, height, width, height]).max() <= 2


def test_numbers_are_functions_of_key_place_and_step():
    at = np.array([0, 7, 2**40])
    found = draws.numbers(at, (1, 2), draws.EXPAND, 6)
    assert found.shape == (3, 6) and (found >= 0).all() and (found < 1).all() and len(np.unique(found)) == 18
    np.testing.assert_array_equal(found[1:2], draws.numbers(at[1:2], (1, 2), draws.EXPAND, 6))
    np.testing.assert_array_equal(found[:, :2], draws.numbers(at, (1, 2), draws.EXPAND, 2))
    for other in (draws.numbers(at, (1, 3), draws.EXPAND, 6), draws.numbers(at, (1, 2), draws.CHOICE, 6)):
        assert not (other == found).any()
    many = draws.numbers(np.arange(4000), (1, 2), draws.DISTORT, 4)
    assert many.mean() == pytest.approx(0.5, abs=0.02)
