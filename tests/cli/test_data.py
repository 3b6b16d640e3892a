"""minicaffe data."""

import json

import numpy as np
import pytest

from minicaffe.cli import data
from minicaffe.data import datasets, datum, idx
from minicaffe.data.database import DatabaseWriter
from minicaffe.errors import ConfigError, DataError, UnknownTypeError

from ..data.test_datasets import needs_mnist, write_mnist, write_pair


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where downloads would go; nothing is there and nothing is given."""
    monkeypatch.delenv("MINICAFFE_DATA", raising=False)
    monkeypatch.setattr(datasets, "user_cache", lambda: tmp_path)
    monkeypatch.setattr(datasets, "fetch", lambda *args: pytest.fail("tried to download"))
    return tmp_path / "data"


def said(capsys, *args: str) -> str:
    assert data.run(list(args)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_list_is_aligned_and_says_where(cache, capsys):
    write_mnist(cache / "mnist")
    (cache / "mnist" / "t10k-images-idx3-ubyte").unlink()
    lines = said(capsys, "list").splitlines()
    where = lines[0].index("where")
    assert lines[0].split() == ["name", "images", "shape", "classes", "where"]
    assert [line[:where].split() for line in lines[1:5]] == [
        ["digits/train", "1437", "1x8x8", "10"],
        ["digits/test", "360", "1x8x8", "10"],
        ["mnist/train", "60000", "1x28x28", "10"],
        ["mnist/test", "10000", "1x28x28", "10"],
    ]
    assert lines[3][where:] == str(cache / "mnist")
    assert lines[4][where:] == "not here: minicaffe data get mnist"
    rows = json.loads(said(capsys, "list", "--json"))
    assert rows[2]["where"] == str(cache / "mnist") and rows[3]["where"] is None
    assert rows[0]["shape"] == [1, 8, 8]


def test_info_counts_and_describes(cache, capsys):
    (facts,) = [json.loads(said(capsys, "info", "digits/test", "--json"))]
    assert facts["images"] == 360 and facts["pixels"] == [0, 16] and facts["licence"] == "CC BY 4.0"
    assert sum(facts["classes"].values()) == 360 and len(facts["classes"]) == 10
    assert [file["as published"] for file in facts["files"]] == [True, True]
    both = json.loads(said(capsys, "info", "digits", "--json"))
    assert [part["name"] for part in both] == ["digits/train", "digits/test"]
    text = said(capsys, "info", "digits")
    assert "1437 of 1x8x8, uint8 from 0 to 16" in text and "Alpaydin" in text
    assert f"\n           0  {both[0]['classes']['0']}\n" in text
    for file in datasets.DIGITS.files:
        assert f"{file.sha256}, as published" in text


def test_info_of_a_file(cache, tmp_path, capsys):
    path = write_pair(tmp_path, images=np.full((5, 3, 4), -2, np.int16))
    text = said(capsys, "info", str(path))
    assert text.startswith(f"{path}\n  images   5 of 1x3x4, int16 from -2 to -2\n  labels   4 classes\n")
    assert "           1  2\n" in text and "published" not in text and "licence" not in text


def test_info_of_a_range(cache, capsys):
    facts = json.loads(said(capsys, "info", "digits/test[:25%]", "--json"))
    assert (facts["name"], facts["images"], facts["licence"]) == ("digits/test[:25%]", 90, "CC BY 4.0")


def test_info_of_a_database(tmp_path, capsys):
    with DatabaseWriter(tmp_path / "db") as writer:
        for label, shape in ((3, (1, 2, 2)), (0, (3, 4, 5)), (3, (1, 2, 2))):
            writer.add(datum.from_array(np.full(shape, 10 * label, np.uint8), label))
    (facts,) = [json.loads(said(capsys, "info", str(tmp_path / "db"), "--json"))]
    assert (facts["images"], facts["shape"], facts["shapes"]) == (3, [1, 2, 2], 2)
    assert (facts["pixels"], facts["classes"]) == ([0, 30], {"0": 1, "3": 2})
    text = said(capsys, "info", str(tmp_path / "db"))
    assert "3 of 2 sizes, most of them 1x2x2, uint8 from 0 to 30" in text and "data.mdb" in text


def test_info_says_when_a_file_is_not_what_was_published(cache, capsys):
    write_mnist(cache / "mnist")
    assert said(capsys, "info", "mnist/test").count("NOT as published") == 2


def test_info_does_not_download(cache):
    with pytest.raises(DataError, match=r"mnist/train is not here.*hint: minicaffe data get mnist"):
        data.run(["info", "mnist"])


@needs_mnist
def test_get_checks_what_is_here(capsys):
    lines = said(capsys, "get", "mnist", "digits").splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "mnist/train",
        "mnist/test",
        "digits/train",
        "digits/test",
    ]


def test_get_refuses_what_was_not_published(cache):
    write_mnist(cache / "mnist")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: not as published: .*; got .*hint: delete"):
        data.run(["get", "mnist"])


def test_get_downloads_what_is_not_here(cache, monkeypatch, capsys):
    digits = datasets.DIGITS._replace(name="mnist", mirrors=("https://a/", "https://b/"))
    monkeypatch.setitem(datasets.SETS, "mnist", digits)

    def fetch(file, folder, mirrors, remedy):
        folder.mkdir(parents=True, exist_ok=True)
        packed = datasets.PACKAGED / "digits" / f"{file.name}.gz"
        idx.write(folder / file.name, idx.read(packed))
        return folder / file.name

    monkeypatch.setattr(datasets, "fetch", fetch)
    where = cache / "mnist"
    assert said(capsys, "get", "mnist") == f"mnist/train: {where}\nmnist/test: {where}\n"
    assert len(list(where.iterdir())) == 4


def test_unknown_names(cache):
    with pytest.raises(UnknownTypeError, match="no data set 'mnits'; hint: did you mean 'mnist'"):
        data.run(["get", "digits", "mnits"])
    for words in ([], ["get"], ["info"], ["list", "digits"], ["get", "digits", "--json"], ["fetch"]):
        with pytest.raises(ConfigError):
            data.run(words)
