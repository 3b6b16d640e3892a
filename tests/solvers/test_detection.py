"""Solvers that score a detector, and `minicaffe test` of one: mean average precision over all batches."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minicaffe.errors import ConfigError
from minicaffe.files import write_atomic
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.runs.metrics import Metrics
from minicaffe.solvers.solver import Solver

from ..support.devices import each_device
from ..support.running import run

# Boxes found in two images, and the objects there; the weight trains beside them.
NET = """
layer { name: "found" type: "HDF5Data" top: "found" top: "objects"
  hdf5_data_param { source: "list.txt" batch_size: 1 } }
layer { name: "w" type: "Parameter" top: "w" parameter_param { shape { dim: 1 } } }
layer { name: "loss" type: "Reduction" bottom: "w" top: "loss" loss_weight: 1
  reduction_param { operation: SUMSQ axis: 0 } }
layer { name: "rows" type: "Reshape" bottom: "found" top: "rows" include { phase: TEST }
  reshape_param { shape { dim: 1 dim: 1 dim: -1 dim: 7 } } }
layer { name: "true" type: "Reshape" bottom: "objects" top: "true" include { phase: TEST }
  reshape_param { shape { dim: 1 dim: 1 dim: -1 dim: 8 } } }
layer { name: "silent" type: "Silence" bottom: "found" bottom: "objects" include { phase: TRAIN } }
layer { name: "eval" type: "DetectionEvaluate" bottom: "rows" bottom: "true" top: "detection_eval"
  include { phase: TEST } detection_evaluate_param { num_classes: 3 } }
"""
SOLVER = """net: "net.prototxt" test_iter: 2 test_interval: 1 base_lr: 0.1 lr_policy: "fixed" max_iter: 1
random_seed: 1 """
BOX, ELSEWHERE = (0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9)
# Class 1: right, wrong, right of two objects; class 2: right of one.
FOUND = [
    [(0, 1, 0.9, *BOX), (0, 1, 0.8, *ELSEWHERE), (0, 2, 0.5, *ELSEWHERE)],
    [(0, 1, 0.7, *BOX), (0, -1, -1, *BOX), (0, -1, -1, *BOX)],
]
OBJECTS = [
    [(0, 1, 0, *BOX, 0), (0, 2, 0, *ELSEWHERE, 0)],
    [(0, 1, 0, *BOX, 0), (-1, *[-1] * 7)],
]
PRECISIONS = {"Integral": (5 / 6, 1), "11point": ((6 + 10 / 3) / 11, 1)}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    import h5py

    monkeypatch.chdir(tmp_path)
    with h5py.File("boxes.h5", "w") as file:
        file["found"], file["objects"] = np.array(FOUND, np.float32), np.array(OBJECTS, np.float32)
    (tmp_path / "list.txt").write_text("boxes.h5\n")
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


def solver(more: str = "", **options) -> Solver:
    return Solver.create(text.parse(SOLVER + more, SolverParameter), **options)


@each_device
@pytest.mark.parametrize("version", PRECISIONS)
def test_a_solver_scores_a_detector(device, version, caplog):
    options = f'eval_type: "detection" ap_version: "{version}" show_per_class_result: true'
    with caplog.at_level("INFO", "minicaffe"):
        (values,) = solver(options, device=device).test(0)["detection_eval"]
    first, second = PRECISIONS[version]
    assert values == pytest.approx((first + second) / 2)
    assert f"class1: {first:.6g}" in caplog.text and "class2: 1\n" in caplog.text
    assert f"Test net output #0: detection_eval = {values:.6g}" in caplog.text
    assert "Test net output #1: loss" in caplog.text


def test_it_is_a_metric_and_can_be_watched(folder):
    """Also where no eval_type is given."""
    made = solver(
        'snapshot_prefix: "s" keep_best { output: "detection_eval" }', callbacks=[Metrics("metrics.jsonl")]
    )
    made.solve()
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    tests = [row["outputs"]["detection_eval"] for row in rows if row["phase"] == "test"]
    assert tests == [pytest.approx(11 / 12)] * 2
    assert (folder / "s_best.caffemodel").exists()


def test_minicaffe_test_prints_it(capsys):
    net = Net("net.prototxt", phase="TRAIN", seed=1)
    write_atomic("w.caffemodel", net.to_message().SerializeToString())
    for version, (first, second) in PRECISIONS.items():
        flags = ["--iterations", 2, "--ap_version", version]
        result = run(capsys, "test", "net.prototxt", "w.caffemodel", *flags)
        assert result.status == 0
        for line in (f"class1: {first:.6g}", f"detection_eval = {(first + second) / 2:.6g}", "loss = "):
            assert f"] {line}" in result.err


@pytest.mark.parametrize(
    "more, message",
    [
        ('eval_type: "segmentation"', "eval_type must be classification or detection; got 'segmentation'"),
        ('ap_version: "12point"', "ap_version must be Integral, MaxIntegral or 11point; got '12point'"),
    ],
)
def test_refuses(more, message):
    with pytest.raises(ConfigError, match=message):
        solver(more)


def test_refuses_a_net_that_finds_nothing(folder):
    lines = NET.split('layer { name: "eval"')[0]
    (folder / "net.prototxt").write_text(lines)
    with pytest.raises(ConfigError, match="test net #0 has no output of a layer DetectionEvaluate"):
        solver('eval_type: "detection"')
