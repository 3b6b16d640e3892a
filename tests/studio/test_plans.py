"""From what a form asks for to nets and solvers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, MiniCaffeError, SchemaError
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.solvers.policy import POLICIES
from minicaffe.studio import estimate
from minicaffe.studio.plans import MOST_RUNS, numbers, plans, templates

from ..support.running import PROTOTXT

DIGITS = {"template": "digits/all_in_one", "dataset": "digits"}


def one(**words):
    (plan,) = plans({**DIGITS, **words}, "digits")
    return plan


def test_the_words_of_digits_form_become_a_solver():
    plan = one(
        train_epochs=10, batch_size="32", learning_rate="0.02", solver_type="ADAGRAD", random_seed=3,
        lr_policy="step", lr_step_size=25, lr_step_gamma="0.5", val_interval=2, snapshot_interval=5,
    )  # fmt: skip
    solver = plan.solver
    epoch = 1437 / 32
    assert (solver.max_iter, plan.batch, plan.samples) == (450, 32, 1437)
    assert solver.test_interval == 90 and solver.snapshot == 225
    assert (solver.stepsize, solver.gamma) == (round(450 * 0.25), 0.5)
    assert (solver.type, solver.random_seed) == ("AdaGrad", 3)
    assert solver.base_lr == pytest.approx(0.02) and abs(solver.max_iter - 10 * epoch) < 1
    layers = {layer.name: layer.data_param for layer in plan.net.layer if layer.type == "Data"}
    assert layers["train-data"].source == "digits/train" and layers["train-data"].batch_size == 32
    val = layers["val-data"]
    assert val.source == "digits/test" and solver.test_iter[0] * val.batch_size == 360


def test_lists_are_a_sweep():
    made = plans({**DIGITS, "learning_rate": "0.1, 0.01", "batch_size": [32, 64]}, "digits")
    assert [plan.name("a") for plan in made] == [
        "a_lr0.1_batch32", "a_lr0.1_batch64", "a_lr0.01_batch32", "a_lr0.01_batch64",
    ]  # fmt: skip
    assert len({plan.solver.max_iter for plan in made}) == 2
    assert plans({**DIGITS, "learning_rate": "0.1,0.10"}, "digits")[0].name("a") == "a"
    with pytest.raises(ConfigError, match=f"more than {MOST_RUNS}"):
        plans({**DIGITS, "learning_rate": [i / 100 for i in range(1, 40)]}, "digits")


def test_what_the_solvers_text_says_counts():
    written = 'base_lr: 0.05 lr_policy: "fixed" max_iter: 77 test_interval: 11 snapshot: 0 display: 4'
    solver = one(solver=written).solver
    assert (solver.max_iter, solver.test_interval, solver.snapshot, solver.display) == (77, 11, 0, 4)
    assert solver.base_lr == pytest.approx(0.05) and solver.lr_policy == "fixed"
    assert one(solver=written, train_epochs="2").solver.max_iter == 45


def test_nets_of_two_phases_are_fed_too():
    net = (PROTOTXT / "digits" / "train_test.prototxt").read_text()
    (plan,) = plans({"net": net, "batch_size": 16}, "digits")
    train, test = (layer.data_param for layer in plan.net.layer if layer.type == "Data")
    assert (train.source, train.batch_size, test.source) == ("digits/train", 16, "digits/test")
    (plan,) = plans({"net": net}, None)
    assert plan.batch == 64 and plan.solver.test_iter[0] * 90 == 360


def test_intervals_of_zero_are_never():
    solver = one(val_interval=0, snapshot_interval=0).solver
    assert not solver.test_iter and not solver.test_state and solver.snapshot == 0


@pytest.mark.parametrize(
    "words, said",
    [
        ({"learning_rate": "fast"}, "learning_rate must be numbers"),
        ({"learning_rate": "nan"}, "learning_rate must be numbers"),
        ({"batch_size": "0"}, "batch_size must be an integer above 0"),
        ({"batch_size": "1.5"}, "batch_size must be an integer above 0"),
        ({"train_epochs": "-1"}, "train_epochs must be 0 or more"),
        ({"train_epochs": "1,2"}, "train_epochs must be one number"),
        ({"random_seed": "1e99"}, "random_seed must be an integer"),
        ({"lr_policy": "stpe"}, "no learning-rate policy 'stpe'"),
        ({"solver_type": "Adm"}, "Adm"),
        ({"template": "nothing"}, "no net 'nothing'"),
        ({"template": "digits/../../etc/passwd"}, "no such net"),
        ({"net": 3}, "net must be a text"),
        ({"net": " "}, "no layers"),
        ({"solver": "base_lr: x"}, "solver.prototxt:1:10"),
        ({"solver": "bass_lr: 1"}, "bass_lr"),
    ],
)
def test_what_is_wrong_is_said(words, said):
    with pytest.raises(MiniCaffeError, match=said):
        plans({**DIGITS, **words}, "digits")


def test_errors_of_texts_name_their_line():
    with pytest.raises(SchemaError) as caught:
        plans({"net": 'name: "a"\nlayer {\n  nme: "b"\n}'}, None)
    assert caught.value.places[0].line == 3 and caught.value.places[0].file == "net.prototxt"


def test_a_data_set_needs_a_data_layer():
    net = 'layer { name: "in" type: "DummyData" top: "data" dummy_data_param { shape { dim: 1 dim: 2 } } }'
    with pytest.raises(ConfigError, match="no Data layer"):
        plans({"net": net}, "digits")
    with pytest.raises(ConfigError, match="nobody knows how many"):
        plans({"net": net}, None)
    (plan,) = plans({"net": net, "solver": 'base_lr: 1 lr_policy: "fixed" max_iter: 3'}, None)
    assert plan.samples == 0 and plan.solver.max_iter == 3


@given(policy=st.sampled_from(sorted(POLICIES)), epochs=st.floats(0.1, 50), batch=st.integers(1, 400))
def test_any_policy_and_length(policy, epochs, batch):
    written = f'base_lr: 0.01 lr_policy: "{policy}" gamma: 0.5 power: 1 stepvalue: 5 stepsize: 7'
    solver = one(solver=written, train_epochs=epochs, batch_size=batch).solver
    assert (solver.max_iter - 1) * batch < epochs * 1437 * (1 + 1e-6) <= solver.max_iter * batch * (1 + 1e-6)
    assert text.parse(text.spell(solver), SolverParameter) == solver


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_numbers_as_texts_and_lists(values):
    expected = list(dict.fromkeys(values))
    assert numbers({"a": values}, "a") == numbers({"a": ", ".join(map(repr, values))}, "a") == expected


def test_every_template_is_a_net():
    for name in templates():
        try:
            plans({"template": name, "solver": 'base_lr: 1 lr_policy: "fixed" max_iter: 3'}, None)
        except MiniCaffeError as error:  # its data is not here
            assert "net.prototxt" in str(error.places[:1])


def test_an_estimate_tells_memory_and_time():
    plan = one(train_epochs=1)
    found = estimate.estimate(text.spell(plan.net), text.spell(plan.solver))
    assert found["ok"] and found["parameters"] == 131080
    assert found["bytes"] > 3 * 4 * 131080 and 0 < found["step_s"] < 1
    broken = NetParameter()
    broken.CopyFrom(plan.net)
    broken.layer[3].bottom[0] = "nowhere"
    found = estimate.estimate(text.spell(broken), text.spell(plan.solver))
    assert not found["ok"] and found["step_s"] is None
    assert any("nowhere" in finding["what"] and "/" not in finding["where"] for finding in found["findings"])
