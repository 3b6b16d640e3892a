"""The calls of kernels that a layer makes, with what it calls them with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ..checking.gradcheck import fill_inputs
from ..checking.isolated import Alone
from ..device.base import Device
from ..kernels.convolution import Conv
from ..kernels.gemm import Gemm
from ..kernels.registry import KernelSpec, family
from ..proto.schema import TRAIN, LayerParameter

SEED = 1
PRODUCTS = ("conv_forward", "conv_backward_data", "conv_backward_weights")


@dataclass
class Call:
    """A call of a kernel.

    way     "forward" or "backward"
    values  its arguments; of arrays copies on the host, as they were before it.  An array that is given twice
            is there twice, as the same object
    multiply_adds  None where they are not known
    """

    family: ModuleType
    spec: KernelSpec
    way: str
    values: list[Any]
    multiply_adds: int | None = None

    def arguments(self, device: Device) -> list[Any]:
        """The arguments with new arrays of a device."""
        made: dict[int, Any] = {}
        for parameter, value in zip(self.spec.parameters, self.values):
            if parameter.is_array and id(value) not in made:
                floating = parameter.kind is np.floating
                array = device.empty(value.shape, device.dtype if floating else value.dtype)
                device.put(value, array)
                made[id(value)] = array
        return [made.get(id(value), value) for value in self.values]

    def restore(self, device: Device, arguments: list[Any]) -> None:
        """Put the arrays back to what they were."""
        for value, array in zip(self.values, arguments):
            if isinstance(value, np.ndarray):
                device.put(value, array)

    @property
    def geometry(self) -> str:
        """What its scalars are: n=32 c=64 h=56; fields of 0 and 1 are left out."""
        words = []
        for parameter, value in zip(self.spec.parameters, self.values):
            if isinstance(value, tuple) and hasattr(value, "_asdict"):
                words += [f"{name}={field}" for name, field in value._asdict().items() if field > 1]
            elif not parameter.is_array:
                words.append(f"{parameter.name}={value}")
        return " ".join(words)


@dataclass
class Notes:
    """What a device's kernels were called with while `way` was set."""

    way: str = ""
    calls: list[Call] = field(default_factory=list)
    depth: int = 0  # kernels under way: what a kernel calls is its own affair

    def watch(self, device: Device) -> None:
        """Note the calls of what is bound from here on."""
        bind = device.bind_family

        def bind_watched(module: ModuleType) -> SimpleNamespace:
            specs, bound = family(module), bind(module)
            return SimpleNamespace(
                **{
                    name: self._noting(module, specs[name], call, device)
                    for name, call in vars(bound).items()
                }
            )

        device.bind_family = bind_watched  # type: ignore[method-assign, assignment]

    def _noting(self, module: ModuleType, spec: KernelSpec, call: Callable, device: Device) -> Callable:
        def noting(*args: Any) -> None:
            if self.way and not self.depth:
                copies = {id(a): device.get(a) for p, a in zip(spec.parameters, args) if p.is_array}
                values = [copies.get(id(a), a) for a in args]
                self.calls.append(Call(module, spec, self.way, values))
            self.depth += 1
            try:
                call(*args)
            finally:
                self.depth -= 1

        return noting


def calls(
    param: LayerParameter, shapes: Sequence[Sequence[int]], tops: int, device: Device, phase: int
) -> list[Call]:
    """The calls of a layer on its own, of a forward and, in phase TRAIN where it has gradients, of a
    backward, on random values.

    shapes  of its bottoms
    device  a new one: its kernels are watched from here on
    """
    notes = Notes()
    notes.watch(device)
    alone = Alone(param, shapes, tops, phase=phase, device=device, seed=SEED)
    rng = np.random.default_rng(SEED)
    fill_inputs(alone.net, SEED)
    for blob, learned in zip(alone.layer.params, alone.learned):  # statistics are positive
        values = rng.standard_normal(blob.shape) if learned else rng.uniform(0.5, 1.5, blob.shape)
        alone.put(values, blob)
    if alone.layer.random is not None:
        alone.layer.random.seek(0)
    notes.way = "forward"
    alone.layer.forward(alone.bottom, alone.top)
    notes.way = ""
    if phase == TRAIN and (any(alone.propagate) or any(alone.learned)):
        for blob in alone.top:
            alone.put(rng.standard_normal(blob.shape), blob, "diff")
        alone.layer.param_gradient = list(alone.learned)
        notes.way = "backward"
        alone.backward()
    notes.way = ""
    for way in ("forward", "backward"):
        mine = [call for call in notes.calls if call.way == way]
        for call in mine:
            call.multiply_adds = _products(call)
        if len(mine) == 1 and mine[0].multiply_adds is None:
            mine[0].multiply_adds = _of_layer(alone, way)
    return notes.calls


def _products(call: Call) -> int | None:
    """Multiply-adds of a matrix product or a convolution."""
    g = call.values[-1]
    if isinstance(g, Gemm):
        return g.m * g.n * g.k
    if isinstance(g, Conv) and call.spec.name in PRODUCTS:
        return g.n * g.groups * g.m * g.c * g.taps * g.pixels
    return None


def _of_layer(alone: Alone, way: str) -> int | None:
    """What a layer says of its pass, where one kernel does it all."""
    if way == "forward":
        return alone.layer.forward_operations(alone.bottom, alone.top)
    return alone.layer.backward_operations(alone.bottom, alone.top, alone.propagate, alone.learned)
