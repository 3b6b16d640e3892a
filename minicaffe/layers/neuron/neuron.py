"""The base of elementwise layers: one bottom, one top of the same shape."""

from __future__ import annotations

from ...core.layer import Layer


class Neuron(Layer):
    """top[0] has the shape of bottom[0]; most may run in place."""

    in_place_ok = elementwise = True

    def reshape(self, bottom, top):
        if top[0] is not bottom[0]:
            top[0].reshape_like(bottom[0])
