"""minicaffe read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datasets
from minicaffe.reading import photo
from tools import photos

from ..support.running import PROTOTXT, run

DIGITS = PROTOTXT / "digits"

HAS_MNIST = datasets.find(datasets.MNIST, datasets.MNIST.splits["test"]) is not None
needs_mnist = pytest.mark.skipif(
    not HAS_MNIST, reason="MNIST is not here: set MINICAFFE_DATA, or minicaffe data get mnist"
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file with a photo, and what it says."""
    drawn = photos.draw(3, "photos")
    path = tmp_path_factory.mktemp("photo") / "page.png"
    Image.fromarray(drawn.image).save(path)
    return path, drawn.lines


@needs_mnist
def test_lines_with_certainties(capsys, written, tmp_path):
    path, lines = written
    result = run(capsys, "read", path, "-o", tmp_path / "new" / "steps")
    assert (result.status, result.err) == (0, "")
    for line, text in zip(result.out.splitlines(), lines, strict=True):
        said, *certainties = line.split()
        assert said.replace("?", "") == text and all(0 < float(c) <= 1 for c in certainties)
    saved = sorted(p.name for p in (tmp_path / "new" / "steps").iterdir())
    assert saved == ["page_1_ink.png", "page_2_written.png", "page_3_glyphs.png", "page_read.png"]
    annotated = np.asarray(Image.open(tmp_path / "new" / "steps" / "page_read.png"))
    assert ((annotated[..., 1] > annotated[..., 0] + 80).sum()) > 1000  # green frames


@needs_mnist
def test_forms(capsys, written):
    path, lines = written
    found = json.loads(run(capsys, "read", "--json", path).out)
    assert [line["text"].replace(" ", "") for line in found["lines"]] == lines and found["equations"] == []
    rows = run(capsys, "read", "--table", "--threads", 1, path).out.splitlines()
    assert [row.replace(",", "") for row in rows] == lines
    assert run(capsys, "read", "--arithmetic", path).out == ""


def test_nothing_is_said_of_an_empty_page(capsys, tmp_path):
    Image.new("L", (300, 200), 230).save(tmp_path / "empty.png")
    result = run(capsys, "read", tmp_path / "empty.png")
    assert (result.status, result.out) == (0, "") and "no digits found" in result.err


def test_bad_input(capsys, tmp_path, monkeypatch):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.new("L", (5, 300)).save(tmp_path / "thin.png")
    Image.new("L", (300, 200)).save(tmp_path / "large.png")
    monkeypatch.setattr(photo, "MOST_PIXELS", 50_000)
    for name, message in {
        "text.png": "no image Pillow knows",
        "empty.png": "0 bytes",
        "thin.png": "5x300 pixels; expected at least 16",
        "large.png": "300x200 pixels; expected at most 50000",
        "missing.png": "No such file",
    }.items():
        result = run(capsys, "read", tmp_path / name, "-o", tmp_path / "out")
        assert result.status == 1 and name in result.err and message in result.err
        assert result.err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_bad_flags(capsys, tmp_path):
    Image.new("L", (300, 200)).save(tmp_path / "a.png")
    (tmp_path / "file").touch()
    for words, message in (
        (("--net", "x"), "a net and its weights go together"),
        (("--net", DIGITS / "train_test.prototxt", "--weights", "x"), "a net with 0 inputs; expected one"),
        (("--net", DIGITS / "deploy.prototxt", "--weights", "x"), "expected glyphs, (N, 1, 28, 28)"),
        (("-o", tmp_path / "file"), "is a file; expected a folder"),
        (("--json", "--table"), "not allowed with"),
        ((tmp_path / "b" / "a.png", "-o", tmp_path / "out"), "two photos are called a"),
    ):
        result = run(capsys, "read", tmp_path / "a.png", *words)
        assert result.status == 1 and message in result.err and result.err.count("\n") == 1
