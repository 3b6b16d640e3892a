"""What the code of a kernel is made of: the sources that it imports, and no others."""

from __future__ import annotations

import ast

import pytest

from minicaffe.kernels import sources
from minicaffe.kernels.sources import Sources

FILES = {
    "__init__.py": "from .layers import conv",
    "layers/conv.py": "from ..kernels import conv",
    "kernels/__init__.py": "",
    "kernels/jit.py": "import numba",
    "kernels/relu.py": "from .jit import jit\nfrom .. import philox\n",
    "kernels/conv.py": "from .jit import jit\nfrom .tiled import (\n    direct,\n    winograd as fast,\n)",
    "kernels/tiled/__init__.py": "",
    "kernels/tiled/direct.py": "def late():\n    from ..relu import relu",
    "kernels/tiled/winograd.py": "from . import direct  # and not relu\nfrom ...layers import conv\n",
    "philox.py": "",
}
USERS = {  # who has to be compiled again after an edit
    "kernels/jit.py": {"jit", "relu", "conv", "tiled/direct", "tiled/winograd"},
    "kernels/relu.py": {"relu", "conv", "tiled/direct", "tiled/winograd"},
    "kernels/tiled/winograd.py": {"conv", "tiled/winograd"},
    "kernels/conv.py": {"conv"},
    "philox.py": {"relu", "conv", "tiled/direct", "tiled/winograd"},
    "layers/conv.py": set(),
}


def digests(root) -> dict[str, str]:
    found = Sources(root)
    return {name: found.digest([f"kernels/{name}.py"]) for name in USERS["kernels/jit.py"]}


@pytest.mark.parametrize("edited", USERS)
def test_an_edit_changes_the_digest_of_who_imports_it(edited, tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = digests(tmp_path)
    assert digests(tmp_path) == before
    (tmp_path / edited).write_text(FILES[edited] + "\n# edited\n")
    assert {name for name, digest in digests(tmp_path).items() if digest != before[name]} == USERS[edited]


def test_nothing_that_is_imported_is_overlooked():
    """A parser finds the same imports as the expression that is fast enough for every start."""
    ours = Sources(sources.ROOT)
    for file in ours.all():
        package, wanted = file.split("/")[:-1], set()
        for node in ast.walk(ast.parse((ours.root / file).read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                place = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
                for names in ([], *([name.name] for name in node.names)):
                    wanted.update(ours.files_of("/".join(filter(None, [*place, *names]))))
            assert not isinstance(node, ast.Import) or not any(
                "minicaffe" in name.name for name in node.names
            )
        kept = {found for found in wanted if found.startswith(sources.COMPILED)}
        assert {found for found in ours.imports(file) if not found.endswith("__init__.py")} == {
            found for found in kept if not found.endswith("__init__.py")
        }, file


def test_what_is_not_the_packages_depends_on_all_kernels():
    everything = Sources.ours().digest(Sources.ours().all())
    assert sources.digest("users.own.kernel") == everything
    assert sources.digest("minicaffe.kernels.softmax") not in (
        everything,
        sources.digest("minicaffe.kernels.eltwise"),
    )
