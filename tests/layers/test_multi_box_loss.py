"""MultiBoxLoss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ConfigError, DataError, ShapeError

from ..support.boxes import PRIORS, decoded, encoded, objects, overlap, random_priors
from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, check_gradient


def offsets(shape, rng) -> np.ndarray:
    return rng.uniform(-0.8, 0.8, shape)


def scores(shape, rng) -> np.ndarray:
    return rng.standard_normal(shape) * 2


def case(fields="", *, classes=3, images=2, sets=1, rows=6, more="", priors=PRIORS, background=0) -> Case:
    shapes = (images, priors * sets * 4), (images, priors * classes), (1, 2, priors * 4), (1, 1, rows, 8)
    layer = f'type: "MultiBoxLoss" {more} multibox_loss_param {{ num_classes: {classes} {fields} }}'
    makers = offsets, scores, random_priors, objects(images, classes, background=background)
    return Case(layer, shapes, makers, growing=(0, 0, 9, 9))


LOW = "overlap_threshold: 0.3 neg_overlap: 0.3"  # so that several boxes have an object
CASES = [
    case(f"{LOW} code_type: CENTER_SIZE"),
    case(f"{LOW} conf_loss_type: LOGISTIC loc_loss_type: L2 loc_weight: 0.5 use_difficult_gt: false"),
    case(f"{LOW} mining_type: HARD_EXAMPLE sample_size: 5", more="loss_param { normalization: BATCH_SIZE }"),
    case(f"{LOW} mining_type: HARD_EXAMPLE sample_size: 5 nms_param {{ nms_threshold: 0.1 top_k: 9 }}"),
    case("mining_type: NONE share_location: false code_type: CORNER_SIZE match_type: BIPARTITE", sets=3),
    case("mining_type: NONE conf_loss_type: LOGISTIC encode_variance_in_target: true bp_inside: true"),
    case(f"{LOW} use_prior_for_matching: false ignore_cross_boundary_bbox: true bp_inside: true"),
    case(f"{LOW} neg_pos_ratio: 1 nms_param {{ }} use_prior_for_nms: true map_object_to_agnostic: true"),
]


def matched(truth, boxes, threshold, *, bipartite, crossing):
    """The object of each box, None without, -2 for one that is left out; and the largest overlaps."""
    table = np.array([[overlap(box, row[3:7]) for row in truth] for box in boxes]).reshape(len(boxes), -1)
    table[table <= 1e-6] = 0
    found = [None] * len(boxes)
    if crossing:
        outside = ((boxes < 0) | (boxes > 1)).any(axis=1)
        table[outside] = 0
        found = [-2 if out else None for out in outside]
    left = table.copy()
    while left.any():
        box, row = np.unravel_index(left.argmax(), left.shape)
        found[box] = truth[row]
        left[box], left[:, row] = 0, 0
    for p, overlaps in enumerate(table if not bipartite else ()):
        if found[p] is None and overlaps.max(initial=0) >= max(threshold, 1e-6):
            found[p] = truth[overlaps.argmax()]
    return found, table.max(axis=1, initial=0)


def apart(order, boxes, allowed):
    kept = []
    for p in order:
        if all(overlap(boxes[p], boxes[q]) <= allowed for q in kept):
            kept.append(p)
    return kept


def loss(
    loc, conf, prior, truth, *, classes=3, background=0, logistic=False, squared=False, weight=1.0, sets=1,
    bipartite=False, threshold=0.5, predicted=False, difficult=True, ratio=3.0, limit=0.5, code="CORNER",
    divided=False, agnostic=False, crossing=False, inside=False, mining="MAX_NEGATIVE", sample=64, nms=None,
    top_k=None, prior_nms=False, normalization="VALID",
):  # fmt: skip
    n, truth = len(loc), truth.reshape(-1, 8)
    loc, conf = loc.reshape(n, PRIORS, sets, 4), conf.reshape(n, PRIORS, classes)
    priors, v = prior.reshape(2, PRIORS, 4)
    targets = np.full(n * PRIORS * classes, float(background))  # LOGISTIC without mining
    positives, total_loc, total_conf = 0, 0.0, 0.0
    label_of = lambda row: background + 1 if agnostic else int(row[1])  # noqa: E731

    def boxes_of(image, s):
        ones = np.ones(4)
        all_of = [
            decoded(loc[image, p, s], priors[p], ones if divided else v[p], code) for p in range(PRIORS)
        ]
        return np.array(all_of)

    def loc_loss(image, s, p, row):
        own = boxes_of(image, s)[p] if predicted else priors[p]
        wanted = encoded(row[3:7], priors[p], np.ones(4) if divided else v[p], code)
        d = (loc[image, p, s] - wanted) / (v[p] if divided else 1)
        if inside:
            d = np.where((own < 0) | (own > 1), 0, d)
        return np.where(squared | (abs(d) < 1), d * d / 2, abs(d) - 0.5).sum()

    def cross(x, target):
        return (np.logaddexp(0, x) - x * target).sum()

    def conf_loss(x, label):
        if logistic:
            return cross(x, np.arange(classes) == label)
        return np.logaddexp.reduce(x) - x[label]

    for image in range(n):
        own = truth[(truth[:, 0] == image) & (difficult | (truth[:, 7] == 0))]
        found = {}
        for s in range(sets):
            some = own if sets == 1 else own[own[:, 1] == s]
            boxes = boxes_of(image, s) if predicted else priors
            found[s], close = matched(some, boxes, threshold, bipartite=bipartite, crossing=crossing)
        ground = []
        if mining != "NONE" and len(own):
            hard = mining == "HARD_EXAMPLE"
            candidates = [p for p in range(PRIORS) if hard or (found[0][p] is None and close[p] < limit)]
            losses = {}
            for p in candidates:
                row = found[0][p]
                real = isinstance(row, np.ndarray)
                losses[p] = conf_loss(conf[image, p], label_of(row) if real else background)
                losses[p] += loc_loss(image, 0, p, row) if real else 0
            count = sum(isinstance(row, np.ndarray) for row in found[0])
            order = sorted(candidates, key=lambda p: -losses[p])
            if nms is not None:
                order = apart(order[:top_k], priors if prior_nms else boxes_of(image, 0), nms)
            chosen = order[: sample if hard else int(count * ratio)]
            ground = [p for p in chosen if found[0][p] is None]
            if hard:
                found[0] = [row if p in chosen else None for p, row in enumerate(found[0])]
        for s, rows in found.items():
            for p, row in enumerate(rows):
                if isinstance(row, np.ndarray):
                    positives += 1
                    total_loc += loc_loss(image, s, p, row)
                    targets[image * PRIORS + p * classes + label_of(row)] = 1
        for p in range(PRIORS):
            labels = [label_of(rows[p]) for rows in found.values() if isinstance(rows[p], np.ndarray)]
            if mining == "NONE" and logistic:
                continue
            if labels or p in ground or mining == "NONE":
                label = labels[-1] if labels else background
                target = np.where(np.arange(classes) == label, 1, background)
                x = conf[image, p]
                total_conf += cross(x, target) if logistic else conf_loss(x, label)
    if mining == "NONE" and logistic:
        total_conf = cross(conf.reshape(-1), targets)
    divisor = {"VALID": positives, "BATCH_SIZE": n, "FULL": n * PRIORS, "NONE": 1}[normalization]
    return (float(np.float32(weight)) * total_loc + total_conf) / max(1, divisor)


LOWER = float(np.float32(0.3))
OPTIONS = [
    {"threshold": LOWER, "limit": LOWER, "code": "CENTER_SIZE"},
    {
        "threshold": LOWER,
        "limit": LOWER,
        "logistic": True,
        "squared": True,
        "weight": 0.5,
        "difficult": False,
    },
    {"threshold": LOWER, "mining": "HARD_EXAMPLE", "sample": 5, "normalization": "BATCH_SIZE"},
    {"threshold": LOWER, "mining": "HARD_EXAMPLE", "sample": 5, "nms": float(np.float32(0.1)), "top_k": 9},
    {"mining": "NONE", "sets": 3, "code": "CORNER_SIZE", "bipartite": True},
    {"mining": "NONE", "logistic": True, "divided": True, "inside": True},
    {"threshold": LOWER, "limit": LOWER, "predicted": True, "crossing": True, "inside": True},
    {"threshold": LOWER, "limit": LOWER, "ratio": 1, "nms": LOWER, "prior_nms": True, "agnostic": True},
]


@each_device
@pytest.mark.parametrize("index", range(len(CASES)))
def test_formula(device, index):
    check_forward(CASES[index], device, lambda *x: np.array(loss(*x, **OPTIONS[index])))


@given(
    images=st.integers(1, 3), classes=st.integers(2, 4), rows=st.integers(1, 12), logistic=st.booleans(),
    squared=st.booleans(), bipartite=st.booleans(), predicted=st.booleans(), difficult=st.booleans(),
    code=st.sampled_from(["CORNER", "CENTER_SIZE", "CORNER_SIZE"]), divided=st.booleans(),
    agnostic=st.booleans(), crossing=st.booleans(), inside=st.booleans(), share=st.booleans(),
    mining=st.sampled_from(["NONE", "MAX_NEGATIVE", "HARD_EXAMPLE"]), ratio=st.sampled_from([0.5, 1, 3]),
    sample=st.integers(1, 20), nms=st.sampled_from([None, 0.25, 0.75]), top_k=st.integers(1, 14),
    prior_nms=st.booleans(), normalization=st.sampled_from(["VALID", "BATCH_SIZE", "FULL", "NONE"]),
    background=st.integers(0, 1), weight=st.sampled_from([0, 0.5, 2]),
    threshold=st.sampled_from([0.125, 0.5]),
)  # fmt: skip
def test_every_option(images, classes, rows, share, **options):
    o = options
    share |= o["mining"] != "NONE"
    agnostic = o["agnostic"] = o["agnostic"] and o["background"] + 1 < classes
    nms = f"nms_param {{ nms_threshold: {o['nms']} top_k: {o['top_k']} }}" if o["nms"] else ""
    fields = f"""conf_loss_type: {"LOGISTIC" if o["logistic"] else "SOFTMAX"}
        loc_loss_type: {"L2" if o["squared"] else "SMOOTH_L1"}
        match_type: {"BIPARTITE" if o["bipartite"] else "PER_PREDICTION"}
        code_type: {o["code"]} mining_type: {o["mining"]} overlap_threshold: {o["threshold"]} {nms}
        neg_overlap: 0.5 neg_pos_ratio: {o["ratio"]} sample_size: {o["sample"]} loc_weight: {o["weight"]}
        background_label_id: {o["background"]} """
    switches = {
        "use_prior_for_matching": not o["predicted"], "use_difficult_gt": o["difficult"],
        "encode_variance_in_target": o["divided"], "map_object_to_agnostic": agnostic,
        "ignore_cross_boundary_bbox": o["crossing"], "bp_inside": o["inside"], "share_location": share,
        "use_prior_for_nms": o["prior_nms"],
    }  # fmt: skip
    fields += " ".join(f"{name}: {str(bool(value)).lower()}" for name, value in switches.items())
    sets = 1 if share else classes
    more = f"loss_param {{ normalization: {o['normalization']} }}"
    one = case(
        fields, classes=classes, images=images, sets=sets, rows=rows, more=more, background=o["background"]
    )
    for name in ("cpu", "cuda-emulated"):
        device = make_device(name)
        check_forward(one, device, lambda *x: np.array(loss(*x, classes=classes, sets=sets, **options)))
        check_gradient(one, device, rtol=1e-5, directions=1)


@pytest.mark.parametrize("priors, rows", [(1, 1), (1023, 5), (2600, 40)])
def test_many_boxes_on_every_device(priors, rows):
    """More than a piece of the sums, and than a block; the same bits for any number of threads."""
    one = case(f"{LOW} code_type: CENTER_SIZE", priors=priors, rows=rows, images=3)
    gradients = []
    for device in (
        CpuDevice(np.float64, threads=1),
        CpuDevice(np.float64, threads=2),
        make_device("cuda-emulated"),
    ):
        rig = Rig(one, device)
        (value,) = rig.forward(one.arrays())
        rig.seed_tops()
        gradients.append([value, *rig.backward()[0][:2]])
    for x, y, z in zip(*gradients):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_allclose(x, z, rtol=1e-9, atol=1e-12)


def test_ties_go_to_the_lower_box_and_object(cpu):
    """Four boxes alike and two objects alike: boxes 0 and 1 have one each; of those left box 2 is ground."""
    fields = "match_type: BIPARTITE neg_overlap: 2 neg_pos_ratio: 0.5"
    shapes = (1, 16), (1, 8), (1, 2, 16), (1, 1, 2, 8)
    rig = Rig(Case(f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: 2 {fields} }}', shapes), cpu)
    box = [0.1, 0.1, 0.5, 0.5]
    truth = [[0, 1, 0, *box, 0]] * 2
    rig.forward([np.zeros(shapes[0]), np.zeros(shapes[1]), [[box * 4, [0.1] * 16]], [[truth]]])
    assert cpu.get(rig.layer.match.data).tolist() == [[0, 1, -3, -1]]


def test_no_objects_at_all(cpu):
    """Nothing is learned from images without objects, but with NONE."""
    for index, count in ((0, 0), (2, 0), (4, 2 * PRIORS)):
        rig = Rig(CASES[index], cpu)
        loc, conf, prior, truth = CASES[index].arrays()
        (value,) = rig.forward([loc, conf, prior, np.full_like(truth, -1)])
        rig.seed_tops()
        down, _ = rig.backward()
        assert not down[0].any()
        assert np.count_nonzero(down[1].reshape(-1, 3).any(axis=1)) == count
        assert (value > 0) == (count > 0)


def test_propagate_down_takes_a_part_out(cpu):
    arrays = CASES[0].arrays()

    def value(flags: str) -> float:
        more = " ".join(f"propagate_down: {flag}" for flag in flags.split())
        one = case(f"{LOW} code_type: CENTER_SIZE", more=more)
        return float(Rig(one, cpu).forward(arrays)[0])

    both = value("true true false false")
    assert both == value("")
    np.testing.assert_allclose(
        both, value("false true false false") + value("true false false false"), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((2, 0), 2, r"image 2 at \[0, 0, 2, 0\] of bottom 3 is no object's.*images 0 to 1"),
        ((1, 0), np.nan, r"image nan at \[0, 0, 1, 0\]"),
        ((0, 1), 0, r"class 0 at \[0, 0, 0, 1\] of bottom 3 is no object's.*0 to 2 but 0, .* background"),
        ((3, 1), 3, r"class 3 at \[0, 0, 3, 1\]"),
    ],
)
@each_device
def test_unknown_objects(device, place, value, message):
    rig = Rig(CASES[0], device)
    arrays = CASES[0].arrays()
    arrays[3][..., 0] = 0
    arrays[3][(0, 0, *place)] = value
    with pytest.raises(DataError, match=message):
        rig.forward(arrays)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("share_location: false", "mining needs share_location: true"),
        ("do_neg_mining: true mining_type: NONE", "do_neg_mining: true contradicts mining_type NONE"),
        ("sample_size: 0", "sample_size must be above 0; got 0"),
        ("neg_pos_ratio: -1", "neg_pos_ratio must be at least 0; got -1"),
        ("background_label_id: 3", "class 3 is none of 3 classes"),
        ("background_label_id: 2 map_object_to_agnostic: true", "class 3 is none of 3 classes"),
        ("ignore_difficult_gt: true", "ignore_difficult_gt is not supported"),
        ("objectness_score: 0.5", "objectness_score is not supported"),
    ],
)
def test_refuses(cpu, fields, message):
    with pytest.raises(ConfigError, match=message):
        Rig(case(fields), cpu)


def test_refuses_no_classes(cpu):
    with pytest.raises(ConfigError, match="num_classes must be at least 1"):
        Rig(case(classes=0), cpu)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 48), (2, 36), (1, 2, 47), (1, 1, 3, 8)), r"bottom 2 must be \(1, 2, priors \* 4\)"),
        (((2, 47), (2, 36), (1, 2, 48), (1, 1, 3, 8)), r"bottom 0 must be \(2, 48\), 12 priors by 4"),
        (((2, 48), (2, 37), (1, 2, 48), (1, 1, 3, 8)), r"bottom 1 must be \(2, 36\), 12 priors by 3"),
        (((2, 48), (2, 36), (1, 2, 48), (1, 1, 3, 7)), r"bottom 3 must be \(1, 1, rows, 8\)"),
        (((2, 48), (3, 24), (1, 2, 48), (1, 1, 3, 8)), "same batch size"),
    ],
)
def test_refuses_shapes(cpu, shapes, message):
    with pytest.raises(ShapeError, match=message):
        Rig(Case(CASES[0].layer, shapes), cpu)
