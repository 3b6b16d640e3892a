"""What Python layers that are built in take from param_str, each setting with its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.layer import Layer
from ...errors import suggest
from .param_str import read


class Settings:
    """Settings as attributes: of `defaults`, with what the layer's param_str says in their place.

    A default of None is a whole number that must be given.  ConfigError for a setting that is unknown, is
    missing, or is not of its default's kind: a number, whole if the default is an int, a text, or a list.
    """

    def __init__(self, layer: Layer, defaults: Mapping[str, Any]) -> None:
        given = read(layer.param.python_param.param_str)
        for name, value in given.items():
            layer.require(
                name in defaults,
                f"python_param.param_str has {name!r}, which this layer does not know",
                hint=suggest(name, list(defaults)),
            )
            layer.require(
                _fits(value, defaults[name]),
                f"python_param.param_str: {name!r} must be {_kind(defaults[name])}; got {value!r}",
            )
        missing = [name for name, value in defaults.items() if value is None and name not in given]
        layer.require(not missing, f"python_param.param_str must have {', '.join(map(repr, missing))}")
        self.values = {**defaults, **given}

    def __getattr__(self, name: str) -> Any:
        return self.values[name]


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, bool | str):
        return isinstance(value, type(default))
    if isinstance(default, list):
        numbers = default and not isinstance(default[0], str)
        return isinstance(value, list) and all(
            _fits(item, 0.0) if numbers else isinstance(item, str | int) for item in value
        )
    whole = default is None or isinstance(default, int)
    return isinstance(value, int if whole else int | float) and not isinstance(value, bool)


def _kind(default: Any) -> str:
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, list):
        return "a list"
    if isinstance(default, str):
        return "a text"
    return "a number" if isinstance(default, float) else "a whole number"
