"""Fields of messages that only forks of Caffe have: a layer reads some, and refuses the others."""

from __future__ import annotations

from collections.abc import Collection

from ..core.layer import Layer


def refuse_others(layer: Layer, name: str, read: Collection[str]) -> None:
    """ConfigError for a field of the layer's message `name` that is not among those `read`, and has a value
    that is not its default."""
    for field, value in getattr(layer.param, name).ListFields():
        layer.require(
            field.name in read or value == field.default_value,
            f"{name}.{field.name} is not supported in this layer",
            hint="remove it if the net is right without",
        )
