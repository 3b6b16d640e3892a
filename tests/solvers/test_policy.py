"""Learning-rate policies."""

import math

import pytest

from minicaffe.errors import ConfigError, UnknownTypeError
from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers.policy import POLICIES, Policy

RATES = {
    'lr_policy: "fixed"': [0.1, 0.1, 0.1, 0.1],
    'lr_policy: "step" stepsize: 2 gamma: 0.5': [0.1, 0.1, 0.05, 0.05],
    'lr_policy: "exp" gamma: 0.5': [0.1, 0.05, 0.025, 0.0125],
    'lr_policy: "inv" gamma: 1 power: 2': [0.1, 0.1 / 4, 0.1 / 9, 0.1 / 16],
    'lr_policy: "multistep" gamma: 0.1 stepvalue: 1 stepvalue: 1 stepvalue: 3': [0.1, 0.01, 0.001, 0.0001],
    'lr_policy: "poly" power: 2 max_iter: 4': [0.1, 0.05625, 0.025, 0.00625],
    'lr_policy: "cosine" max_iter: 2': [0.1, 0.05, 0, 0],
    'lr_policy: "cosine" max_iter: 3 min_lr: 0.02': [0.1, 0.08, 0.04, 0.02],
    'lr_policy: "plateau" gamma: 0.1': [0.1] * 4,
    'lr_policy: "fixed" warm_up { iterations: 2 }': [0.05, 0.1, 0.1, 0.1],
    'lr_policy: "exp" gamma: 0.5 warm_up { iterations: 4 start: 0.2 }': [0.04, 0.03, 0.02, 0.0125],
    'lr_policy: "sigmoid" gamma: 2 stepsize: 1': [0.1 / (1 + math.exp(2 - 2 * i)) for i in range(4)],
}


def policy(source: str) -> Policy:
    return Policy(text.parse(f"base_lr: 0.1 {source}", SolverParameter))


def test_all_are_tested():
    assert {source.split('"')[1] for source in RATES} == set(POLICIES)


@pytest.mark.parametrize("source", RATES)
def test_rates(source):
    p, rates = policy(source), []
    for i in range(4):
        rates.append(p.rate(i))
        p.advance(i)
    assert rates == pytest.approx(RATES[source], rel=1e-6)


def test_multistep_passes_one_value_per_iteration_and_remembers(caplog):
    source = 'lr_policy: "multistep" gamma: 0.1 stepvalue: 5 stepvalue: 6'
    late = policy(source)
    with caplog.at_level("INFO", "minicaffe"):
        assert late.rate(100) == pytest.approx(0.01)
        late.advance(100)
    assert "MultiStep Status: Iteration 100, step = 1" in caplog.text
    assert late.rate(101) == pytest.approx(0.001)
    resumed = policy(source)
    resumed.current_step = 2
    assert resumed.rate(100) == pytest.approx(0.001)


def test_asking_changes_nothing():
    p = policy('lr_policy: "multistep" gamma: 0.1 stepvalue: 5 stepvalue: 6')
    assert p.rate(100) == p.rate(100) == pytest.approx(0.01) and p.current_step == 0


def test_rates_out_of_range_are_infinite():
    assert policy('lr_policy: "exp" gamma: 2').rate(2000) == math.inf
    assert policy('lr_policy: "poly" power: -1 max_iter: 3').rate(5) == math.inf


def test_plateau_does_not_fall_below_min_lr():
    p = policy('lr_policy: "plateau" gamma: 0.1 min_lr: 0.005')
    rates = []
    for p.current_step in range(3):
        rates.append(p.rate(0))
    assert rates == pytest.approx([0.1, 0.01, 0.005])


def test_a_rate_set_by_hand_scales_what_follows():
    p = policy('lr_policy: "exp" gamma: 0.5')
    p.set_rate(1, 0.4)
    assert [p.rate(i) for i in (1, 2)] == pytest.approx([0.4, 0.2])


def test_a_rate_of_zero_cannot_be_set():
    with pytest.raises(ConfigError, match="has come to rate 0, which stays 0"):
        policy('lr_policy: "poly" power: 1 max_iter: 4').set_rate(4, 0.1)


def test_poly_stays_at_zero_behind_the_end():
    assert policy('lr_policy: "poly" power: 2 max_iter: 4').rate(9) == 0


def test_sigmoid_does_not_overflow():
    assert policy('lr_policy: "sigmoid" gamma: 1e3 stepsize: 1000').rate(0) == pytest.approx(0)


@pytest.mark.parametrize(
    "source, error, message",
    [
        ("", UnknownTypeError, "lr_policy is not set; hint: known: cosine, exp, fixed"),
        ('lr_policy: "invv"', UnknownTypeError, "no learning-rate policy 'invv'; hint: did you mean 'inv'"),
        ('lr_policy: "step" gamma: 1', ConfigError, "'step' needs stepsize above 0"),
        ('lr_policy: "exp" gamma: -1', ConfigError, "'exp' needs gamma of at least 0"),
        ('lr_policy: "poly"', ConfigError, "'poly' needs max_iter above 0"),
        ('lr_policy: "cosine"', ConfigError, "'cosine' needs max_iter above 0"),
        ('lr_policy: "fixed" min_lr: -1', ConfigError, "min_lr must be at least 0; got -1"),
        ('lr_policy: "fixed" warm_up { }', ConfigError, "warm_up needs iterations above 0"),
        (
            'lr_policy: "fixed" warm_up { iterations: 3 start: -1 }',
            ConfigError,
            "warm_up.start must be at least 0; got -1",
        ),
    ],
)
def test_errors(source, error, message):
    with pytest.raises(error, match=message):
        policy(source)
