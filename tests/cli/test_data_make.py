"""minicaffe data make, and what can be done with what it made."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datasets
from minicaffe.data.making import Options, make

from ..support.running import PROTOTXT, run

NET = PROTOTXT / "digits" / "all_in_one.prototxt"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path):
    """300 of the digits as files, in a folder for each."""
    images, labels = datasets.load("digits/train")
    for number, (image, label) in enumerate(zip(images[:300], labels)):
        (tmp_path / "photos" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0] * np.uint8(15)).save(tmp_path / "photos" / str(label) / f"{number}.png")
    return tmp_path / "photos"


def test_what_is_said(photos, capsys):
    (photos / "3" / "notes.txt").write_text("?")
    (photos / "3" / "zero.png").write_bytes(b"")
    result = run(capsys, "data", "make", "photos", "--val", "20%", "--size", "8x8")
    assert result.status == 0 and result.err == ""
    said = result.out
    assert re.search(r"^ +class +train +val$", said, re.M) and re.search(r"^9 +9 +\d+ +\d+$", said, re.M)
    assert re.search(r"photos-data: train 24\d, val [56]\d images, 8x8, gray", said)
    assert "mean " in said and "photos-data/mean.binaryproto" in said
    assert "2 files are left out: no image by its name (.txt): 1, an empty file: 1" in said
    assert "  3/zero.png: an empty file\n" in said
    assert '  data_param { source: "photos-data/train"  backend: IDX  batch_size: 64 }' in said
    info = json.loads(run(capsys, "data", "info", "photos-data", "--json").out)
    assert [part["name"] for part in info] == ["photos-data/train", "photos-data/val"]
    assert info[0]["names"] == [str(digit) for digit in range(10)] and info[0]["shape"] == [1, 8, 8]
    again = run(capsys, "data", "make", "photos/", "--val", 20)
    assert again.status == 1 and "photos-data: exists already" in again.err and again.err.count("\n") == 1


@pytest.mark.parametrize("kind", ["idx", "lmdb"])
def test_what_is_made_trains(photos, capsys, kind):
    make("photos", "made", Options(kind=kind, val=20))
    trained = run(capsys, "train", NET, "--source", "made", "--iterations", 2)
    assert trained.status == 0, trained.err
    assert 'source: "made/train"' in trained.err and 'source: "made/val"' in trained.err
    assert "num_output: 10" in trained.err


def test_hdf5_says_what_to_write(photos, capsys):
    made = run(capsys, "data", "make", "photos", "-o", "made", "--kind", "hdf5")
    assert '  hdf5_data_param { source: "made/train.txt"  batch_size: 64 }' in made.out
    info = run(capsys, "data", "info", "made")
    assert info.status == 1 and "made/summary.json says what it holds" in info.err


def test_a_folder_trains_as_it_is(photos, capsys):
    sources = "photos[:80%],photos[80%:]"
    trained = run(capsys, "train", NET, "--source", sources, "--iterations", 2)
    assert trained.status == 0, trained.err
    assert trained.err.count("backend: FOLDER") == 2 and "num_output: 10" in trained.err
    alone = run(capsys, "train", NET, "--source", "photos")
    assert alone.status == 1 and "such as photos[:80%],photos[80%:] of a folder" in alone.err
    (photos / "3" / "Thumbs.db").write_bytes(b"")
    (photos / "3" / "zero.png").write_bytes(b"")
    info = run(capsys, "data", "info", "photos")
    assert "images   300 of 1x8x8, uint8" in info.out
    assert "left out 2 files: no image Pillow knows: 1, no image by its name (.db): 1" in info.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photos", "--size", "8y8"], "--size: a size is like 28 or 240x320"),
        (["photos", "--resize", "zoom"], "invalid choice: 'zoom'"),
        (["photos", "--gray", "--color"], "both --gray and --color"),
        (["photos", "--val", "most"], "--val: invalid float value: 'most'"),
        (["nowhere"], "no such file or folder: 'nowhere'"),
        ([], "the following arguments are required: SOURCE"),
        (["photos", "--siez", "8"], "no flag '--siez'.*did you mean --size"),
    ],
)
def test_what_cannot_be(photos, capsys, words, message):
    result = run(capsys, "data", "make", *words)
    assert result.status == 1 and result.err.count("\n") == 1 and re.search(message, result.err)
    assert [path.name for path in photos.parent.iterdir()] == ["photos"]


def test_help_says_how_images_are_read_and_resized(capsys):
    with pytest.raises(SystemExit):
        run(capsys, "data", "make", "--help")
    said = capsys.readouterr().out
    for words in ("of 16 bits the upper 8", "half-crop", "an empty class folder", "What SOURCE can be:"):
        assert words in said
