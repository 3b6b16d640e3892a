"""A folder of class folders as records, and what is known of such a folder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minicaffe.data import class_folders
from minicaffe.data.class_folders import ImageFolder, find, mixed
from minicaffe.data.facts import Facts, backend, facts, parts
from minicaffe.data.images import Channels
from minicaffe.errors import ConfigError, DataError


@pytest.fixture
def photos(tmp_path):
    """Ten images of each of the classes 2 and 10, of the colour (10 k, 0, 255)."""
    for name in ("10", "2"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(10):
            color = (10 * k, 0, int(name))
            Image.new("RGB", (4, 3), color).save(tmp_path / "photos" / name / f"{k}.png")
    return tmp_path / "photos"


def test_classes_are_in_the_order_of_their_numbers(photos):
    found = find(photos)
    assert found.classes == ["2", "10"] and found.labels.tolist() == [0] * 10 + [1] * 10
    assert found.paths[:2] == ["2/0.png", "2/1.png"] and not found.left_out
    (photos / "a").mkdir()
    (photos / "a" / "1.PNG").write_bytes(b"")
    assert find(photos).classes == ["10", "2", "a"]


def test_records(photos):
    records = ImageFolder(str(photos))
    assert len(records) == 20 and sorted(map(records.label, range(20))) == [0] * 10 + [1] * 10
    for index in range(20):
        image, label = records.read(index)
        assert image.shape == (3, 3, 4) and label == records.label(index)
        blue, green, red = image[:, 0, 0]
        assert blue == (2, 10)[label] and green == 0
        assert records.place(index) == f"{photos}/{blue}/{red // 10}.png"
    assert ImageFolder(str(photos), Channels.GRAY).read(0)[0].shape == (1, 3, 4)


def test_grey_if_the_first_are_grey(photos):
    last = ImageFolder(str(photos)).place(19)
    for path in photos.glob("*/*.png"):
        Image.open(path).convert("L").save(path)
    assert ImageFolder(str(photos)).read(19)[0].shape == (1, 3, 4)
    assert ImageFolder(str(photos), Channels.COLOR).read(19)[0].shape == (3, 3, 4)
    Image.new("RGB", (4, 3), (1, 2, 3)).save(last)
    assert ImageFolder(f"{photos}[:2]").read(0)[0].shape == (3, 3, 4)
    assert class_folders.LOOKED_AT == 32


def test_ranges_divide_every_class_alike(photos):
    first, rest = ImageFolder(f"{photos}[:80%]"), ImageFolder(f"{photos}[80%:]")
    for records, count in ((first, 8), (rest, 2)):
        assert sorted(map(records.label, range(len(records)))) == [0] * count + [1] * count
    places = [r.place(index) for r in (first, rest) for index in range(len(r))]
    assert len(set(places)) == 20 and places == [ImageFolder(str(photos)).place(i) for i in range(20)]
    with pytest.raises(DataError, match="the range reaches beyond the 20 samples"):
        ImageFolder(f"{photos}[:21]")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=200), st.integers(0, 200))
def test_any_range_has_of_every_class_its_share(labels, end):
    labels = np.array(labels)
    order = mixed(labels)
    assert sorted(order.tolist()) == list(range(len(labels)))
    end = min(end, len(labels))
    for label in np.unique(labels):
        share = (labels == label).mean() * end
        assert abs((labels[order[:end]] == label).sum() - share) <= 2.5


def test_what_is_left_out_is_told(photos, caplog):
    (photos / "2" / "Thumbs.db").write_bytes(b"")
    (photos / "2" / ".x.png").write_bytes(b"")
    with caplog.at_level("INFO", "minicaffe"):
        ImageFolder(str(photos))
    assert "2 files of" in caplog.text and "no image by its name (.db): 1, hidden: 1" in caplog.text


def test_folders_that_are_none(photos, tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*nowhere: No such file"):
        find(tmp_path / "nowhere")
    with pytest.raises(
        DataError, match=r"no classes: .* hint: move the 10 files into folders named by class"
    ):
        find(photos / "2")
    (photos / "empty").mkdir()
    with pytest.raises(DataError, match=r"photos/empty: a class without images; hint: put images in"):
        find(photos)
    (photos / "empty").rename(photos / "a\nb")
    with pytest.raises(DataError, match="cannot be the name of a class"):
        find(photos)
    (tmp_path / "set" / "train").mkdir(parents=True)
    (tmp_path / "set" / "val").mkdir()
    with pytest.raises(ConfigError, match=r"its folders train, val are parts .* hint: give one"):
        find(tmp_path / "set")


def test_facts(photos, tmp_path):
    assert backend(str(photos)) == backend(f"{photos}[:80%]") == "FOLDER"
    assert facts(f"{photos}[:80%]", "FOLDER") == Facts(16, 2)
    assert backend(str(photos / "2")) == "LMDB" and backend("digits/train") == "IDX"
    (photos / "data.mdb").write_bytes(b"")
    assert backend(str(photos)) == "LMDB"
    assert parts("digits") == {"train": "digits/train", "test": "digits/test"} and parts(str(photos)) == {}
    for name in ("Train", "validation"):
        (tmp_path / "set" / name).mkdir(parents=True)
    assert parts(str(tmp_path / "set")) == {
        "train": f"{tmp_path}/set/Train",
        "val": f"{tmp_path}/set/validation",
    }
    assert class_folders.is_one(str(tmp_path)) and not class_folders.is_one(str(tmp_path / "none"))


def test_parts_that_are_not_clear_are_refused(tmp_path):
    for name in ("train", "training"):
        (tmp_path / "twice" / name / "a").mkdir(parents=True)
    with pytest.raises(ConfigError, match="two of its folders are the same part: train, training"):
        parts(str(tmp_path / "twice"))
    for name in ("train", "test", "unlabelled"):
        (tmp_path / "mixed" / name).mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"test, train are parts of a data set.*move unlabelled out"):
        find(tmp_path / "mixed")
