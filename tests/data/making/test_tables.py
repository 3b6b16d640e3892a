"""Data sets made of CSV and Parquet files."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datasets
from minicaffe.data.making import Options, make, tables
from minicaffe.errors import ConfigError, DataError

ROOT = Path(__file__).parents[3]
RNG = np.random.default_rng(4)
IMAGES = RNG.integers(0, 256, (40, 6, 6), np.uint8)
LABELS = np.arange(40) % 4
KEEP = Options(keep_order=True)


def rows(labels=LABELS, images=IMAGES, last=False) -> list[str]:
    found = []
    for label, image in zip(labels, images):
        pixels = ",".join(map(str, image.ravel().tolist()))
        found.append(f"{pixels},{label}" if last else f"{label},{pixels}")
    return found


HEAD = ",".join(f"pixel{i}" for i in range(36))


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(rows()),
        "\n".join([f"label,{HEAD}", *rows()]) + "\n",
        "\r\n".join([f"{HEAD},class", *rows(last=True)]),
        "\ufeff" + "\n".join([f'"label",{HEAD}', *rows(), "", ""]),
    ],
    ids=["no head", "Kaggle's", "label last", "quoted"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_pixels(tmp_path, monkeypatch, text, packed):
    monkeypatch.setattr(tables, "BLOCK_LINES", 7)
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    images, labels = datasets.load(make(path, tmp_path / "data", KEEP).sources["train"])
    np.testing.assert_array_equal(images[:, 0], IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


def test_a_size_that_is_no_square_and_labels_in_words(tmp_path):
    words = np.array(["cat", "dog", "ant", "bee"])[LABELS]
    (tmp_path / "a.csv").write_text("\n".join(rows(words)))
    made = make(tmp_path / "a.csv", tmp_path / "data", KEEP._replace(size=(4, 9)))
    np.testing.assert_array_equal(datasets.load(made.sources["train"]).images, IMAGES.reshape(40, 1, 4, 9))
    assert made.summary["classes"] == ["ant", "bee", "cat", "dog"]
    squares = make(tmp_path / "a.csv", tmp_path / "squares", Options(size=(3, 3)))
    assert squares.summary["shape"] == [1, 3, 3]


def line(number: int, text: str) -> str:
    changed = rows()
    changed[number] = text
    return "\n".join(changed)


BROKEN = {
    "line 9: expected a label and 36 pixels; got 35 pixels": line(8, rows()[8].rpartition(",")[0]),
    "line 9: a pixel is a whole number from 0 to 255; got '256'": line(
        8, rows()[8].rpartition(",")[0] + ",256"
    ),
    "line 9: a pixel is a whole number from 0 to 255; got '1.5'": line(
        8, rows()[8].rpartition(",")[0] + ",1.5"
    ),
    "line 9: a pixel is a whole number from 0 to 255; got '3x'": line(
        8, rows()[8].rpartition(",")[0] + ",3x"
    ),
    "line 9: a pixel is a whole number from 0 to 255; got 'nan'": line(
        8, rows()[8].rpartition(",")[0] + ",nan"
    ),
    "no column of labels: the head begins with 'pixel0'": "\n".join(
        [HEAD, *(",".join(map(str, i.ravel())) for i in IMAGES)]
    ),
    "34 columns beside the label, which are the pixels of no square; hint: --size": "0" + ",1" * 34,
    "no rows of pixels": f"label,{HEAD}\n",
    "labels must be whole numbers": line(3, "0.5," + rows()[3].partition(",")[2]),
}


@pytest.mark.parametrize("message", BROKEN)
def test_csv_files_that_are_none(tmp_path, message):
    (tmp_path / "a.csv").write_text(BROKEN[message])
    with pytest.raises(DataError, match=message):
        make(tmp_path / "a.csv", tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_an_empty_csv_file(tmp_path):
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(DataError, match=r"a.csv: "):
        make(tmp_path / "a.csv", tmp_path / "data")


# -- Parquet

pyarrow = pytest.importorskip("pyarrow")
NAMES = {"info": {"features": {"label": {"names": ["zero", "one", "two", "three"], "_type": "ClassLabel"}}}}


def png(image) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def write(path, images="struct", labels=LABELS, named=True, column="image") -> None:
    """A table as hubs have them: images are structs of bytes and path, or bytes."""
    import pyarrow.parquet as pq

    values = [png(image) for image in IMAGES[: len(labels)]]
    if images == "struct":
        values = [{"bytes": value, "path": f"{number}.png"} for number, value in enumerate(values)]
    table = pyarrow.table({column: values, "label": labels})
    if named:
        table = table.replace_schema_metadata({"huggingface": json.dumps(NAMES)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=9)


@pytest.mark.parametrize("images", ["struct", "bytes"])
@pytest.mark.parametrize("column", ["image", "img"])
def test_parquet(tmp_path, images, column):
    write(tmp_path / "a.parquet", images, column=column)
    made = make(tmp_path / "a.parquet", tmp_path / "data", KEEP)
    found, labels = datasets.load(made.sources["train"])
    np.testing.assert_array_equal(found[:, 0], IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert made.summary["classes"] == ["zero", "one", "two", "three"]


def test_a_folder_of_parquet_files_with_parts(tmp_path):
    write(tmp_path / "set" / "data" / "train-00000-of-00002.parquet", labels=LABELS[:20])
    write(tmp_path / "set" / "data" / "train-00001-of-00002.parquet", labels=LABELS[:12])
    write(tmp_path / "set" / "data" / "test-00000-of-00001.parquet", labels=LABELS[:8])
    made = make(tmp_path / "set", tmp_path / "data")
    assert {name: part["images"] for name, part in made.summary["parts"].items()} == {"train": 32, "test": 8}
    words = np.array(["b", "a", "b", "c"])
    write(tmp_path / "words.parquet", labels=words, named=False)
    assert make(tmp_path / "words.parquet", tmp_path / "words").summary["classes"] == ["a", "b", "c"]


def test_parquet_rows_without_an_image_are_left_out(tmp_path):
    import pyarrow.parquet as pq

    values = [{"bytes": png(image), "path": None} for image in IMAGES]
    values[3], values[5] = None, {"bytes": None, "path": "5.png"}
    pq.write_table(pyarrow.table({"image": values, "label": LABELS}), tmp_path / "a.parquet")
    made = make(tmp_path / "a.parquet", tmp_path / "data", KEEP)
    assert made.summary["left out"] == [
        {"file": "a.parquet row 3", "reason": "an empty file"},
        {"file": "a.parquet row 5 5.png", "reason": "an empty file"},
    ]
    assert made.summary["parts"]["train"]["images"] == 38


PARQUET = {
    "no column of images: it has picture, label": lambda path: write(path, column="picture"),
    "row 1 .*has no label": lambda path: write(path, labels=[1, None, 2]),
    "4 names of classes for labels up to 7": lambda path: write(path, labels=[1, 7]),
    "labels must be the numbers of classes, .* got -1 to 2": lambda path: write(path, labels=[-1, 2]),
    "a.parquet: no whole Parquet file": lambda path: path.write_bytes(b"PAR1 none"),
    "a.parquet: no whole Parquet file: Parquet file size is 0": lambda path: path.write_bytes(b""),
    "no rows of images": lambda path: write(path, labels=np.zeros(0, int)),
}


@pytest.mark.parametrize("message", PARQUET)
def test_parquet_files_that_are_none(tmp_path, message):
    PARQUET[message](tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message):
        make(tmp_path / "a.parquet", tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_images_of_another_type(tmp_path):
    import pyarrow.parquet as pq

    pq.write_table(pyarrow.table({"image": [1, 2], "label": [0, 1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="column 'image' must hold bytes, or structs with bytes; got int64"):
        make(tmp_path / "a.parquet", tmp_path / "data")


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(
        ConfigError, match=r"needs the package pyarrow; hint: pip install 'minicaffe\[parquet\]'"
    ):
        make(tmp_path / "a.parquet", tmp_path / "data")


def test_pyarrow_is_imported_for_parquet_alone(tmp_path):
    (tmp_path / "a.csv").write_text("\n".join(rows()))
    program = "import sys\nfrom minicaffe.data.making import make\n"
    program += "make(sys.argv[1], sys.argv[2])\nassert 'pyarrow' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.csv"), str(tmp_path / "data")], check=True, cwd=ROOT
    )


def test_lines_are_counted_as_an_editor_does(tmp_path):
    (tmp_path / "a.csv").write_text(f"{rows()[0]}\n\n{rows()[1]}\n1,2\n")
    with pytest.raises(DataError, match="line 4: expected a label and 36 pixels"):
        make(tmp_path / "a.csv", tmp_path / "data")


HEADS = {
    "column 'label' stands among the pixels": f"id,label,{','.join('abcdefg')}\n0,1,2,3,4,5,6,7,8\n",
    "no CSV: field larger": "x" * 200_000,
    "no CSV: new-line character": "label,a\r1,2\r",
    "the label '' cannot be the name of a class": "label,a\n,2\ncat,3\n",
}


@pytest.mark.parametrize("message", HEADS)
def test_csv_heads_and_labels_that_are_none(tmp_path, message):
    (tmp_path / "a.csv").write_bytes(HEADS[message].encode())
    with pytest.raises(DataError, match=message):
        make(tmp_path / "a.csv", tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[1], [2, 3]] * 20, "labels must be whole numbers, or texts; got list"),
        ([b"a\xff", b"b"] * 20, "labels that are texts must be UTF-8"),
    ],
)
def test_parquet_labels_that_are_none(tmp_path, labels, message):
    pytest.importorskip("pyarrow")
    write(tmp_path / "a.parquet", labels=labels, named=False)
    with pytest.raises(DataError, match=message):
        make(tmp_path / "a.parquet", tmp_path / "data")


def test_parquet_files_among_others(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "hub" / "a.parquet").mkdir(parents=True)
    write(tmp_path / "hub" / "a.parquet" / "part.parquet")
    (tmp_path / "hub" / "cover.png").write_bytes(b"")
    made = make(tmp_path / "hub", tmp_path / "data")
    assert made.summary["left out"] == [{"file": "cover.png", "reason": "an image beside Parquet files"}]
