"""Every kernel has two halves of one signature; both compile; the CPU's allocates nothing."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap

import numba
import numpy as np
import pytest

import minicaffe.kernels
from minicaffe.kernels import cuda
from minicaffe.kernels.cpu import compiled, dispatcher
from minicaffe.kernels.registry import KernelSpec, family

from .kernels import test_convolution, test_siblings
from .support import nvrtc
from .support.devices import make_device
from .support.emulator import EmulatedCuda, available

NAMES = [m.name for m in pkgutil.iter_modules(minicaffe.kernels.__path__) if not m.ispkg]
MODULES = [importlib.import_module(f"minicaffe.kernels.{name}") for name in NAMES]
FAMILIES = {module.__name__.rsplit(".", 1)[1]: module for module in MODULES if family(module)}
KERNELS = {f"{name}.{k}": spec for name, module in FAMILIES.items() for k, spec in family(module).items()}

each_family = pytest.mark.parametrize("name", FAMILIES)
each_kernel = pytest.mark.parametrize("name", KERNELS)


def cuda_parameters(spec: KernelSpec) -> list[str]:
    """The parameters of the CUDA half, each as it is declared."""
    text = spec.source.read_text()
    start = text.index("(", text.index(f"KERNEL {spec.name}(")) + 1
    return [" ".join(p.split()) for p in text[start : text.index(")", start)].split(",")]


def written(spec: KernelSpec) -> set[str]:
    """Parameters that the Python half stores into, or hands to a function or a slice that might."""
    function = ast.parse(textwrap.dedent(inspect.getsource(spec.python))).body[0]
    aliases: dict[str, str] = {p.name: p.name for p in spec.parameters}
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            pairs = [(node.targets[0], node.value)]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(node.targets[0].elts, node.value.elts))
            for target, value in pairs:
                root = value
                while isinstance(root, ast.Subscript | ast.Call | ast.Attribute):
                    root = root.func if isinstance(root, ast.Call) else root.value
                if isinstance(target, ast.Name) and isinstance(root, ast.Name) and root.id in aliases:
                    aliases[target.id] = aliases[root.id]
    for node in ast.walk(function):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AugAssign):
            targets = [node.target]
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                stored = isinstance(part, ast.Subscript)
                while isinstance(part, ast.Subscript):
                    part = part.value
                if stored and isinstance(part, ast.Name):
                    found.add(aliases.get(part.id, ""))
    return found


# -- one signature


@each_family
def test_family_has_both_halves(name):
    specs = family(FAMILIES[name])
    source = next(iter(specs.values())).source
    assert source.exists(), f"{name}.py has no {source.name}"
    assert set(cuda.signatures(source.read_text())) == set(specs)


@each_kernel
def test_parameters_are_the_same(name):
    spec = KERNELS[name]
    theirs = cuda.signatures(spec.source.read_text())[spec.name]
    assert theirs == [(p.c_type, p.name) for p in spec.parameters] + [("int", "n")]


@each_kernel
def test_const_says_what_is_only_read(name):
    """In CUDA a pointer is const exactly if nothing is stored through it there; and the Python half stores
    into no array that is const."""
    spec = KERNELS[name]
    stored = written(spec)
    for parameter, declared in zip(spec.parameters, cuda_parameters(spec)):
        if parameter.is_array and parameter.name in stored:
            assert not declared.startswith("const"), f"{name}: {declared} is written in Python"


@each_kernel
def test_docstring(name):
    assert inspect.getdoc(KERNELS[name].python), f"{name} does not say what it computes"


def test_a_planted_difference_is_seen(tmp_path):
    """The check can fail: parameters in another order, and a pointer that lost its const."""
    spec = KERNELS["activation.relu_forward"]
    text = spec.source.read_text()
    swapped = text.replace("const real* x, real* y, real slope", "real* y, const real* x, real slope")
    assert cuda.signatures(swapped)["relu_forward"] != cuda.signatures(text)["relu_forward"]
    assert written(spec) == {"y"}


# -- both compile


@each_family
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.skipif(not available(), reason="the CUDA emulator needs g++")
def test_cuda_half_compiles_in_the_emulator(name, dtype):
    EmulatedCuda(dtype).bind(FAMILIES[name])


OLDEST = {12: "sm_70", 13: "sm_75"}


def on_architectures() -> list:
    """Every family for the oldest architecture of both versions; for newer ones with -m slow, unless its
    source tells architectures apart: else they compile the same text."""
    found = []
    for version, arch in ((12, "sm_70"), (12, "sm_80"), (12, "sm_90"), (13, "sm_75"), (13, "sm_100")):
        for name, module in FAMILIES.items():
            every = arch == OLDEST[version] or "__CUDA_ARCH__" in cuda.source(module, np.dtype(np.float32))
            marks = () if every else pytest.mark.slow
            found.append(pytest.param(version, arch, name, id=f"{version}-{arch}-{name}", marks=marks))
    return found


@pytest.mark.parametrize("version, arch, name", on_architectures())
def test_cuda_half_compiles_with_nvrtc_and_spills_nothing(version, arch, name):
    if version not in nvrtc.versions():
        pytest.skip(f"NVRTC {version} is not installed (extra cuda-compile)")
    for dtype in (np.float32, np.float64):
        used = nvrtc.compile(cuda.source(FAMILIES[name], dtype), arch, version=version).kernels
        assert set(used) == set(family(FAMILIES[name]))
        for kernel, usage in used.items():
            assert usage.spill_bytes == 0, f"{kernel} spills {usage.spill_bytes} bytes on {arch}"
            assert usage.registers * cuda.BLOCK <= 65536, f"{kernel} needs {usage.registers} registers"


@pytest.mark.skipif(not nvrtc.available(), reason="NVRTC is not installed (extra cuda-compile)")
def test_a_planted_spill_is_seen():
    """The check can fail: 100 values per thread, all needed after a barrier, where 64 registers are to be
    had."""
    at = [f"x[threadIdx.x + {1024 * i}]" for i in range(100)]
    reads = " ".join(f"float a{i} = {place};" for i, place in enumerate(at))
    writes = " ".join(f"{place} = a{i} + a{(37 * i + 11) % 100};" for i, place in enumerate(at))
    head = 'extern "C" __global__ void __launch_bounds__(1024) hog(float* x)'
    assert (
        nvrtc.compile(f"{head} {{ {reads} __syncthreads(); {writes} }}", "sm_80").kernels["hog"].spill_bytes
        > 0
    )
    with pytest.raises(nvrtc.CompileError):
        nvrtc.compile("extern int", "sm_80")


# -- nothing is allocated


def allocates(code, types: tuple) -> bool:
    """Whether a dispatcher's code for these types, as it is stored for all who run it, makes an array: then
    it names the function of Numba's that does."""
    code.compile(types)
    return b"NRT_MemInfo_alloc" in code._cache.path(types, code.targetctx).read_bytes()


