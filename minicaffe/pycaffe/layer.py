"""caffe.Layer: the base of layers written in Python, and what net.layers shows of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.layer import Layer as EngineLayer
from ..errors import ConfigError
from .view import BlobView, ParamViews


class Layer:
    """A layer of a user, run by the layer type Python.

    Subclasses define setup(bottom, top), reshape(bottom, top), forward(bottom, top) and
    backward(top, propagate_down, bottom).  bottom and top are sequences of blobs with data, diff (arrays to
    read and write), shape and reshape(*dims).  Before setup are set:

    param_str  the text of python_param.param_str; param_str_, its name in Faster R-CNN's Caffe, is the same
    phase      caffe.TRAIN or caffe.TEST
    blobs      the layer's parameters: blobs.add_blob(*dims) in setup makes one
    """

    type: str = "Python"
    param_str: str = ""
    param_str_: str = ""
    phase: int = 1
    blobs: Any = ()

    def __init__(self, param: Any = None) -> None:
        self.layer_param = param

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """Once: read param_str, check the numbers of blobs, make parameters."""

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """Before every forward: give the tops their shapes."""

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """Write every top's data."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]) -> None:
        """Write the diff of every bottom with propagate_down, add to those of the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no backward")


class BuiltIn(Layer):
    """A layer that is not written in Python: its type and its parameters, `blobs`."""

    def __init__(self, layer: EngineLayer, views: Sequence[BlobView]) -> None:
        super().__init__(layer.param)
        self.type = layer.type
        self.phase = layer.phase
        self.blobs = ParamViews(layer.device, _refuse_blob, views)

    def setup(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """ConfigError: the net has set it up."""
        raise ConfigError(f"a layer of type {self.type} is set up by its net, once")

    def reshape(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """ConfigError: its net does that."""
        raise ConfigError(f"a layer of type {self.type} is reshaped with its net", hint="net.reshape()")

    def forward(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """ConfigError: its net does that."""
        raise ConfigError(
            f"a layer of type {self.type} runs in its net", hint="net.forward(start=layer, end=layer)"
        )

    def backward(self, top: Sequence[Any], propagate_down: Sequence[bool], bottom: Sequence[Any]) -> None:
        """ConfigError: its net does that."""
        raise ConfigError(
            f"a layer of type {self.type} runs in its net", hint="net.backward(start=layer, end=layer)"
        )


def _refuse_blob(shape: tuple[int, ...], values: Any) -> Any:
    raise ConfigError("a net that is built takes no more parameters", hint="add_blob is for setup")
