"""Every solver type: Caffe's numbers for one weight, and what each refuses."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import ConfigError, UnknownTypeError
from minicaffe.kernels import update
from minicaffe.solvers.update_rules import RULES

from ..support.solving import Solver, SolverParameter, text, tiny_solver

ONE_WEIGHT = """
net_param {
  layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param {
    shape { dim: 1 dim: 1 } data_filler { value: 1 } } }
  layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
    inner_product_param { num_output: 1 bias_term: false } }
  layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" }
}
base_lr: 0.1 lr_policy: "fixed"
"""


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        ('type: "SGD"', (0.1, 0.19, 0.271)),
        ('type: "SGD" momentum: 0.9', (0.1, 0.28, 0.514)),
        ('type: "Nesterov" momentum: 0.9', (0.19, 0.4249, 0.672679)),
        ('type: "AdaGrad"', (0.1, 0.16689646, 0.21954381)),
        ('type: "RMSProp" rms_decay: 0.98', (0.70710707, 0.90772003, 0.97130895)),
        ('type: "AdaDelta" momentum: 0.95 delta: 1e-6', (0.00044720908, 0.0009000166, 0.0013565432)),
        ('type: "Adam" momentum: 0.9 momentum2: 0.999', (0.09999996, 0.1995877, 0.29841363)),
        ('type: "Adam"', (0.09999996, 0.19460833, 0.28357962)),
        ("weight_decay: 0.1", (0.1, 0.189, 0.26821)),
        ('weight_decay: 0.1 regularization_type: "L1"', (0.1, 0.18, 0.252)),
        ("iter_size: 4", (0.1, 0.19, 0.271)),
        ("iter_size: 4 clip_gradients: 2", (0.05, 0.1, 0.15)),
    ],
)
def test_one_weight(settings, weights):
    solver = Solver.create(text.parse(ONE_WEIGHT + settings, SolverParameter))
    seen = []
    for _ in weights:
        solver.step(1)
        seen.append(solver.net.params["ip"][0].data.item())
    np.testing.assert_allclose(seen, weights, rtol=2e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('type: "AdaGrad" momentum: 0.9', "AdaGrad has no momentum; got momentum: 0.9"),
        ('type: "RMSProp" momentum: 0.9', "RMSProp has no momentum"),
        ('type: "RMSProp" momentum: 0 rms_decay: 1', "rms_decay must be from 0 to below 1; got 1"),
        ('type: "Adam" momentum: 1', "momentum must be from 0 to below 1; got 1"),
        ('type: "Adam" momentum2: 1.5', "momentum2 must be from 0 to below 1; got 1.5"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    with pytest.raises(ConfigError, match=message):
        tiny_solver(settings)


def test_an_unknown_type():
    with pytest.raises(UnknownTypeError, match=r"no solver type 'Adma'; hint: .*Adam"):
        tiny_solver('type: "Adma"')


@pytest.mark.parametrize("name", RULES)
def test_a_frozen_parameter_stays(name):
    solver = tiny_solver(f'type: "{name}" momentum: 0')
    solver.device_step.rates[...] = 0
    before = np.array(solver.net.parameters.data)
    solver.step(2)
    np.testing.assert_array_equal(solver.net.parameters.data, before)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_needs_no_solver(rule):
    """What an update takes off the parameters is history[0] where the rule says so, and only there."""
    device, rng = CpuDevice(np.float64), np.random.default_rng(1)
    w, dw = rng.normal(size=(2, 128))
    before, history = w.copy(), [np.zeros(128) for _ in range(rule.slots)]
    hyper = np.zeros(update.HYPER)
    hyper[: update.SETTINGS] = rule.hyper(SolverParameter(momentum=0.9, iter_size=2), 0.1, 0)
    rule.apply(device.bind(update), w, dw, history, np.ones(2), np.ones(2), hyper, False)
    taken = before - w
    assert (taken != 0).all()
    assert np.allclose(taken, history[0]) == rule.keeps_update
