"""The structure holds: imports point one way, files stay small, state stays out of the core."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "minicaffe"

# An import points to the left, or stays within its own group; never sideways to another group of equal rank.
RANKS = [
    [{"printable"}],
    [{"errors"}],
    [{"log"}, {"files"}, {"philox"}, {"importing"}],
    [{"proto"}, {"kernels"}],
    [{"data"}, {"device"}, {"zoo"}],
    [{"core"}],
    [{"layers"}, {"graph"}],
    [{"net"}, {"drawing"}],
    [{"solvers"}],
    [{"pycaffe"}],
    [{"runs"}],
    [{"convert"}],
    [{"checking"}],
    [{"inference"}, {"bench"}],
    [{"reading"}, {"reports"}],
    [{"studio"}],
    [{"cli", "__main__"}],
]
# Packages that only some parts may import, and what may be imported only on use.
HOMES = {
    "cupy": {"kernels/cuda.py", "device/"},
    "numba": {"kernels/", "device/"},
    "llvmlite": {"kernels/micro/"},
    "google": {"proto/"},
    "onnx": {"convert/onnx/", "bench/"},
    "onnxruntime": {"convert/onnx/", "bench/rivals/"},
    "openvino": {"bench/rivals/"},
    "torch": {"bench/rivals/"},
    "starlette": {"studio/"},
    "uvicorn": {"studio/"},
    "anyio": {"studio/"},
}
LAZY = {
    "h5py",
    "PIL",
    "tqdm",
    "scipy",
    "matplotlib",
    "tensorboardX",
    "lmdb",
    "onnx",
    "onnxruntime",
    "cupy",
    "pyarrow",
    "openvino",
}

READ_ENVIRONMENT = ("files.py", "data/datasets.py", "cli/terminal.py")

SOURCES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")
each_source = pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(PACKAGE).as_posix())


def group(part: str) -> tuple[int, frozenset[str]]:
    for rank, groups in enumerate(RANKS):
        for names in groups:
            if part in names:
                return rank, frozenset(names)
    raise AssertionError(f"minicaffe/{part} has no rank: add it to RANKS")


def imports(path: Path) -> Iterator[tuple[str, bool, int]]:
    """Every module imported by a file (absolute name), whether on import of the file, and the line."""
    tree = ast.parse(path.read_text())
    package = ("minicaffe", *path.relative_to(PACKAGE).parts[:-1])
    checking = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    inside = {
        id(inner) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in inside, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "minicaffe":  # from .. import log: the names are modules
                for alias in node.names:
                    yield f"minicaffe.{alias.name}", id(node) not in inside, node.lineno
            else:
                yield module, id(node) not in inside, node.lineno


@each_source
def test_imports_point_left(path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    rank, names = group(part)
    for module, _, line in imports(path):
        if module.startswith("minicaffe.") and module != "minicaffe.__version__":
            other = module.split(".")[1]
            other_rank, _ = group(other)
            assert other in names or other_rank < rank, f"{path}:{line} imports {module}"


def modules_imported(path: Path, package: Path, modules: Collection[str]) -> set[str]:
    """Those of `modules`, named from the package on, that a file imports anywhere, for whatever purpose."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("minicaffe.") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            folder = path.relative_to(package).parts[:-1]
            base = folder[: len(folder) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])]).removeprefix("minicaffe.")
            for alias in node.names:
                inner = f"{module}.{alias.name}".removeprefix(".")
                found.add(inner if inner in modules else module)
    return found & set(modules)


def circles(package: Path) -> list[set[str]]:
    """The largest sets of modules in which each imports every other, directly or through others.

    The package's __init__ is left out: it names the types of what it offers, and its version is imported.
    """
    files = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        files[".".join(part for part in parts if part != "__init__")] = path
    files.pop("", None)
    imported = {module: modules_imported(path, package, files) for module, path in files.items()}
    reached = {module: set(others) for module, others in imported.items()}
    for others in reached.values():
        waiting = list(others)
        while waiting:
            new = imported[waiting.pop()] - others
            others |= new
            waiting += new
    found: list[set[str]] = []
    for module in sorted(files):
        circle = {other for other in reached[module] if module in reached[other]}
        if circle and circle not in found:
            found.append(circle)
    return found


def test_files_import_in_no_circle():
    """Imports for the checker of types included."""
    assert not [sorted(circle) for circle in circles(PACKAGE)], "files import each other"


@each_source
def test_packages_stay_at_home_and_load_late(path):
    where = path.relative_to(PACKAGE).as_posix()
    for module, at_import, line in imports(path):
        top = module.split(".")[0]
        if top in HOMES:
            assert any(where.startswith(home) for home in HOMES[top]), f"{path}:{line} imports {module}"
        assert not (at_import and top in LAZY), f"{path}:{line} imports {module} before it is needed"


@each_source
def test_files_are_short(path):
    where, lines = path.relative_to(PACKAGE).as_posix(), len(path.read_text().splitlines())
    limit = 150 if where.startswith("layers/") else 300 if where.startswith("kernels/") else 400
    assert lines <= limit, f"{where} has {lines} lines"


@each_source
def test_no_global_state(path):
    text = path.read_text()
    assert not [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Global)]
    if path.relative_to(PACKAGE).as_posix() not in READ_ENVIRONMENT:
        assert "environ" not in text, (
            f"environment variables are read in {' and '.join(READ_ENVIRONMENT)} alone"
        )


@each_source
def test_names_say_something(path):
    assert path.stem not in ("utils", "util", "helpers", "helper", "misc", "common")


def test_the_top_level_is_as_the_readme_says():
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")}
    assert {"minicaffe", "prototxt", "tools", "tests", "benchmarks", "docs"} <= folders


def test_a_planted_import_is_seen(tmp_path, monkeypatch):
    """The checks can fail: a file in core that imports layers, and h5py at its top."""
    monkeypatch.setattr("tests.test_architecture.PACKAGE", tmp_path)
    path = tmp_path / "core" / "bad.py"
    path.parent.mkdir()
    path.write_text("import h5py\nfrom ..layers.neuron import relu\n")
    with pytest.raises(AssertionError, match=r"bad\.py:2 imports minicaffe\.layers"):
        test_imports_point_left(path)
    with pytest.raises(AssertionError, match="before it is needed"):
        test_packages_stay_at_home_and_load_late(path)


def test_a_planted_circle_is_seen(tmp_path):
    """Also one of three files that only the checker of types sees."""
    for path, source in {
        "__init__.py": "",
        "a.py": "from .inner import b\n",
        "inner/__init__.py": "",
        "inner/b.py": "import numpy\nfrom .c import C\n",
        "inner/c.py": "if TYPE_CHECKING:\n    from ..a import A\n",
        "d.py": "from .a import A\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(source)
    assert circles(tmp_path) == [{"a", "inner.b", "inner.c"}]
