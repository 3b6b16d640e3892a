"""The nets of prototxt/ with random weights, through onnxruntime; the differences are printed (pytest -s)."""

from __future__ import annotations

import pytest

from minicaffe.convert.onnx import export
from minicaffe.proto import upgrade
from minicaffe.proto.schema import FillerParameter
from tools.make_nets import PROTOTXT

from . import exporting  # noqa: F401 - skips without onnx

BATCH_ONE = {"data": (1, 3, 227, 227)}
LARGE = pytest.mark.slow
NETS = [
    ("googlenet/deploy", {"data": (1, 3, 224, 224)}, ["prob"]),
    pytest.param("caffenet/deploy", BATCH_ONE, ["prob"], marks=LARGE),
    pytest.param("alexnet/train_val", BATCH_ONE, ["loss/prob"], marks=LARGE),
    ("lenet/deploy", {"data": (1, 1, 28, 28)}, ["prob"]),
    ("lenet/train_test", {"data": (2, 1, 28, 28)}, ["loss/prob"]),
    ("cifar10_quick/deploy", {}, ["prob"]),
    ("cifar10_full/train_test", {"data": (1, 3, 32, 32)}, ["loss/prob"]),
    ("siamese/pair_data_train_test", {"pair_data": (2, 2, 28, 28)}, ["feat", "feat_p"]),
    ("autoencoder/train_test", {"data": (2, 1, 28, 28)}, ["decode1neuron", "loss/prob"]),
]


@pytest.mark.parametrize(("name", "shapes", "outputs"), NETS)
def test_a_model_keeps_its_outputs(name, shapes, outputs, tmp_path):
    param = upgrade.read_net(PROTOTXT / f"{name}.prototxt")
    for layer in param.layer:  # as in training's begin, so that no blob dies away
        for conf in (layer.convolution_param, layer.inner_product_param):
            if conf.num_output:
                conf.weight_filler.CopyFrom(FillerParameter(type="msra"))
    stages = ["test-on-test"] if "autoencoder" in name else []
    out = tmp_path / "net.onnx"
    report = export(param, None, out, shapes=shapes, stages=stages, free_batch=True)
    print("", f"{name}: {report.nodes} nodes", *report.lines(), sep="\n  ")
    assert [one.name for one in report.outputs] == outputs
    assert max(one.relative for one in report.outputs) < 1e-4
