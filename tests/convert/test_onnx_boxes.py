"""Layers that find boxes or read regions, and others whose tops have as many rows as values say: what
onnxruntime computes from the file is what the layer computes, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minicaffe.convert.onnx import export
from minicaffe.convert.onnx.graph import NoEquivalent
from minicaffe.convert.onnx.proof import ProofError
from minicaffe.convert.onnx.rules import detection, proposals
from minicaffe.errors import ShapeError
from minicaffe.layers.user.module import forgetting
from minicaffe.net import Net
from minicaffe.proto.schema import NetParameter

from ..support import detectors
from .exporting import computed, layer, net, operators, single, written

SPOTS = "biases: [1, 2, 3, 1.5, 2.5, 2]"
DENSE = 'inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 1 } }'


def detect(priors: int, text: str, n: int = 2, classes: int = 3, sets: int = 1):
    """A case of DetectionOutput."""
    shapes = [(n, priors * sets * 4), (n, priors * classes), (1, 2, priors * 4)]
    return f"detection_output_param {{ num_classes: {classes} {text} }}", shapes, 1


def propose(text: str, tops: int, anchors: int = 4, n: int = 2, h: int = 4, w: int = 5):
    conf = f"feat_stride: 8 ratio: 0.5 ratio: 1 scale: 1 scale: 2 {text}"
    return f"proposal_param {{ {conf} }}", [(n, 2 * anchors, h, w), (n, 4 * anchors, h, w), (n, 4)], tops


def correlate(text: str):
    return f"correlation_param {{ {text} }}", [(2, 3, 9, 8)] * 2, 1


def find(least: float, maps: int, text: str = ""):
    conf = f"num_classes: 3 num_box: 3 {SPOTS} confidence_threshold: {least} {text}"
    return f"yolo_detection_output_param {{ {conf} }}", [(2, 24, 3, 4), (2, 24, 2, 2)][:maps], 1


# type -> (parameters, shapes of the bottoms, number of tops) of each case
CASES = {
    "Correlation": [
        correlate("kernel_size: 1 max_displacement: 2 pad: 2"),
        correlate("kernel_size: 3 max_displacement: 3 pad: 4 stride_1: 2 stride_2: 2"),
        correlate("kernel_size: 1 max_displacement: 4 pad: 3 stride_1: 2 stride_2: 3"),
        correlate("kernel_size: 3 max_displacement: 1 correlation_type: SUBTRACT"),
        correlate("kernel_size: 1"),
    ],
    "DetectionOutput": [
        detect(12, "code_type: CENTER_SIZE nms_param { top_k: 6 } keep_top_k: 7 confidence_threshold: 0.1"),
        detect(9, "share_location: false code_type: CORNER_SIZE background_label_id: 1", sets=3),
        detect(9, "variance_encoded_in_target: true background_label_id: -1"),
        detect(9, "nms_param { nms_threshold: 0.5 eta: 0.5 }"),  # which is too low for eta
    ],
    "Filter": [("", [(6, 3), (6,)], 1), ("", [(4, 3, 2), (4,), (4, 1, 1)], 2)],
    "FlowWarp": [
        (f"flow_warp_param {{ fill_value: {fill} }}", [(2, 3, 6, 7), (2, 2, 6, 7)], 1)
        for fill in ("ZERO", "NOT_A_NUMBER")
    ],
    "InnerDistance": [
        (f'inner_distance_param {{ num_output: 5 weight_filler {{ type: "gaussian" std: 1 }} {text} }}', s, 1)
        for text in ("", 'distance_type: "L1" bias_term: false', "normalize: true axis: -1")
        for s in ([(3, 4)], [(2, 3, 4)])
    ],
    "Proposal": [
        propose("min_size: 4 post_nms_topn: 12", 2),
        propose("min_size: 30 pre_nms_topn: 20 nms_thresh: 0.3", 1),
        propose("nms_thresh: 2", 1, n=1),  # nothing overlaps so much
    ],
    "PSROIPooling": [
        (f"psroi_pooling_param {{ spatial_scale: {scale} output_dim: {d} group_size: {g} }}", shapes, 1)
        for scale, d, g, shapes in (
            (0.25, 3, 3, [(2, 27, 9, 11), (20, 5)]),
            (1, 1, 1, [(1, 1, 4, 4), (5, 5, 1, 1)]),
            (0.0625, 2, 2, [(2, 8, 3, 7), (5, 5)]),
        )
    ],
    "YoloDetectionOutput": [find(0.2, 2), find(0, 1)],
    "Yolov3DetectionOutput": [
        (
            f"yolov3_detection_output_param {{ num_classes: 3 num_box: 3 {SPOTS} confidence_threshold: 0.2"
            " mask_group_num: 2 mask: [0, 1, 2, 0, 1, 2] anchors_scale: [2, 1] nms_threshold: 0.3 }",
            [(2, 24, 3, 4), (2, 24, 2, 2)],
            1,
        )
    ],
}
ALL = [(kind, case) for kind, cases in CASES.items() for case in cases]
FREE = [(kind, case) for kind, case in ALL if "ROI" not in kind and "normalize" not in case[0]]


def agree(param: NetParameter, model, **inputs: np.ndarray) -> list[np.ndarray]:
    """What the net gives, once onnxruntime has given the same rows in the same order, each by itself."""
    ours = Net(param, phase="TEST", seed=1).forward(**inputs)
    found = computed(model, **{one.name: np.float32(inputs[one.name]) for one in model.graph.input})
    for value, theirs in zip(model.graph.output, found):
        assert ours[value.name].shape == theirs.shape
        np.testing.assert_allclose(theirs, ours[value.name], rtol=1e-4, atol=1e-4)
    return list(ours.values())


@pytest.mark.parametrize(("kind", "case"), ALL, ids=str)
def test_every_option(kind, case):
    report, _ = written(single(kind, *case))
    assert len(report.outputs) == case[2]
    assert max(one.relative for one in report.outputs) < 1e-5


@pytest.mark.parametrize(("kind", "case"), FREE, ids=str)
def test_a_free_batch(kind, case):
    written(single(kind, *case), free_batch=kind != "Filter")


# -- DetectionOutput


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Priors that overlap, with their variances: (1, 2, count * 4)."""
    low = rng.integers(0, 4, (count, 2)) / 8
    corners = np.concatenate([low, low + rng.integers(1, 5, (count, 2)) / 8], axis=1)
    return np.stack([corners, rng.choice([0.1, 0.2], corners.shape)]).reshape(1, 2, -1)


