"""Parameters that a solver's nets share: with each other, and with nets of others."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.errors import ConfigError
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers import resume
from minicaffe.solvers.solver import Solver

from ..support.solving import TINY_NET, params, tiny_solver

TEST = "test_iter: 1 test_interval: 50"


def test_the_parameters_of_another_net_are_trained():
    """The same updates as from a copy of them, in the other net's memory; tests run on them too."""
    found, other, wanted = tiny_solver(TEST), tiny_solver("random_seed: 5"), tiny_solver(TEST)
    wanted.device.copy(other.net.parameters.data, wanted.net.parameters.data)
    found.net.share_with(other.net)
    assert found.test() == wanted.test()
    for solver in (found, wanted):
        solver.step(2)
    for one, twin, third in zip(*(params(solver).values() for solver in (found, wanted, other)), strict=True):
        np.testing.assert_array_equal(one, twin)
        np.testing.assert_array_equal(one, third)
    found.net.share_with(found.test_nets[0])  # which has them from there: nothing to do
    assert found.net.parameters.data is other.net.parameters.data


def test_a_net_that_is_trained_shares_all_or_nothing():
    """Updates go to one block, and what lies elsewhere they would not reach."""
    lines = TINY_NET.replace('name: "ip"', 'name: "ip2"') + 'base_lr: 0.1 lr_policy: "fixed"'
    found, other = tiny_solver(), Solver.create(text.parse(lines, SolverParameter))
    before = params(found)
    with pytest.raises(ConfigError, match="with the very same ones alone; hint: let the other net share"):
        found.net.share_with(other.net)
    found.step(1)
    assert all((value != before[name]).any() for name, value in params(found).items())


NAMED = """
net_param {
  layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param {
    shape { dim: 4 dim: 3 } shape { dim: 4 dim: 3 } data_filler { type: "gaussian" } } }
  layer { name: "one" type: "InnerProduct" bottom: "x" top: "y" include { phase: TRAIN } param { name: "w" }
    inner_product_param { num_output: 3 bias_term: false weight_filler { type: "xavier" } } }
  layer { name: "two" type: "InnerProduct" bottom: "x" top: "y" include { phase: TEST } param { name: "w" }
    inner_product_param { num_output: 3 bias_term: false weight_filler { type: "xavier" } } }
  layer { name: "three" type: "InnerProduct" bottom: "y" top: "z" param { name: "w" }
    inner_product_param { num_output: 3 bias_term: false } }
  layer { name: "own" type: "InnerProduct" bottom: "z" top: "o" include { phase: TEST }
    inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
  layer { name: "aux" type: "InnerProduct" bottom: "z" top: "a" include { phase: TRAIN }
    inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
  layer { name: "loss" type: "EuclideanLoss" bottom: "z" bottom: "t" top: "loss" }
}
base_lr: 0.1 lr_policy: "fixed" random_seed: 1 test_iter: 1 test_interval: 9
"""


def test_layers_that_only_the_test_net_has():
    """Layer two shares by name with a layer that is trained; own has its parameters to itself."""
    solver = Solver.create(text.parse(NAMED, SolverParameter))
    solver.step(2)
    trained, test = solver.net.params["three"][0].data, solver.test_nets[0]
    assert all(test.params[name][0].data is trained for name in ("two", "three"))
    assert test.params["own"][0].data.any()
    assert [layer.name for layer in resume.own_weights(solver)["_test0"].layer] == ["own"]
