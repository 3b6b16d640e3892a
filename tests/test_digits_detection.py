"""The detector of prototxt/digits_detection: it learns, is scored, and what it learned finds digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe import Net, Solver
from minicaffe.data.making.detection import Options, make_digits
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter
from minicaffe.proto.upgrade import read_solver

NETS = Path(__file__).parent.parent / "prototxt" / "digits_detection"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def solver(tmp_path, monkeypatch, request) -> Solver:
    """On a few images, which are also those that it is tested on."""
    count = getattr(request, "param", 2)
    monkeypatch.chdir(tmp_path)
    make_digits("digits-detection", Options(train=count, test=0))
    net = text.parse((NETS / "train_test.prototxt").read_text(), NetParameter)
    for layer in net.layer:
        if layer.type == "AnnotatedData":
            layer.data_param.source, layer.data_param.batch_size = "digits-detection/train", count
            layer.transform_param.ClearField("distort_param")
            del layer.annotated_data_param.batch_sampler[:]
    param = read_solver(NETS / "solver.prototxt")
    param.ClearField("net")
    param.net_param.CopyFrom(net)
    param.test_iter[:], param.lr_policy, param.display = [1], "fixed", 0
    param.ClearField("warm_up")
    return Solver.create(param)


def test_what_it_learned_is_found_again(solver):
    """The files fit each other; of boxes that are no better than chance a few are right."""
    solver.step(2)
    (value,) = solver.test()["detection_eval"]
    assert 0 <= value < 0.3 and solver.losses[-1] < 30
    solver.snapshot()
    net = Net(NETS / "deploy.prototxt", phase="TEST")
    net.load("digits_detection_iter_2.caffemodel", must_match=True)
    found = net.forward(data=np.array(solver.test_nets[0].blobs["data"].data[:1]))["detection_out"]
    assert found.shape[3] == 7


@pytest.mark.slow
@pytest.mark.parametrize("solver", [8], indirect=True)
def test_it_learns(solver):
    solver.step(100)
    assert solver.test()["detection_eval"][0] > 0.5


def test_deploy_is_the_trained_net():
    """Layer by layer, but for data, loss and evaluation, the filler of weights, and the least score."""
    trained = Net(NETS / "deploy.prototxt", phase="TEST", allocate=False)
    layers = text.parse((NETS / "train_test.prototxt").read_text(), NetParameter).layer
    wanted = [
        (layer.name, layer.type) for layer in layers if layer.type not in ("AnnotatedData", "MultiBoxLoss")
    ]
    built = [(layer.name, layer.param.type) for layer in trained.layers if layer.param.type != "Split"]
    assert built[0] == ("data", "Input") and built[1:] == wanted[:-1] and wanted[-1][0] == "detection_eval"
