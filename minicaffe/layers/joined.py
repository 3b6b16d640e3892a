"""Layers that stand for several in a program."""

from __future__ import annotations

from ..core.layer import Layer


class Joined(Layer):
    """The base of what passes put in the place of layers: it does their work in fewer passes over memory.

    No prototxt names such a type.  Parameters are those of the layers it stands for, buffers those of the
    first of them.  They stay what they are for everybody else.
    """

    def __init__(self, *layers: Layer) -> None:
        super().__init__(layers[0].param, layers[0].device, layers[0].phase)
        self.type = layers[0].type
        self.name = " + ".join(layer.name for layer in layers)
        self.members = layers
        self.params = [blob for layer in layers for blob in layer.params]
        self.param_gradient = [wanted for layer in layers for wanted in layer.param_gradient]

    @property
    def buffers(self):
        return self.members[0].buffers

    @buffers.setter
    def buffers(self, value):
        """The first of the layers has them."""