def offsets(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(0, 1.5, shape)


def scores(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Many of them equal."""
    return rng.integers(0, 12, shape) / 12


options = st.fixed_dictionaries(
    {
        "code_type": st.sampled_from(["CORNER", "CENTER_SIZE", "CORNER_SIZE"]),
        "share_location": st.sampled_from(["true", "false"]),
        "variance_encoded_in_target": st.sampled_from(["true", "false"]),
        "background_label_id": st.sampled_from([0, 2, -1]),
    },
    optional={
        "confidence_threshold": st.sampled_from([0, 0.25, 0.6, 1]),
        "keep_top_k": st.sampled_from([0, 1, 5, 100]),
        "nms_param": st.sampled_from(["{ top_k: 3 }", "{ nms_threshold: 0 }", "{ nms_threshold: 0.6 }"]),
    },
)


@given(st.integers(1, 3), st.integers(1, 12), options, st.integers(0, 99))
@example(2, 6, {"confidence_threshold": 1}, 0)  # nothing is found
@example(1, 12, {"code_type": "CORNER", "variance_encoded_in_target": "true"}, 1)  # boxes inside out
def test_detection_output(n, priors, chosen, seed):
    text = " ".join(f"{name} {'' if name == 'nms_param' else ':'} {v}" for name, v in chosen.items())
    sets = 3 if chosen.get("share_location") == "false" else 1
    param = single("DetectionOutput", *detect(priors, text, n, sets=sets))
    rng = np.random.default_rng(seed)
    given = {
        "x0": offsets(rng, n, priors * sets * 4),
        "x1": scores(rng, n, priors * 3),
        "x2": boxes(rng, priors),
    }
    _, model = written(param, inputs=given)
    (rows,) = agree(param, model, **given)
    if chosen.get("confidence_threshold") == 1:
        np.testing.assert_array_equal(rows[0, 0, :, 0], np.arange(n))
        assert (rows[0, 0, :, 1:] == -1).all()


def test_some_of_a_batch_have_nothing():
    """An image without boxes has no row as long as another has one."""
    param = single("DetectionOutput", *detect(4, "confidence_threshold: 0.5"))
    _, model = written(param, free_batch=True)
    rng = np.random.default_rng(0)
    given = {"x0": offsets(rng, 3, 16), "x1": np.zeros((3, 12)), "x2": boxes(rng, 4)}
    given["x1"][1, 4] = 0.75
    (rows,) = agree(param, model, **given)
    np.testing.assert_allclose(rows[0, 0, :, :3], [[1, 1, 0.75]])


@pytest.mark.parametrize(
    ("kind", "case", "reason"),
    [
        (
            "DetectionOutput",
            detect(4, "nms_param { nms_threshold: 0.6 eta: 0.9 }"),
            r"nms_param.eta of 0.9 lowers nms_threshold from box to box.*hint: set eta: 1, or",
        ),
        ("DetectionOutput", detect(4, "", classes=1), "num_classes leaves no class beside the background"),
        (
            "YoloDetectionOutput",
            find(0.2, 1, "nms_threshold: 0"),
            "nms_threshold is 0: ONNX can say one above",
        ),
        ("YoloDetectionOutput", find(0.2, 1, "nms_threshold: 1"), "nms_threshold is 1: .* and below 1"),
    ],
)
def test_what_cannot_be_said_is_refused_by_field(kind, case, reason):
    with pytest.raises(NoEquivalent, match=reason):
        written(single(kind, *case))


# -- proposals

PROPOSING = """python_param { module: "rpn.proposal_layer" layer: "ProposalLayer"
  param_str: "'feat_stride': 8, 'scales': [1, 2], 'ratios': [0.5, 1], 'RPN_MIN_SIZE': %d, %s" }"""


@given(st.integers(1, 2), st.sampled_from([0, 8, 300]), st.sampled_from([0, 7]), st.sampled_from([0, 5]))
def test_the_layer_of_py_faster_rcnn(n, least, before, after):
    """Sizes of images differ; boxes below the least size are left out, unless all are."""
    limits = f"'RPN_PRE_NMS_TOP_N': {before}, 'RPN_POST_NMS_TOP_N': {after}"
    shapes = [(n, 8, 4, 5), (n, 16, 4, 5), (n, 3)]
    param = single("Python", PROPOSING % (least, limits), shapes, 2)
    rng = np.random.default_rng(least + before + after)
    given = {
        "x0": scores(rng, *shapes[0]),
        "x1": rng.normal(0, 0.7, shapes[1]),
        "x2": [[32, 40, 1], [24, 30, 1.5]][:n],
    }
    _, model = written(param, inputs=given)
    regions, sure = agree(param, model, **given)
    assert regions.shape == (len(sure), 5) and len(sure) <= n * (after or 80)


def test_proposals_of_images_of_several_sizes():
    param = single("Proposal", *propose("min_size: 6 post_nms_topn: 9", 2))
    _, model = written(param)
    rng = np.random.default_rng(1)
    given = {
        "x0": scores(rng, 2, 8, 4, 5),
        "x1": rng.normal(0, 0.7, (2, 16, 4, 5)),
        "x2": [[32, 40, 1, 1], [20, 36, 1, 2]],
    }
    regions, _ = agree(param, model, **given)
    assert regions[regions[:, 0] == 1][:, 4].max() <= 19


def test_a_layer_of_ones_own_stays_refused(tmp_path):
    """Even under the name of one that is built in."""
    (tmp_path / "rpn").mkdir()
    (tmp_path / "rpn" / "__init__.py").touch()
    (tmp_path / "rpn" / "proposal_layer.py").write_text(
        "import caffe\n\nclass ProposalLayer(caffe.Layer): pass"
    )
    path = tmp_path / "net.prototxt"
    path.write_text(detectors.PROPOSING)
    reason = r"'proposal' \(Python\): what it does stands in Python code"
    with forgetting(tmp_path), pytest.raises(NoEquivalent, match=reason):
        export(path, None, tmp_path / "net.onnx")


# -- YOLO


@pytest.mark.parametrize("kind", ["YoloDetectionOutput", "Yolov3DetectionOutput"])
@pytest.mark.parametrize("size", [0.3, 1.5])
def test_yolo(kind, size):
    """Boxes of the size of an image, which overlap, and small ones; then too few of them."""
    param = single(kind, *CASES[kind][0])
    _, model = written(param)
    rng = np.random.default_rng(4)
    given = {f"x{i}": rng.normal(0, size, shape) for i, shape in enumerate(CASES[kind][0][1])}
    (rows,) = agree(param, model, **given)
    assert rows.shape[2] > 2 and set(rows[0, 0, :, 0]) == {0, 1}
    for x in given.values():
        x.reshape(2, 3, 8, -1)[:, :, 4] = -9  # no objects
    (rows,) = agree(param, model, **given)
    np.testing.assert_array_equal(rows[0, 0, :, :2], [[0, -1], [1, -1]])


# -- regions, flow, and what is let through


def test_regions_that_end_at_halves_and_outside():
    """Rounding is C's, away from 0, and cells end where float32 has them end."""
    case = (
        "psroi_pooling_param { spatial_scale: 0.1 output_dim: 2 group_size: 3 }",
        [(2, 18, 8, 9), (40, 5)],
    )
    param = single("PSROIPooling", *case, 1)
    _, model = written(param)
    rng = np.random.default_rng(1)
    corners = rng.integers(-60, 240, (40, 4)) / 2
    given = {
        "x0": rng.standard_normal(case[1][0]),
        "x1": np.insert(corners, 0, rng.integers(0, 2, 40), axis=1),
    }
    (y,) = agree(param, model, **given)
    assert (y == 0).any()  # an empty cell


def test_a_flow_to_the_borders():
    param = single("FlowWarp", *CASES["FlowWarp"][0])
    _, model = written(param)
    rng = np.random.default_rng(2)
    flow = rng.integers(-14, 15, (2, 2, 6, 7)) / 2  # often onto a row, or just outside
    (y,) = agree(param, model, x0=rng.standard_normal((2, 3, 6, 7)), x1=flow)
    assert (y == 0).any()


@pytest.mark.parametrize("let", [[1, 0, 1, 1], [0, 0, 0, 0], [2, np.nan, -1, 3]])
def test_what_is_let_through_goes_on(let):
    """The layers behind have as many rows, and axes that are made of them."""
    text = layer("Filter", "", ["x", "s"], ["kept"], "sieve")
    text += layer("InnerProduct", DENSE, ["kept"], ["score"], "score")
    text += layer("Reshape", "reshape_param { shape { dim: -1 dim: 3 } }", ["kept"], ["flat"], "flat")
    param = net(text, x=(4, 2, 3), s=(4,))
    report, model = written(param, seed=1)
    assert [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim] == [0, 3]
    assert report.notes == ["layer 'sieve' (Filter): as many rows as it finds, in every run"]
    agree(param, model, x=np.arange(24.0).reshape(4, 2, 3), s=np.array(let))


def test_a_net_for_one_number_of_rows_alone_says_so():
    text = layer("Filter", "", ["x", "s"], ["kept"], "sieve")
    text += layer("Reshape", "reshape_param { shape { dim: 4 dim: 6 } }", ["kept"], ["y"], "shape")
    with pytest.raises(ShapeError, match=r"'shape' .*hint: the net fits a fixed number of what is found"):
        written(net(text, x=(4, 2, 3), s=(4,)))


# -- whole heads, and a proof that can fail


@pytest.mark.parametrize("text", [detectors.SSD, detectors.YOLO, detectors.PROPOSING, detectors.REGIONS])
def test_small_detectors(text, tmp_path):
    path, out = tmp_path / "net.prototxt", tmp_path / "net.onnx"
    path.write_text(text)
    report = export(path, None, out)
    assert out.stat().st_size and report.outputs


def test_scores_that_differ_in_their_last_bit_are_proven(tmp_path):
    """All are equal but for rounding, so that each engine has another order; what is compared are the scores,
    and then what both make of the same."""
    head = layer("InnerProduct", DENSE.replace("3 w", "60 w"), ["x"], ["s"], "ip")
    head += layer("Power", "power_param { scale: 1e-8 shift: 0.5 }", ["s"], ["p"], "flat")
    head += layer("DetectionOutput", detect(20, "nms_param { top_k: 9 }")[0], ["l", "p", "b"], ["y"], "found")
    report, _ = written(net(head, x=(2, 50), l=(2, 80), b=(1, 2, 80)))
    assert report.outputs[0].absolute < 1e-5


@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (detection, "apart", lambda real: lambda w, b, s, most, overlap, t: real(w, b, s, most, 0.99, t)),
        (detection, "decoded", lambda real: lambda w: w("Mul", real(w), 1.001)),
        (detection, "labels_of", lambda real: lambda w: real(w)[::-1]),
        (proposals, "cells_of", lambda real: lambda w: real(w) + np.float32([0, 0, 1, 0])),
    ],
)
def test_a_planted_fault_is_found(module, name, fault, monkeypatch):
    monkeypatch.setattr(module, name, fault(getattr(module, name)))
    kind = "Proposal" if module is proposals else "DetectionOutput"
    text = "nms_param { nms_threshold: 0.2 } code_type: CENTER_SIZE confidence_threshold: 0.3"
    case = propose("", 1) if module is proposals else detect(60, text)
    with pytest.raises(ProofError, match=r"(output|blob) 'y0'"):
        written(single(kind, *case))


def test_no_loops_are_needed():
    """All of a DetectionOutput is operators of its own, whatever the number of classes."""
    counts = []
    for classes in (2, 9):
        _, model = written(single("DetectionOutput", *detect(8, "", classes=classes)))
        counts.append(operators(model))
    assert counts[0] == counts[1] and not {"If", "Loop", "Scan"} & set(counts[0])
