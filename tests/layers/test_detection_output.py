"""DetectionOutput."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, ShapeError

from ..support.boxes import PRIORS, decoded, overlap, random_priors
from ..support.devices import each_device, make_device
from ..support.laws import Case, Rig, check_forward, uniform


def offsets(shape, rng) -> np.ndarray:
    return rng.uniform(-0.5, 0.5, shape)


def detect(fields: str, classes: int = 3, images: int = 2, sets: int = 1, scores=uniform) -> Case:
    shapes = (images, PRIORS * sets * 4), (images, PRIORS * classes), (1, 2, PRIORS * 4)
    layer = f'type: "DetectionOutput" detection_output_param {{ num_classes: {classes} {fields} }}'
    makers = (offsets, scores, random_priors)
    return Case(layer, shapes, makers, phase="TEST", gradient=False, growing=(0, 0, 9))


CASES = [
    detect("code_type: CENTER_SIZE confidence_threshold: 0.3 nms_param { nms_threshold: 0.45 top_k: 6 }"),
    detect("code_type: CORNER keep_top_k: 4 background_label_id: 1"),
    detect("code_type: CORNER_SIZE share_location: false nms_param { nms_threshold: 0.7 eta: 0.8 }", sets=3),
    detect("confidence_threshold: 2"),
]


def reference(loc, conf, prior, *, classes, sets=1, code="CORNER", background=0, threshold=-1e38, top_k=None,
              nms=0.3, eta=1.0, keep=-1, encoded=False):  # fmt: skip
    n = len(loc)
    loc, conf = loc.reshape(n, PRIORS, sets, 4), conf.reshape(n, PRIORS, classes)
    boxes, variances = prior.reshape(2, PRIORS, 4)
    rows = []
    for image in range(n):
        found = []
        for c in range(classes):
            if c == background:
                continue
            order = [
                p for p in np.argsort(-conf[image, :, c], kind="stable") if conf[image, p, c] > threshold
            ]
            kept, limit = [], nms
            for p in order[:top_k]:
                v = np.ones(4) if encoded else variances[p]
                box = decoded(loc[image, p, c if sets > 1 else 0], boxes[p], v, code)
                if all(overlap(box, other) <= limit for _, other in kept):
                    kept.append((conf[image, p, c], box))
                    if eta < 1 and limit > 0.5:
                        limit *= eta
            found += [(image, c, score, *box) for score, box in kept]
        if 0 <= keep < len(found):
            best = sorted(range(len(found)), key=lambda i: -found[i][2])[:keep]
            found = [found[i] for i in sorted(best)]
        rows += found
    return np.array(rows or [(i, *[-1] * 6) for i in range(n)], float)[None, None]


@each_device
def test_formula(device):
    nms, seven, eta = (float(np.float32(v)) for v in (0.45, 0.7, 0.8))
    wanted = [
        {"code": "CENTER_SIZE", "threshold": float(np.float32(0.3)), "nms": nms, "top_k": 6},
        {"keep": 4, "background": 1},
        {"code": "CORNER_SIZE", "sets": 3, "nms": seven, "eta": eta},
        {"threshold": 2},
    ]
    for case, options in zip(CASES, wanted, strict=True):
        check_forward(case, device, lambda l, s, p, o=options: reference(l, s, p, classes=3, **o))


@given(
    classes=st.integers(1, 4), images=st.integers(1, 3), keep=st.integers(-1, 9), top_k=st.integers(1, 14),
    code=st.sampled_from(["CORNER", "CENTER_SIZE", "CORNER_SIZE"]), encoded=st.booleans(),
    background=st.integers(-1, 3), ties=st.booleans(),
)  # fmt: skip
def test_every_option(classes, images, keep, top_k, code, encoded, background, ties):
    fields = f"""code_type: {code} keep_top_k: {keep} background_label_id: {background} nms_param {{
        top_k: {top_k} }} variance_encoded_in_target: {encoded} confidence_threshold: 0.25""".lower()
    case = detect(
        fields.replace(code.lower(), code), classes, images,
        scores=lambda shape, rng: rng.integers(0, 5, shape) / 4 if ties else uniform(shape, rng),
    )  # fmt: skip
    options = {"classes": classes, "keep": keep, "top_k": top_k, "code": code, "encoded": encoded}
    for name in ("cpu", "cuda-emulated"):
        check_forward(
            case, make_device(name),
            lambda *x: reference(*x, background=background, threshold=0.25, **options),
        )  # fmt: skip


def test_rows_change_from_pass_to_pass(cpu):
    """A net that is told to find ever less, and more again."""
    rig = Rig(CASES[0], cpu)
    loc, scores, prior = rig.case.arrays()
    sizes = [rig.forward([loc, scores * factor, prior])[0].shape[2] for factor in (1, 0.5, 0.2, 0.6, 1)]
    assert sizes[0] == sizes[-1] > sizes[1] > sizes[2] == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("nms_param { eta: 0 }", "eta above 0 and at most 1; got 0.3 and 0"),
        ("visualize: true", "visualize is not supported"),
        ("tflite_detection: true", "tflite_detection is not supported"),
        ('save_output_param { label_map_file: "a" name_size_file: "b" }', "results are not written to files"),
    ],
)
def test_refuses(cpu, fields, message):
    with pytest.raises(ConfigError, match=message):
        Rig(detect(fields), cpu)


def test_refuses_no_classes(cpu):
    with pytest.raises(ConfigError, match="num_classes must be at least 1"):
        Rig(detect("", classes=0), cpu)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 48), (2, 36), (1, 2, 47)), r"bottom 2 must be \(1, 2, priors \* 4\).*got \(1, 2, 47\)"),
        (((2, 47), (2, 36), (1, 2, 48)), r"bottom 0 must be \(2, 48\), 12 priors by 4; got \(2, 47\)"),
        (((2, 48), (3, 24), (1, 2, 48)), r"bottom 1 must be \(2, 36\), 12 priors by 3; got \(3, 24\)"),
    ],
)
def test_refuses_shapes(cpu, shapes, message):
    with pytest.raises(ShapeError, match=message):
        Rig(Case(CASES[1].layer, shapes, gradient=False), cpu)
