"""Which layers run backward."""

import pytest

from minicaffe.errors import ConfigError
from minicaffe.graph.gradients import analyse

from .nets import graph, losses

DATA = "Input in: > x label"
PARAMS = {"Op"}  # in these graphs every Op has one parameter


def backward(*layers: str, frozen: str = "", force: bool = False) -> dict[str, tuple]:
    g = graph(*layers)
    mults = [
        [0.0 if n.param.name in frozen.split() else 1.0] if n.kind.__name__ in PARAMS else [] for n in g.nodes
    ]
    result = analyse(g.nodes, mults, losses(g), force)
    return {n.param.name: (b.runs, b.propagate, b.params) for n, b in zip(g.nodes, result)}


def test_a_plain_chain():
    """The first layer with parameters computes no gradient for the data; the label gets none."""
    got = backward(DATA, "Op a: x > a", "Rectify r: a > a", "Op b: a > b", "Loss l: b label > loss")
    assert got == {
        "in": (False, [], []),
        "a": (True, [False], [True]),
        "r": (True, [True], []),
        "b": (True, [True], [True]),
        "l": (True, [True, False], []),
    }


def test_nothing_learnable_nothing_runs():
    got = backward(DATA, "Rectify r: x > r", "Loss l: r label > loss")
    assert not any(runs for runs, _, _ in got.values())


def test_frozen_layers_pass_gradients_only_to_learnable_ones():
    got = backward(DATA, "Op a: x > a", "Op b: a > b", "Loss l: b label > loss", frozen="a")
    assert got["a"] == (False, [False], [False])
    assert got["b"] == (True, [False], [True])


def test_what_no_loss_sees_does_not_run():
    got = backward(DATA, "Op a: x > a", "Op b: a > b")
    assert not got["a"][0] and not got["b"][0]


def test_a_weighted_blob_is_a_loss():
    got = backward(DATA, "Op a: x > a [loss_weight: 2]", "Sink s: label >")
    assert got["a"][0] and not got["s"][0]


def test_propagate_down_false_cuts_the_path():
    got = backward(DATA, "Op a: x > a", "Op b: a > b [propagate_down: false]", "Loss l: b label > loss")
    assert got["b"] == (True, [False], [True])
    assert not got["a"][0]


def test_propagate_down_true_on_data_needs_a_layer_that_runs():
    layers = "Op a: x > a [propagate_down: true]", "Loss l: a label > loss"
    assert backward(DATA, *layers)["a"] == (True, [True], [True])
    assert not backward(DATA, "Rectify a: x > a [propagate_down: true]", layers[1])["a"][0]


def test_label_behind_parameters_is_refused():
    with pytest.raises(
        ConfigError, match=r"layer 'l' .*bottom 1 't' needs a gradient.*propagate_down: false"
    ):
        backward(DATA, "Op a: x > a", "Op t: label > t", "Loss l: a t > loss")
    cut = "Loss l: a t > loss [propagate_down: true propagate_down: false]"
    assert backward(DATA, "Op a: x > a", "Op t: label > t", cut)["t"][0] is False


def test_places_ask_for_no_gradient():
    """Though layers with parameters decide them; the values beside them do."""
    got = backward(DATA, "Op a: x > a", "Pick m: a > v p", "Op o: v p > o", "Loss l: o label > loss")
    assert got["m"] == (True, [True], []) and got["o"] == (True, [True, False], [True])
    got = backward(DATA, "Op a: x > a", "Pick m: a > v p", "Loss l: v p > loss")
    assert got["m"] == (True, [True], []) and got["l"] == (True, [True, False], [])


def test_force_backward_runs_everything_that_has_a_gradient():
    got = backward(DATA, "Rectify r: x > r", "Op a: r > a", "Loss l: a label > loss", frozen="a", force=True)
    assert got["r"] == (True, [True], [])
    assert got["a"] == (True, [True], [True])
    assert got["l"] == (True, [True, False], [])


def test_wrong_number_of_propagate_down():
    with pytest.raises(ConfigError, match="propagate_down has 1 entries for 2 bottoms"):
        backward(DATA, "Op a: x label > a [propagate_down: true]")
