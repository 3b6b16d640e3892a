"""The layers of py-faster-rcnn's modules: what regions are proposed, and what is learned from them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.core.randomness import Stream
from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.layers.rcnn import geometry, sampling

from ..support import laws
from ..support.devices import CUDA, each_device, make_device
from ..support.laws import Case, Rig, check_forward, uniform
from . import test_proposal

CLASSES = {
    "ProposalLayer": "rpn.proposal_layer",
    "AnchorTargetLayer": "rpn.anchor_target_layer",
    "ProposalTargetLayer": "rpn.proposal_target_layer",
}
ANCHORS = "'feat_stride': 8, 'scales': [0.5, 1], 'ratios': [1]"


def overlap(a, b):
    """Of boxes behind the number of their image."""
    return test_proposal.overlap(np.array(a, float), np.array(b, float))


def layer(name: str, settings: str) -> str:
    module = CLASSES[name]
    return f'type: "Python" python_param {{ module: "{module}" layer: "{name}" param_str: "{{{settings}}}" }}'


def image(h: float, w: float, scale: float = 1.0) -> laws.Maker:
    return lambda shape, rng: np.tile([h, w, scale], (shape[0], 1))


def boxes_in(h: float, w: float, classes: int = 0) -> laws.Maker:
    """Boxes of the image, in front of which its number 0 stands, or behind which a class."""

    def make(shape, rng):
        low = rng.uniform(0, 0.6, (shape[0], 2)) * [w, h]
        high = low + rng.uniform(0.15, 0.4, (shape[0], 2)) * [w, h]
        more = rng.integers(1, classes, (shape[0], 1)) if classes else np.zeros((shape[0], 1))
        return np.hstack([low, high, more] if classes else [more, low, high])

    return make


def proposing(h: int, w: int, settings: str = "", n: int = 1, phase: str = "TEST", tops: int = 2) -> Case:
    def moved(shape, rng):
        return rng.normal(0, 0.3, shape)

    return Case(
        layer("ProposalLayer", f"{ANCHORS}, {settings}"),
        ((n, 4, h, w), (n, 8, h, w), (n, 3)),
        (uniform, moved, image(8 * h, 8 * w, 1.5)), tops=tops, phase=phase, gradient=False,
    )  # fmt: skip


def anchoring(h: int, w: int, objects: int, settings: str = "") -> Case:
    shapes = (1, 4, h, w), (objects, 5), (1, 3), (1, 3, 2, 2)
    makers = (uniform, boxes_in(8 * h, 8 * w, 4), image(8 * h, 8 * w))
    return Case(layer("AnchorTargetLayer", f"{ANCHORS}, {settings}"), shapes, makers, tops=4, gradient=False)


def targeting(regions: int, objects: int, settings: str = "", classes: int = 4) -> Case:
    return Case(
        layer("ProposalTargetLayer", f"'num_classes': {classes}, {settings}"),
        ((regions, 5), (objects, 5)),
        (boxes_in(60, 80), boxes_in(60, 80, 4)), tops=5, gradient=False,
    )  # fmt: skip


CASES = [
    proposing(2, 3, "'RPN_MIN_SIZE': 3, 'RPN_POST_NMS_TOP_N': 4"),
    proposing(3, 3, "'RPN_NMS_THRESH': 0.3, 'RPN_PRE_NMS_TOP_N': 5", n=2, tops=1),
    anchoring(5, 6, 3, "'RPN_BATCHSIZE': 8"),
    anchoring(5, 4, 2, "'RPN_POSITIVE_WEIGHT': 0.25, 'allowed_border': 4, 'RPN_CLOBBER_POSITIVES': true"),
    targeting(40, 3, "'BATCH_SIZE': 16"),
    targeting(9, 2, "'BATCH_SIZE': -1, 'BG_THRESH_LO': 0.1", classes=2),
]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda c: c.layer.split('"')[5] + str(c.shapes[0]))


@each_case
def test_laws(case):
    cpu = make_device("cpu")
    laws.check_repeatable(case, cpu)
    laws.check_propagate_down(case, cpu)
    for name in ("plain", "python", *CUDA[:1]):
        laws.check_parity(case, cpu, make_device(name))


def test_the_gradient_is_zero(cpu):
    """Backward runs where what is proposed comes from what is trained."""
    for case in (CASES[0], CASES[2], CASES[4]):
        rig = Rig(case, cpu)
        rig.forward(case.arrays())
        laws.poison(rig)
        down, _ = rig.backward()
        assert len(down) == len(case.shapes) and not any(diff.any() for diff in down)


# -- proposals


def anchors(h, w, sizes=(8, 16)):
    """Of all cells: x1, y1, x2, y2."""
    half = [(size - 1) / 2 for size in sizes]
    return [
        (7.5 - s + 8 * j, 7.5 - s + 8 * i, 7.5 + s + 8 * j, 7.5 + s + 8 * i)
        for i in range(h) for j in range(w) for s in half
    ]  # fmt: skip


def propose(prob, deltas, info, *, before=6000, after=300, threshold=0.7, least=16):
    rois, scores = [], []
    for n in range(len(prob)):
        (height, width, scale), (h, w), found = info[n], prob.shape[2:], []
        cells = [(i, j, a) for i in range(h) for j in range(w) for a in range(2)]
        for (i, j, a), anchor in zip(cells, anchors(h, w)):
            dx, dy, dw, dh = deltas[n, 4 * a : 4 * a + 4, i, j]
            side = anchor[2] - anchor[0] + 1
            x, y = anchor[0] + side / 2 + dx * side, anchor[1] + side / 2 + dy * side
            half_w, half_h = side * math.exp(dw) / 2, side * math.exp(dh) / 2
            box = np.clip([x - half_w, y - half_h, x + half_w, y + half_h], 0, [width - 1, height - 1] * 2)
            if min(box[2] - box[0], box[3] - box[1]) + 1 >= least * scale:
                found.append((prob[n, 2 + a, i, j], np.array([n, *box])))
        kept = []
        for score, box in sorted(found, key=lambda pair: -pair[0])[:before]:
            if len(kept) < after and all(overlap(box, other) <= threshold for other in kept):
                kept.append(box)
                scores.append([score])
        rois += kept
    return np.array(rois), np.array(scores)


@each_device
@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.2, 0.5, 0.7]))
def test_proposals(device, n, h, w, threshold):
    settings = f"'RPN_NMS_THRESH': {threshold}, 'RPN_MIN_SIZE': 4, 'RPN_PRE_NMS_TOP_N': 9"
    options = {"threshold": threshold, "least": 4, "before": 9}
    case = proposing(h, w, settings, n)
    found = propose(*case.arrays(), **options)[0]
    if len(found) and len(set(found[:, 0])) == n:  # each image has a box that is large enough
        check_forward(case, device, lambda *x: propose(*x, **options))


def test_numbers_follow_the_phase(cpu):
    for phase, most in (("TRAIN", 2000), ("TEST", 300)):
        rig = Rig(proposing(30, 40, phase=phase), cpu)
        assert rig.top[0].shape == (most, 5) and rig.top[1].shape == (most, 1)
    rig = Rig(proposing(3, 4, "'RPN_POST_NMS_TOP_N': 0"), cpu)
    assert rig.top[0].shape == (24, 5)
    assert rig.layer.kept.shape == (25,)  # room for what there is, not for what a number could be


def test_where_all_are_small_they_stay(cpu):
    rig = Rig(proposing(2, 2, "'RPN_MIN_SIZE': 100"), cpu)
    assert rig.forward(rig.case.arrays())[0].shape[0] > 0


def test_anchors_are_those_of_the_module(cpu):
    """As its documentation lists them, for ratios 0.5, 1, 2 and scales 8, 16, 32."""
    text = layer("ProposalLayer", "'feat_stride': 16")
    made = Rig(Case(text, ((1, 18, 1, 1), (1, 36, 1, 1), (1, 3))), cpu).layer
    wanted = [
        [-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199],
        [-56, -56, 71, 71], [-120, -120, 135, 135], [-248, -248, 263, 263],
        [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359],
    ]  # fmt: skip
    np.testing.assert_array_equal(made.anchors, wanted)


# -- what anchors are to answer


def move(box, target):
    size, wanted = (np.array([b[2] - b[0], b[3] - b[1]]) + 1 for b in (box, target))
    centres = np.array(target[:2]) + wanted / 2 - np.array(box[:2]) - size / 2
    return [*(centres / size), *np.log(wanted / size)]


def assign(scores, objects, info, data, *, border=0, low=0.3, high=0.7, clobber=False, share=-1.0):
    """Labels, moves and weights where nothing is chosen at random."""
    (h, w), (height, width, _) = scores.shape[2:], info[0]
    boxes = anchors(h, w)
    inside = [
        min(b[:2]) >= -border and b[2] < width + border and b[3] < height + border for b in boxes
    ]  # fmt: skip
    shares = np.array([[overlap([0, *b], [0, *o[:4]]) for o in objects] for b in boxes])
    best = shares[inside].max(axis=0)
    labels, targets = np.full(len(boxes), -1.0), np.zeros((len(boxes), 4))
    for k in np.flatnonzero(inside):
        below = shares[k].max() < low
        is_object = shares[k].max() >= high or any(shares[k] == best)
        labels[k] = 1 if is_object and not (below and clobber) else 0 if below else -1
        targets[k] = move(boxes[k], objects[shares[k].argmax()])
    weights = np.zeros(len(boxes))
    if share < 0:
        weights[labels >= 0] = 1 / sum(labels >= 0)
    else:
        weights[labels == 1], weights[labels == 0] = share / sum(labels == 1), (1 - share) / sum(labels == 0)

    def laid(values):
        return values.reshape(h, w, -1).transpose(2, 0, 1)

    one = laid(np.repeat((labels == 1)[:, None] * 1.0, 4, axis=1))
    wide = laid(np.repeat(weights[:, None], 4, axis=1))
    return laid(labels).reshape(1, 1, -1, w), laid(targets)[None], one[None], wide[None]


@each_device
def test_labels_of_anchors(device):
    check_forward(anchoring(5, 6, 3), device, assign)
    border = "'RPN_POSITIVE_WEIGHT': 0.25, 'allowed_border': 4, 'RPN_CLOBBER_POSITIVES': true"
    options = {"share": 0.25, "border": 4, "clobber": True}
    check_forward(anchoring(4, 5, 2, border), device, lambda *x: assign(*x, **options))
    limits = "'RPN_NEGATIVE_OVERLAP': 0.1, 'RPN_POSITIVE_OVERLAP': 0.2"
    check_forward(anchoring(4, 6, 4, limits), device, lambda *x: assign(*x, low=0.1, high=0.2))


def test_as_many_are_chosen_as_fit(cpu):
    case = anchoring(9, 9, 4, "'RPN_BATCHSIZE': 20, 'RPN_FG_FRACTION': 0.1, 'RPN_POSITIVE_OVERLAP': 0.3")
    all_of_them = assign(*case.arrays(), high=0.3)[0]
    rig = Rig(case, cpu)
    labels, _, inside, outside = rig.forward(case.arrays())
    assert (labels == 1).sum() == 2 < (all_of_them == 1).sum() and (labels == 0).sum() == 18
    assert (all_of_them[labels == 1] == 1).all() and (all_of_them[labels == 0] == 0).all()
    assert inside.sum() == 8 and outside.sum() == pytest.approx(4)


def test_without_objects_all_is_ground(cpu):
    rig = Rig(anchoring(4, 4, 0), cpu)
    labels, *others = rig.forward(rig.case.arrays())
    assert set(labels.ravel()) == {-1, 0} and not others[0].any() and not others[1].any()
    rig = Rig(anchoring(1, 1, 2, "'base_size': 64"), cpu)
    assert (rig.forward(rig.case.arrays())[0] == -1).all()  # no anchor lies inside


# -- what regions are to answer


def test_targets_of_regions(cpu):
    """All regions, so that nothing is random."""
    case = targeting(12, 3, "'BATCH_SIZE': -1, 'FG_THRESH': 0.3, 'BG_THRESH_HI': 0.3")
    regions, objects = case.arrays()
    tops = Rig(case, cpu).forward([regions, objects])
    assert all(top.shape[2:] == (1, 1) for top in tops)
    rois, labels, targets, inside, outside = (top[:, :, 0, 0] for top in tops)
    everything = np.vstack([regions, np.insert(objects[:, :4], 0, 0, axis=1)])
    shares = np.array([[overlap(r, [0, *o[:4]]) for o in objects] for r in everything])
    order = [*np.flatnonzero(shares.max(1) >= 0.3), *np.flatnonzero(shares.max(1) < 0.3)]
    np.testing.assert_allclose(rois, everything[order])
    for k, r in enumerate(order):
        nearest = objects[shares[r].argmax()]
        label = int(nearest[4]) if shares[r].max() >= 0.3 else 0
        wanted, weights = np.zeros((4, 4)), np.zeros((4, 4))
        if label:
            wanted[label] = np.array(move(everything[r][1:], nearest)) / [0.1, 0.1, 0.2, 0.2]
            weights[label] = 1
        assert labels[k] == label
        np.testing.assert_allclose(targets[k], wanted.ravel(), atol=1e-12)
        np.testing.assert_array_equal([inside[k], outside[k]], [weights.ravel()] * 2)


def test_a_batch_of_regions(cpu):
    case = targeting(200, 5, "'BATCH_SIZE': 16, 'FG_THRESH': 0.2, 'BG_THRESH_HI': 0.2")
    rig = Rig(case, cpu)
    assert rig.top[0].shape == (16, 5, 1, 1)
    _, labels, *_ = rig.forward(case.arrays())
    assert (labels[:4] > 0).all() and (labels[4:] == 0).all() and labels.shape == (16, 1, 1, 1)


def test_moves_of_any_object(cpu):
    """With two classes, as R-FCN has them, the classes stay and the moves are in one place."""
    rig = Rig(targeting(0, 3, classes=2), cpu)
    objects = rig.case.arrays()[1]
    objects[:, 4] = [1, 7, 20]
    _, labels, _, inside, _ = rig.forward([np.zeros((0, 5)), objects])
    np.testing.assert_array_equal(labels.ravel(), [1, 7, 20])
    np.testing.assert_array_equal(inside[:, :, 0, 0], [[0] * 4 + [1] * 4] * 3)


def test_if_nothing_may_be_taken_the_first_is_ground(cpu):
    rig = Rig(targeting(3, 0, "'BG_THRESH_LO': 0.1"), cpu)
    rois, labels, *_ = rig.forward(rig.case.arrays())
    np.testing.assert_allclose(rois[:, :, 0, 0], rig.case.arrays()[0][:1])
    assert labels == [0]


# -- chance and errors


def test_a_choice_follows_from_key_and_pass(cpu):
    stream = Stream(cpu, 5, "layer")
    numbers = np.arange(100, 160)
    drawn = []
    for passes in range(200):
        stream.seek(passes)
        drawn.append(sampling.some(numbers, 20, stream, 0))
    for choice in drawn:
        assert len(set(choice)) == 20 and (np.diff(choice) > 0).all() and set(choice) <= set(numbers)
    stream.seek(0)
    np.testing.assert_array_equal(drawn[0], sampling.some(numbers, 20, stream, 0))
    assert (drawn[0] != sampling.some(numbers, 20, stream, 1)).any()
    assert (drawn[0] != sampling.some(numbers, 20, Stream(cpu, 6, "layer"), 0)).any()
    counts = np.bincount(np.concatenate(drawn) - 100)  # each 67 times, with a deviation of 7
    assert counts.min() > 35 and counts.max() < 100
    np.testing.assert_array_equal(sampling.some(numbers[:3], 20, stream, 0), numbers[:3])


def test_of_geometry():
    boxes = np.array([[0.0, 0, 9, 9], [5, 5, 14, 14], [20, 20, 29, 39]])
    np.testing.assert_allclose(geometry.overlaps(boxes, boxes)[0], [1, 25 / 175, 0])
    np.testing.assert_allclose(geometry.moves(boxes[:1], boxes[2:]), [[2, 2.5, 0, math.log(2)]])
    deltas = np.array([[0.1, 0.5, 0, math.log(2)]])
    np.testing.assert_allclose(geometry.moved(np.array([[0, 0, 9, 19]]), deltas), [[1, 0, 11, 40]])
    back = geometry.moved(boxes, geometry.moves(boxes, boxes[::-1]))
    np.testing.assert_allclose(back, boxes[::-1] + [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (
            proposing(2, 2, "'RPN_MIN_SIZ': 3"),
            "'RPN_MIN_SIZ', which this layer does not know.*'RPN_MIN_SIZE'",
        ),
        (proposing(2, 2, "'RPN_MIN_SIZE': yes"), "'RPN_MIN_SIZE' must be a number; got 'yes'"),
        (proposing(2, 2, "'base_size': 0"), "must be greater than 0"),
        (proposing(2, 2, "'RPN_PRE_NMS_TOP_N': 2.5"), "must be a whole number; got 2.5"),
        (Case(layer("ProposalLayer", ""), ((1, 18, 2, 2), (1, 36, 2, 2), (1, 3))), "must have 'feat_stride'"),
        (anchoring(2, 2, 1, "'RPN_POSITIVE_WEIGHT': 1.5"), "below 0, or between 0 and 1"),
        (anchoring(2, 2, 1, "'RPN_BBOX_INSIDE_WEIGHTS': [1, 1]"), "must be 4 numbers"),
        (targeting(2, 2, classes=1), "num_classes must be at least 2, with ground; got 1"),
        (targeting(2, 2, "'BBOX_NORMALIZE_STDS': 1"), "must be a list; got 1"),
    ],
)
def test_refuses_settings(cpu, case, message):
    with pytest.raises(ConfigError, match=message):
        Rig(case, cpu)


@pytest.mark.parametrize(
    ("case", "shapes", "message"),
    [
        (CASES[0], ((1, 5, 2, 3), (1, 8, 2, 3), (1, 3)), "4 and 8 channels, for 2 anchors.*in param_str"),
        (CASES[0], ((1, 4, 2, 3), (1, 8, 2, 3), (1, 4)), "3 numbers.*they are height, width and scale"),
        (CASES[2], ((2, 4, 5, 6), (3, 5), (1, 3)), r"bottom 0 must be \(1, 4, h, w\), for one image"),
        (CASES[2], ((1, 4, 5, 6), (3, 4), (1, 3)), r"bottom 1 must hold objects \(n, 5\); got \(3, 4\)"),
        (CASES[2], ((1, 4, 5, 6), (3, 5), (1, 4)), r"3 numbers, height, width and scale.*got \(1, 4\)"),
        (CASES[4], ((40, 4), (3, 5)), r"bottom 0 must hold regions \(r, 5\); got \(40, 4\)"),
    ],
)
def test_refuses_shapes(cpu, case, shapes, message):
    with pytest.raises(ShapeError, match=message):
        Rig(Case(case.layer, shapes, tops=case.tops, gradient=False), cpu)


def test_refuses_values(cpu):
    rig = Rig(CASES[4], cpu)
    regions, objects = rig.case.arrays()
    for change, message in [
        ((regions + [1, 0, 0, 0, 0], objects), "regions of several images; expected those of image 0"),
        ((regions, objects + [0, 0, 0, 0, 9]), "expected 1 to 3, as num_classes says"),
        ((regions, objects * math.nan), "a number that is not finite"),
    ]:
        with pytest.raises(DataError, match=message):
            rig.forward(change)
