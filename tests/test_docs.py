"""What the documentation says is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from minicaffe.proto import extensions, schema
from minicaffe.proto.layer_types import CAFFE_TYPES
from minicaffe.proto.schema import NetParameter, SolverParameter

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_layer_reference_is_current():
    from tools.layer_reference import DIFFERENCES, TARGET, differences, reference

    assert TARGET.read_text() == reference(), "run python tools/layer_reference.py"
    assert DIFFERENCES.read_text() == differences(), "run python tools/layer_reference.py"


def test_the_readme_counts_the_layer_types():
    assert f"all {len(CAFFE_TYPES)} of its layer types" in " ".join((ROOT / "README.md").read_text().split())


def our_names() -> set[tuple[str, int]]:
    """(name, number) of every extension in the schema."""
    found, seen = set(), set()

    def walk(message) -> None:
        if message.full_name in seen:
            return
        seen.add(message.full_name)
        for field in message.fields:
            if extensions.FIRST <= field.number <= extensions.LAST:
                found.add((field.name, field.number))
            if field.message_type:
                walk(field.message_type)
            if field.enum_type:
                values = field.enum_type.values
                ours = range(extensions.FIRST, extensions.LAST + 1)
                found.update((v.name, v.number) for v in values if v.number in ours)

    walk(NetParameter.DESCRIPTOR)
    walk(SolverParameter.DESCRIPTOR)
    return found


def test_every_extension_is_documented():
    text = (ROOT / "docs" / "extensions.md").read_text()
    rows = set(re.findall(r"\| `(\w+)` \| (\d+) \|", text))
    assert {(name, int(number)) for name, number in rows} == our_names()
    assert schema.pool


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_files_named_in_the_documentation_exist(path):
    """But for those that a how-to lets the reader write."""
    for name in re.findall(
        r"`((?:minicaffe|prototxt|tools|tests|benchmarks|docs)/[\w/.]+\w)`(?!:\n\n```)", path.read_text()
    ):
        assert (ROOT / name).exists(), f"{path.name} names {name}"


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    """Files exist, and headings in them."""
    content = path.read_text()
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", content)
    for link in map("".join, links):
        if not link.startswith("http"):
            name, _, heading = link.partition("#")
            target = path.parent / name if name else path
            assert target.exists(), link
            assert not heading or heading in map(anchor, re.findall(r"^#+ (.*)", target.read_text(), re.M)), (
                link
            )


def test_the_index_names_every_page():
    content = (ROOT / "docs" / "README.md").read_text()
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert pages - {"README.md"} <= set(re.findall(r"\]\(([^)]+)\)", content))


def names_in(path: Path) -> set[str]:
    """What a source defines: classes, functions, variables; of a class also Class.name for its own and those
    of self."""
    found: set[str] = set()

    def walk(node: ast.AST, owner: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                found.update({child.name, f"{owner}.{child.name}"})
                walk(child, child.name if isinstance(child, ast.ClassDef) else owner)
                continue
            if isinstance(child, ast.Name | ast.Attribute) and isinstance(child.ctx, ast.Store):
                name = child.id if isinstance(child, ast.Name) else child.attr
                found.update({name, f"{owner}.{name}"})
            walk(child, owner)

    walk(ast.parse(path.read_text()), "")
    return found


def missing(page: str) -> list[str]:
    """What a page names in code spans that is neither a path nor defined in a file that its section names."""
    lost = []
    for section in re.split(r"^## ", page, flags=re.MULTILINE):
        spans = re.findall(
            r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", section, flags=re.MULTILINE | re.DOTALL)
        )
        paths = [ROOT / span for span in spans if "/" in span]
        lost += [str(path.relative_to(ROOT)) for path in paths if not path.exists()]
        sources = [path for path in paths if path.suffix == ".py" and path.exists()]
        known = set().union(*map(names_in, sources)) if sources else set()
        lost += [span for span in spans if "/" not in span and span.removesuffix("()") not in known]
    return lost


def test_the_tour_names_what_is_there():
    assert missing(read("docs/tour.md")) == []


def test_a_name_that_is_gone_is_missed():
    page = "## A\n`tests/test_docs.py` has `names_in`, `gone`, `tests/gone.py`.\n## B\n`names_in`"
    assert missing(page) == ["tests/gone.py", "gone", "names_in"]


def anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower()


@pytest.mark.parametrize("path", DOCS, ids=lambda p: p.name)
def test_lines_are_not_endless(path):
    prose = [line for line in path.read_text().splitlines() if not line.startswith(("|", "  ", "```"))]
    assert max(map(len, prose)) <= 130


def test_extras_exist_and_are_quoted():
    """Where a command needs an optional package it names an extra of pyproject.toml; unquoted brackets are a
    pattern in zsh."""
    declared = re.search(r"\[project\.optional-dependencies\]\n(.*?)\n\n", read("pyproject.toml"), re.DOTALL)
    extras = set(re.findall(r"^([\w-]+) = ", declared[1], re.MULTILINE))
    sources = [path for path in (ROOT / "minicaffe").rglob("*.py") if path.parent.name != "device"]
    named = {
        name for path in sources for name in re.findall(r"""\bextra\(["'](\w+)["']\)""", path.read_text())
    }
    assert named == {"draw", "lmdb", "onnx", "parquet", "plot", "studio", "tensorboard"} and named <= extras
    for path in [*sources, *DOCS]:
        for quote in re.findall(r"""pip install (?:-[\w-]+ )*(["']?)(?:minicaffe|\.)\[""", path.read_text()):
            assert quote, f"{path.name}: brackets without quotes"


def read(name: str) -> str:
    return (ROOT / name).read_text()
