"""Proposal."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.devices import each_device
from ..support.laws import Case, Rig, check_forward, uniform

FIELDS = "ratio: 0.5 ratio: 1 scale: 2 scale: 4 min_size: 8 pre_nms_topn: {} post_nms_topn: {} nms_thresh: {}"
ANCHORS = 4


def sizes(shape, rng):
    """Height, width and scales of images."""
    return np.stack([*rng.uniform(40, 90, (2, shape[0])), *rng.uniform(0.8, 1.5, (2, shape[0]))], 1)


def shifts(shape, rng):
    return rng.normal(0, 0.3, shape)


def case(n: int, h: int, w: int, before: int = 12, after: int = 5, threshold: float = 0.5, tops: int = 2):
    shapes = ((n, 2 * ANCHORS, h, w), (n, 4 * ANCHORS, h, w), (n, 4))
    layer = f'type: "Proposal" proposal_param {{ {FIELDS.format(before, after, threshold)} }}'
    return Case(layer, shapes, (uniform, shifts, sizes), tops=tops, gradient=False)


def boxes_of(image, prob, deltas, info):
    """[score, box] of every anchor, cell by cell."""
    height, width, scale_h, scale_w = info
    for row, column in np.ndindex(prob.shape[1:]):
        for a, (ratio, scale) in enumerate((r, s) for r in (0.5, 1) for s in (2, 4)):
            w = int(math.sqrt(256 / ratio) + 0.5)
            h = int(w * ratio + 0.5) * scale
            w *= scale
            dx, dy, dw, dh = deltas[4 * a : 4 * a + 4, row, column]
            x, y = 7.5 - (w - 1) / 2 + 16 * column + w / 2, 7.5 - (h - 1) / 2 + 16 * row + h / 2
            x, y, w, h = x + dx * w, y + dy * h, w * math.exp(dw), h * math.exp(dh)
            corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            box = np.clip(corners, 0, [width - 1, height - 1] * 2)
            small = box[2] - box[0] + 1 < 8 * scale_w or box[3] - box[1] + 1 < 8 * scale_h
            yield (0 if small else prob[ANCHORS + a, row, column]), [image, *box]


def overlap(a, b):
    low, high = np.maximum(a[1:3], b[1:3]), np.minimum(a[3:], b[3:])
    shared = np.prod(np.maximum(high - low + 1, 0))
    return shared / (sum(np.prod(box[3:] - box[1:3] + 1) for box in (a, b)) - shared)


def propose(prob, deltas, info, *, before=12, after=5, threshold=0.5):
    rois, scores = [], []
    for image in range(len(prob)):
        found = list(boxes_of(image, prob[image], deltas[image], info[image]))
        kept = []
        for score, box in sorted(found, key=lambda pair: -pair[0])[:before]:
            box = np.array(box)
            if len(kept) < after and all(overlap(box, other) <= threshold for other in kept):
                kept.append(box)
                scores.append(score)
        rois += kept
    return np.array(rois), np.array(scores)


CASES = [case(1, 3, 4), case(2, 2, 3, 6000, 300), case(1, 2, 2, 3, 9, 0.7, tops=1)]


@each_device
@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.2, 0.5, 0.7]))
def test_formula(device, n, h, w, threshold):
    options = {"before": 12, "after": 5, "threshold": np.float64(np.float32(threshold))}
    check_forward(case(n, h, w, 12, 5, threshold), device, lambda *blobs: propose(*blobs, **options))


@each_device
def test_of_equal_scores_the_first_is_first_and_all_may_be_one_box(device):
    rig = Rig(case(1, 2, 2), device)
    prob, deltas = np.full((1, 8, 2, 2), 0.5), np.zeros((1, 16, 2, 2))
    deltas[:, 2::4] = deltas[:, 3::4] = 9  # as large as the image
    rois, scores = rig.forward([prob, deltas, np.array([[30.0, 40, 1, 1]])])
    np.testing.assert_array_equal(rois, [[0, 0, 0, 39, 29]])
    np.testing.assert_array_equal(scores, [0.5])


def test_refuses(cpu):
    shapes = case(1, 2, 2).shapes
    layer = 'type: "Proposal" proposal_param {{ {} }}'
    for text, message in [
        ("ratio: 1", "must have a ratio and a scale at least"),
        ("ratio: 1 scale: -1", "ratios and scales must be greater than 0"),
        ("ratio: 1 scale: 1 base_size: 0", "base_size must be set and greater than 0; got 0"),
        ("max_rois: 3", "proposal_param.max_rois is not supported: it is of another Proposal"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Rig(Case(layer.format(text), shapes), cpu)
    with pytest.raises(
        ShapeError, match=r"have 2 and 4 channels, for 1 anchors, and equal images; bottom 0 has"
    ):
        Rig(Case(layer.format("ratio: 1 scale: 1"), shapes), cpu)
    for wrong, message in [
        ((shapes[0], (1, 16, 2, 3), shapes[2]), r"equal images; bottom 1 has \(1, 16, 2, 3\)"),
        ((shapes[0], shapes[1], (1, 3)), r"bottom 2 must have 4 numbers for each of 1 images; got \(1, 3\)"),
    ]:
        with pytest.raises(ShapeError, match=message):
            Rig(Case(case(1, 2, 2).layer, wrong, tops=2), cpu)
