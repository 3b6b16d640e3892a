"""debug_info: Caffe's lines, Caffe's numbers."""

from __future__ import annotations

import logging

import numpy as np

from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from .support.solving import tiny_solver

NET = """
debug_info: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" param { name: "w" } param { lr_mult: 0 }
  inner_product_param { num_output: 1 weight_filler { value: -2 } bias_filler { value: 1 } } }
layer { name: "sum" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }
"""


def lines(caplog) -> list[str]:
    return [r.getMessage() for r in caplog.records if "ward]" in r.getMessage()]


def test_the_lines_of_a_pass(caplog):
    net = Net(text.parse(NET, NetParameter), phase="TRAIN", seed=1)
    with caplog.at_level(logging.INFO, "minicaffe"):
        net.forward(x=[[1, 2], [3, -4]])
        net.clear_param_diffs()
        net.backward()
    assert lines(caplog) == [
        "    [Forward] Layer in, top blob x data: 2.5",
        "    [Forward] Layer ip, top blob y data: 4",
        "    [Forward] Layer ip, param blob w data: 2",
        "    [Forward] Layer ip, param blob 1 data: 1",
        "    [Forward] Layer sum, top blob loss data: 2",
        "    [Backward] Layer sum, bottom blob y diff: 1",
        "    [Backward] Layer ip, param blob 0 diff: 3",
        f"    [Backward] All net params (data, diff): L1 norm = (5, 6); L2 norm = (3, {np.sqrt(20):g})",
    ]
    assert caplog.records[-1].levelno == logging.ERROR


def test_off_by_default(caplog):
    net = Net(text.parse(NET.replace("debug_info: true", ""), NetParameter), phase="TRAIN", seed=1)
    with caplog.at_level(logging.INFO, "minicaffe"):
        net.forward()
        net.backward()
    assert not lines(caplog)


def test_a_solver_logs_them_when_it_displays(caplog):
    solver = tiny_solver("debug_info: true display: 2")
    with caplog.at_level(logging.INFO, "minicaffe"):
        solver.step(3)
    assert sum("All net params" in line for line in lines(caplog)) == 2  # iterations 0 and 2
