"""What the C headers in NVIDIA's wheels declare: the facts that ctypes cannot check."""

from __future__ import annotations

import ctypes
import importlib.util
import re
from ctypes import POINTER, c_float, c_int, c_longlong, c_size_t, c_void_p
from pathlib import Path

import pytest

NUMBERS = {"int": c_int, "long long int": c_longlong, "size_t": c_size_t, "float": c_float}


def wheel(library: str, name: str) -> str:
    """A header of the installed wheel without its comments; skips the test where there is none."""
    try:
        spec = importlib.util.find_spec(f"nvidia.{library}")
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        pytest.skip(f"the wheel of {library} is not installed")
    path = Path(next(iter(spec.submodule_search_locations))) / name
    return re.sub(r"/\*.*?\*/|//.*?$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def enumerators(text: str) -> dict[str, int]:
    """The values of all enums."""
    return {name: int(value) for name, value in re.findall(r"\b(CU\w+)\s*=\s*(-?\d+)", text)}


def parameters(text: str, function: str, structures: dict[str, type] | None = None) -> list:
    """The parameters of a C function as ctypes: handles and untyped pointers as c_void_p, enums as c_int."""
    declared = re.search(rf"\b{function}\(([^)]*)\)", text)
    assert declared, f"no declaration of {function}"
    return [_type(parameter, structures or {}) for parameter in declared[1].split(",")]


def _type(parameter: str, structures: dict[str, type]):
    words = re.sub(r"\bconst\b", "", parameter).replace("*", " * ").replace("[]", " * ").split()
    stars, names = words.count("*"), [word for word in words if word != "*"]
    name = " ".join(names[:-1])
    handle = re.fullmatch(r"cu\w*(Handle|Descriptor|Stream)_t", name)
    if name == "void" or handle:
        value = None if name == "void" else c_void_p
    else:
        value = {**NUMBERS, **structures}.get(name, c_int)
    for _ in range(stars):
        value = c_void_p if value is None else POINTER(value)
    return value


def fields(text: str, structure: str) -> list[type]:
    """The types of a C structure's members."""
    body = re.search(rf"typedef struct \w+ \{{([^}}]*)\}}\s*{structure}\b", text)
    assert body, f"no declaration of {structure}"
    found = []
    for member in body[1].split(";")[:-1]:
        kind, name = member.split()
        extent = re.search(r"\[(\d+)\]", name)
        value = NUMBERS.get(kind, c_int)
        found.append(value * int(extent[1]) if extent else value)
    return found


def members(structure: type[ctypes.Structure]) -> list[type]:
    """The same of a ctypes structure."""
    return [kind for _, kind in structure._fields_]
