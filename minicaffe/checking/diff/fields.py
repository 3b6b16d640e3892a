"""Two nets or solvers in the current schema, field by field.

Layers are matched by name, of equal names the first with the first.  A field that is set to the default that
the schema declares equals one that is not set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, NamedTuple

from ...proto.schema import LayerParameter, Message, NetParameter

UNSET = "not set"
LONGEST = 60  # characters of a value in a message


class Difference(NamedTuple):
    """A field of a layer ("" for the net's or solver's own), and what it says on either side."""

    layer: str
    field: str
    first: str
    second: str


def differences(first: Message, second: Message) -> list[Difference]:
    """What differs between two messages of one kind, in the order of the schema, then of the layers."""
    if not (isinstance(first, NetParameter) and isinstance(second, NetParameter)):
        return [Difference("", *found) for found in _fields(first, second)]
    found = [Difference("", *each) for each in _fields(_without_layers(first), _without_layers(second))]
    ours, theirs = _by_name(first), _by_name(second)
    for key, layer in ours.items():
        other = theirs.get(key)
        if other is None:
            found.append(Difference(layer.name, "layer", layer.type, UNSET))
        else:
            found += (Difference(layer.name, *each) for each in _fields(layer, other))
    found += (
        Difference(layer.name, "layer", UNSET, layer.type) for key, layer in theirs.items() if key not in ours
    )
    return found + _moved([key for key in ours if key in theirs], [key for key in theirs if key in ours])


Key = tuple[str, int]  # name, and how many of this name came before


def _by_name(net: NetParameter) -> dict[Key, LayerParameter]:
    seen: Counter[str] = Counter()
    found = {}
    for layer in net.layer:
        found[layer.name, seen[layer.name]] = layer
        seen[layer.name] += 1
    return found


def _without_layers(net: NetParameter) -> NetParameter:
    rest = NetParameter()
    rest.CopyFrom(net)
    rest.ClearField("layer")
    return rest


def _moved(ours: list[Key], theirs: list[Key]) -> list[Difference]:
    """The first layer that comes earlier on one side."""
    for (mine, _), (other, _) in zip(ours, theirs):
        if mine != other:
            return [Difference("", "order of layers", mine, other)]
    return []


def _fields(first: Message, second: Message, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Path and both values of each field that differs."""
    ours, theirs = ({field.name: (field, value) for field, value in m.ListFields()} for m in (first, second))
    known = {name: entry[0] for name, entry in {**ours, **theirs}.items()}
    for name, field in sorted(known.items(), key=lambda item: item[1].number):
        place = f"{path}{name}"
        if field.is_repeated:
            pairs = zip_longest(getattr(first, name), getattr(second, name))
            for i, (mine, other) in enumerate(pairs):
                yield from _values(field, mine, other, f"{place}[{i}]")
        elif field.message_type:
            yield from _fields(getattr(first, name), getattr(second, name), f"{place}.")
        else:
            default = field.default_value if field.has_default_value else None
            mine, other = (side[name][1] if name in side else default for side in (ours, theirs))
            yield from _values(field, mine, other, place)


def _values(field: Any, first: Any, second: Any, place: str) -> Iterator[tuple[str, str, str]]:
    if field.message_type and first is not None and second is not None:
        yield from _fields(first, second, f"{place}.")
    elif first != second:
        yield place, _spelled(field, first), _spelled(field, second)


def _spelled(field: Any, value: Any) -> str:
    if value is None:
        return UNSET
    if field.message_type:
        line = "{ " + " ".join(str(value).split()) + " }"
    elif isinstance(value, float):
        line = f"{value:g}"
    elif field.enum_type:
        line = field.enum_type.values_by_number[value].name
    else:
        line = str(value).lower() if isinstance(value, bool) else repr(value)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
