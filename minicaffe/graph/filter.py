"""NetState rules: which layers take part."""

from __future__ import annotations

from ..errors import ConfigError, Place, locate
from ..proto.schema import LayerParameter, Message, NetParameter


def filter_net(net: NetParameter) -> NetParameter:
    """A copy of the net with the layers that its own `state` selects.

    A layer with `include` rules stays if any of them holds, one with `exclude` rules goes if any holds; both
    in one layer is a ConfigError.
    """
    kept = NetParameter()
    kept.CopyFrom(net)
    del kept.layer[:]
    kept.layer.extend(layer for layer in net.layer if takes_part(layer, net.state))
    return kept


def takes_part(layer: LayerParameter, state: Message) -> bool:
    """Whether the layer's rules select it in a state."""
    if layer.include and layer.exclude:
        with locate(Place(layer=layer.name)):
            raise ConfigError(
                "both include and exclude rules are set", hint="state one as the other's opposite"
            )
    if layer.include:
        return any(holds(rule, state) for rule in layer.include)
    return not any(holds(rule, state) for rule in layer.exclude)


def holds(rule: Message, state: Message) -> bool:
    """Whether every condition that a NetStateRule states is met."""
    if rule.HasField("phase") and rule.phase != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    stages = set(state.stage)
    return stages.issuperset(rule.stage) and stages.isdisjoint(rule.not_stage)
