"""What a net calls before and after every layer."""

from __future__ import annotations

from collections.abc import Callable

from .modes import SharedDevice

Hook = Callable[[int], object]


class Hooks:
    """The functions given to Net.before_forward, after_forward, before_backward and after_backward.

    Each gets the layer's index, may read every blob, and may write to what runs later.
    """

    def __init__(self, shared: SharedDevice) -> None:
        self.shared = shared
        self.functions: dict[str, list[Hook]] = {}

    def add(self, event: str, function: Hook) -> None:
        self.functions.setdefault(event, []).append(function)

    def before_forward(self, layer: int) -> None:
        self._call("before_forward", layer)

    def after_forward(self, layer: int) -> None:
        self._call("after_forward", layer)

    def before_backward(self, layer: int) -> None:
        self._call("before_backward", layer)

    def after_backward(self, layer: int) -> None:
        self._call("after_backward", layer)

    def _call(self, event: str, layer: int) -> None:
        for function in self.functions.get(event, ()):
            with self.shared.looking():
                function(layer)