def types_of(spec: KernelSpec) -> tuple:
    """The Numba types that the parameters stand for, in float64, for which other tests have compiled most."""
    found = []
    for parameter in spec.parameters:
        if parameter.is_array:
            dtype = np.float64 if parameter.kind is np.floating else parameter.kind
            found.append(numba.types.Array(numba.from_dtype(np.dtype(dtype)), 1, "C"))
        elif parameter.kind in (float, int):
            found.append(numba.float64 if parameter.kind is float else numba.int64)
        else:
            found.append(numba.typeof(parameter.kind(*[1] * len(parameter.kind._fields))))
    return tuple(found)


@each_kernel
def test_python_half_allocates_nothing(name):
    spec = KERNELS[name]
    loops, types = compiled(spec), types_of(spec)
    types = (numba.int64,) * 3 * loops.parallel + types  # where its part of the work lies
    assert not allocates(loops.dispatcher, types), f"{name} makes an array on every call"


def test_composites_allocate_nothing():
    """The drivers over register tiles, at the types that a product and a convolution use them with."""
    from minicaffe.kernels.tiled import a_in_place, columns, convolution, few_rows, gemm, panels, siblings

    device = make_device("cpu", np.float32)
    a = device.zeros((9, 9))
    long, big = device.zeros((9, a_in_place.SHORT + 1)), device.zeros((400, 400))
    device.gemm(a, a, device.zeros((9, 9)))
    device.gemm(a[:1], a, device.zeros((1, 9)), tb=True)
    device.gemm(long, long, device.zeros((9, 9)), tb=True)
    device.gemm(long, long.reshape(-1, 9), device.zeros((9, 9)))
    device.gemm(big, big, device.zeros((400, 400)))
    test_convolution.run(device, test_convolution.CASES["padded 3x3"])
    checked = 0
    test_siblings.run(device, test_siblings.CASES["three"], device.bind(test_siblings.family))
    for module in (a_in_place, columns, convolution, few_rows, gemm, panels, siblings):
        for function in vars(module).values():
            code = getattr(function, "dispatcher", function)
            for types in getattr(code, "signatures", ()):
                assert not allocates(code, types), f"{module.__name__}.{code.__name__}"
                checked += 1
    assert checked > 10


def test_a_planted_allocation_is_seen():
    def copies(x):
        return x[:] + 1

    assert allocates(dispatcher(copies), (numba.float32[::1],))
