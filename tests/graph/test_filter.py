"""NetState rules."""

import pytest

from minicaffe.errors import ConfigError
from minicaffe.graph.filter import filter_net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

# rule of a layer -> the states (phase, level, stages) it is kept in, of those below
STATES = [
    "phase: TRAIN",
    "phase: TEST",
    "level: 2",
    'stage: "a"',
    'stage: "a" stage: "b"',
    'level: 2 stage: "b"',
]
RULES = {
    "": {0, 1, 2, 3, 4, 5},
    "include { phase: TRAIN }": {0},
    "exclude { phase: TRAIN }": {1, 2, 3, 4, 5},  # TEST is the default phase
    "include { min_level: 1 }": {2, 5},
    "include { max_level: 1 }": {0, 1, 3, 4},
    "include { min_level: 1 max_level: 1 }": set(),
    'include { stage: "a" }': {3, 4},
    'include { stage: "a" stage: "b" }': {4},
    'include { not_stage: "b" }': {0, 1, 2, 3},
    'include { stage: "a" not_stage: "b" }': {3},
    'include { stage: "a" } include { min_level: 2 }': {2, 3, 4, 5},
    'exclude { stage: "a" } exclude { min_level: 2 }': {0, 1},
    'include { min_level: 2 stage: "b" }': {5},
    "include { }": {0, 1, 2, 3, 4, 5},
    "exclude { }": set(),
}


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule):
    kept = set()
    for i, state in enumerate(STATES):
        net = text.parse(f'state {{ {state} }} layer {{ name: "x" {rule} }}', NetParameter)
        kept |= {i} if filter_net(net).layer else set()
        assert len(net.layer) == 1  # the net given is untouched
    assert kept == RULES[rule]


def test_order_and_other_fields_stay():
    net = text.parse(
        'name: "n" force_backward: true layer { name: "a" } layer { name: "b" include { phase: TRAIN } } '
        'layer { name: "c" }',
        NetParameter,
    )
    kept = filter_net(net)
    assert [layer.name for layer in kept.layer] == ["a", "c"]
    assert kept.name == "n" and kept.force_backward


def test_include_and_exclude_together():
    net = text.parse('layer { name: "x" include { phase: TRAIN } exclude { phase: TEST } }', NetParameter)
    with pytest.raises(ConfigError, match="layer 'x': both include and exclude"):
        filter_net(net)
