"""Layers that stand for several in a program."""

from __future__ import annotations

from ..core.layer import Layer


class Joined(Layer):
    """The base of what passes put in the place of layers: it does their work in fewer passes over memory.

    No prototxt names such a type.  Parameters and buffers are those of the layers it stands for, which stay
    what they are for everybody else."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__(layers[0].param, layers[0].device, layers[0].phase)
        self.type = layers[0].type
        self.name = " + ".join(layer.name for layer in layers)
        self.members = layers
        self.params = [blob for layer in layers for blob in layer.params]
        self.param_gradient = [wanted for layer in layers for wanted in layer.param_gradient]

    @property
    def buffers(self):
        return [buffer for layer in self.members for buffer in layer.buffers]

    @buffers.setter
    def buffers(self, value):
        """The members have their own."""
