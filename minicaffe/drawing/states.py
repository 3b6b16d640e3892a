"""The states that a net's rules tell apart, and which layers take part in which."""

from __future__ import annotations

import itertools

from ..graph.filter import takes_part
from ..proto.schema import TEST, TRAIN, LayerParameter, Message, NetParameter, NetState, enum_name


def memberships(net: NetParameter) -> list[frozenset[int]]:
    """For every layer the states in which it takes part, of all that rules of the net can tell apart.

    The states are both phases with every set of stages and every level that a rule asks for, and with all
    stages at once unless a blob would then be made twice; a net without rules has one.
    """
    rules = [rule for layer in net.layer for rule in (*layer.include, *layer.exclude)]
    if not rules:
        return [frozenset({0})] * len(net.layer)
    named = sorted({tuple(sorted(rule.stage)) for rule in rules} | {()})
    together = tuple(sorted({stage for stages in named for stage in stages}))
    levels = sorted({0} | {level for rule in rules for level in (rule.min_level, rule.max_level)})
    states = [_state(*which) for which in itertools.product((TRAIN, TEST), levels, named)]
    if together not in named:
        whole = [_state(phase, level, together) for phase in (TRAIN, TEST) for level in levels]
        states += [state for state in whole if not _made_twice(net, state)]
    return [frozenset(i for i, state in enumerate(states) if takes_part(layer, state)) for layer in net.layer]


def _state(phase: int, level: int, stages: tuple[str, ...]) -> Message:
    return NetState(phase=phase, level=level, stage=stages)


def _made_twice(net: NetParameter, state: Message) -> bool:
    made: set[str] = set()
    for layer in net.layer:
        if takes_part(layer, state):
            tops = set(layer.top) - set(layer.bottom)
            if tops & made:
                return True
            made |= tops
    return False


def condition(layer: LayerParameter) -> str:
    """What the rules of a layer say, as "TRAIN only" or "not TEST"; "" if there are none."""
    if layer.include:
        return " or ".join(map(_spelled, layer.include)) + " only"
    return "not " + " or ".join(map(_spelled, layer.exclude)) if layer.exclude else ""


def _spelled(rule: Message) -> str:
    words = [enum_name(rule, "phase")] if rule.HasField("phase") else []
    words += [f"stage {stage}" for stage in rule.stage]
    words += [f"without stage {stage}" for stage in rule.not_stage]
    words += [f"level >= {rule.min_level}"] if rule.HasField("min_level") else []
    words += [f"level <= {rule.max_level}"] if rule.HasField("max_level") else []
    return ", ".join(words) or "always"
