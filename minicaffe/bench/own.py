"""A kernel from a user's own file, beside ours."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ..device.base import Device
from ..errors import ConfigError, suggest
from ..kernels import cpu
from ..kernels.registry import KernelSpec

USAGE = "--with FILE.py:FUNCTION, or FILE.py:FUNCTION=KERNEL where it has another name than the kernel"


class OwnKernel(NamedTuple):
    """A function of a user's that does what a kernel does: `kernel` is that one's name, `label` how it is
    called in tables.

    It has the kernel's parameters, in its order: arrays are flat, a geometry is a tuple with names.  What it
    is decides how it is called: a function declared with `minicaffe.kernels.registry.kernel` as ours are,
    compiled or by its composite; anything else, such as a function of Numba's or of a library, as it stands.
    """

    label: str
    kernel: str
    function: Any

    def bound(self, device: Device, like: KernelSpec) -> Callable[..., None]:
        """Ready to be called with arrays of a CPU device."""
        if not isinstance(self.function, KernelSpec):
            return cpu.launcher(like, self.function, device.dtype)
        family = ModuleType(self.function.python.__module__)
        setattr(family, self.function.name, self.function)
        return getattr(cpu.bind(family, device), self.function.name)


def load(word: str) -> OwnKernel:
    """What --with names; ConfigError if there is no such file or function, or it cannot be imported."""
    path, colon, name = word.rpartition(":")
    name, _, kernel = name.partition("=")
    if not colon or not name:
        raise ConfigError(f"--with {word}: no file and function", hint=USAGE)
    if not Path(path).is_file():
        raise ConfigError(f"--with {word}: there is no file {path}", hint=USAGE)
    spec = importlib.util.spec_from_file_location(f"with_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"--with {word}: {path} is no Python file", hint=USAGE)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file raises
        raise ConfigError(f"--with {word}: importing {path}: {type(error).__name__}: {error}") from None
    function = getattr(module, name, None)
    if not (callable(function) or isinstance(function, KernelSpec)):
        known = [
            key for key, value in vars(module).items() if callable(value) or isinstance(value, KernelSpec)
        ]
        raise ConfigError(f"--with {word}: {path} has no function {name!r}", hint=suggest(name, known))
    return OwnKernel(f"{Path(path).name}:{name}", kernel or name, function)


def check(own: OwnKernel, specs: dict[str, KernelSpec]) -> None:
    """ConfigError for one that stands for none of these kernels, or has other parameters."""
    if own.kernel not in specs:
        hint = suggest(own.kernel, specs) or f"its kernels: {', '.join(specs)}; {USAGE}"
        raise ConfigError(f"--with {own.label}: the layer calls no kernel {own.kernel!r}", hint=hint)
    expected = [parameter.name for parameter in specs[own.kernel].parameters]
    function = own.function
    python = function.python if isinstance(function, KernelSpec) else getattr(function, "py_func", function)
    try:
        found = list(inspect.signature(python).parameters)
    except (TypeError, ValueError):  # built in: nobody knows
        return
    if len(found) != len(expected):
        raise ConfigError(
            f"--with {own.label}: {own.kernel} takes ({', '.join(expected)}); the function takes"
            f" ({', '.join(found)})"
        )
