"""convert_imageset: Caffe's databases byte for byte, and what the Data layer reads of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minicaffe.data import encoding, images
from minicaffe.data.database import Database, DatabaseWriter
from minicaffe.data.datum import from_array
from minicaffe.data.images import Channels
from minicaffe.errors import ConfigError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import Datum, NetParameter

from ..data.test_images import BGR, GREY, RGB, stored
from ..support.running import ROOT, run

lmdb = pytest.importorskip("lmdb")

GOLDEN = Path(__file__).parent.parent / "golden" / "data"


def content(path) -> list[tuple[bytes, bytes]]:
    with lmdb.open(str(path), readonly=True, lock=False) as store, store.begin() as transaction:
        return list(transaction.cursor())


def datums(path) -> dict[str, Datum]:
    return {key.decode(): Datum.FromString(value) for key, value in content(path)}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Images a.png (colour), b.png (grey) and c.jpg, 6 x 5 each, and their list."""
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(stored(RGB))
    Path("b.png").write_bytes(stored(GREY))
    Path("c.jpg").write_bytes(stored(RGB, "JPEG"))
    Path("list").write_text("a.png 3\nb.png -1\nc.jpg 5\n")
    return tmp_path


# -- as Caffe


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("lmdb_raw", []),
        ("lmdb_gray", ["--gray=true"]),
        ("lmdb_png", ["-encoded", "--shuffle=false"]),
        ("lmdb_resized", ["--resize_height=20", "--resize_width", "18"]),
    ],
)
def test_caffes_databases(capsys, monkeypatch, tmp_path, name, flags):
    monkeypatch.chdir(GOLDEN)
    wanted = content(name)
    listed = tmp_path / "list"
    listed.write_text("".join((GOLDEN / "list.txt").read_text().splitlines(True)[: len(wanted)]))
    result = run(capsys, "convert_imageset", *flags, "./", listed, tmp_path / "db")
    assert result.status == 0
    assert content(tmp_path / "db") == wanted


def test_the_data_layer_reads_the_images(capsys, folder):
    assert run(capsys, "convert_imageset", "", "list", "db").status == 0
    layer = 'type: "Data" top: "data" top: "label" data_param { source: "db" batch_size: 3 backend: LMDB }'
    net = Net(text.parse(f"layer {{ name: 'd' {layer} }}", NetParameter), phase="TEST")
    batch = net.forward()
    for index, path in enumerate(["a.png", "b.png", "c.jpg"]):
        np.testing.assert_array_equal(batch["data"][index], images.read(path))
    assert batch["label"].tolist() == [3, -1, 5]


def test_the_log(capsys, folder):
    Path("list").write_text("a.png 3\n" * 2001)
    result = run(capsys, "convert_imageset", "--shuffle", "--encode_type=png", "./", "list", "db")
    assert [line.split("] ", 1)[1] for line in result.err.splitlines()] == [
        "Shuffling data",
        "A total of 2001 images.",
        "encode_type specified, assuming encoded=true.",
        "Opened lmdb db",
        "Processed 1000 files.",
        "Processed 2000 files.",
        "Processed 2001 files.",
    ]


def test_the_shuffled_order_follows_from_the_seed(capsys, folder):
    Path("list").write_text("".join(f"a.png {label}\n" for label in range(50)))
    for name, flags in {
        "one": [],
        "again": ["--seed=0"],
        "two": ["--seed=1"],
        "plain": ["--noshuffle"],
    }.items():
        assert run(capsys, "convert_imageset", "-shuffle", *flags, "./", "list", name).status == 0
    orders = {name: [d.label for d in datums(name).values()] for name in ("one", "again", "two", "plain")}
    assert orders["one"] == orders["again"] != orders["two"] and orders["plain"] == list(range(50))
    assert sorted(orders["one"]) == sorted(orders["two"]) == orders["plain"]
    assert list(datums("one"))[:2] == ["00000000_a.png", "00000001_a.png"]


def test_the_script(folder):
    for words, status in ((["./", "list", "db"], 0), ([], 1)):
        script = [sys.executable, str(ROOT / "tools" / "convert_imageset.py"), *words]
        result = subprocess.run(script, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
        assert result.returncode == status, result.stderr
    assert "ROOTFOLDER/, LISTFILE, DB_NAME; hint: see minicaffe convert_imageset --help" in result.stderr
    assert len(datums("db")) == 3


# -- encoded images


def test_files_are_kept_that_give_the_pixels_asked_for(capsys, folder):
    run(capsys, "convert_imageset", "--encoded", "./", "list", "colour")
    run(capsys, "convert_imageset", "--encoded", "--gray", "./", "list", "grey")
    colour, grey = ([d.data for d in datums(name).values()] for name in ("colour", "grey"))
    a, b, c = (Path(name).read_bytes() for name in ("a.png", "b.png", "c.jpg"))
    assert (colour[0] == a, colour[1] == b, colour[2] == c) == (True, False, True)
    assert (grey[0] == a, grey[1] == b, grey[2] == c) == (False, True, False)
    for name, kind in (("colour", Channels.COLOR), ("grey", Channels.GRAY)):
        database = Database(name)
        for index, path in enumerate(["a.png", "b.png"]):
            np.testing.assert_array_equal(database.read(index)[0], images.read(path, kind))
        assert database.read(2)[0].shape == (3 if name == "colour" else 1, 6, 5)


def test_another_kind_or_size_is_encoded_anew(capsys, folder):
    run(capsys, "convert_imageset", "--encode_type", "png", "./", "list", "db")
    assert datums("db")["00000002_c.jpg"].data.startswith(b"\x89PNG")
    np.testing.assert_array_equal(Database("db").read(2)[0], images.read("c.jpg"))
    Path("d.gif").write_bytes(stored(GREY, "GIF"))
    Path("list2").write_text("d.gif 1\n")
    run(capsys, "convert_imageset", "--encode_type=png", "./", "list2", "gif")
    assert datums("gif")["00000000_d.gif"].data.startswith(b"\x89PNG")
    flags = ["--encode_type=JPG", "--resize_height=3", "--resize_width=4"]
    run(capsys, "convert_imageset", *flags, "./", "list", "small")
    assert datums("small")["00000002_c.jpg"].data.startswith(b"\xff\xd8")
    assert Database("small").read(0)[0].shape == (3, 3, 4)


@pytest.mark.parametrize("kind", sorted(encoding.KINDS))
@pytest.mark.parametrize("channels", [Channels.COLOR, Channels.GRAY])
def test_encoded_images_come_back(kind, channels):
    image = BGR if channels is Channels.COLOR else GREY[None]
    back = images.decode(encoding.encode(image, kind), channels)
    if kind in ("jpg", "jpeg"):
        assert back.shape == image.shape
    else:
        np.testing.assert_array_equal(back, image)
    assert encoding.same_kind(kind.upper(), kind) and encoding.same_kind("JPG", "jpeg")
    assert not encoding.same_kind("png", "jpg")


def test_kinds_that_nobody_writes(capsys, folder):
    with pytest.raises(ConfigError, match=r"images cannot be encoded as 'pnk'; hint: did you mean 'png'"):
        encoding.check("pnk")
    result = run(capsys, "convert_imageset", "--encode_type=pnk", "./", "list", "db")
    assert result.status == 1 and "cannot be encoded as 'pnk'" in result.err
    Path("noending").write_bytes(stored(GREY))
    Path("list").write_text("noending 1\n")
    result = run(capsys, "convert_imageset", "--encoded", "./", "list", "db")
    assert result.status == 1 and "list:1: images cannot be encoded as ''" in result.err
    assert not Path("db").exists()


# -- mistakes


def test_images_that_cannot_be_read_are_named_and_left_out(capsys, folder):
    Path("text.png").write_text("text")
    Path("list").write_text("gone.png 1\na.png 3\ntext.png 2\nb.png 4\n")
    result = run(capsys, "convert_imageset", "./", "list", "db")
    assert result.status == 0
    assert list(datums("db")) == ["00000001_a.png", "00000003_b.png"]
    assert "Could not open or find file ./gone.png (cannot read ./gone.png: No such file" in result.err
    assert "Could not open or find file ./text.png (./text.png: 4 bytes that are no image" in result.err
    assert "2 of 4 images could not be read, and are not in db" in result.err


def test_no_image_that_can_be_read(capsys, folder):
    result = run(capsys, "convert_imageset", "nowhere", "list", "db")
    assert result.status == 1 and not Path("db").exists()
    assert "none of the 3 images of list can be read; hint: is 'nowhere' the folder" in result.err


def test_sizes_that_differ(capsys, folder):
    Path("b.png").write_bytes(stored(RGB[:, :4]))
    assert run(capsys, "convert_imageset", "./", "list", "db").status == 0
    for more in ([], ["--encoded"]):
        result = run(capsys, "convert_imageset", "--check_size", *more, "./", "list", "checked")
        assert result.status == 1 and not Path("checked").exists()
        assert "list:2: all images must have the shape of the first, (3, 6, 5); got (3, 6, 4)" in result.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["./", "list"], "the following arguments are required: DB_NAME"),
        (["./", "list", "db", "more"], "surplus argument 'more'"),
        (["./", "none", "db"], "cannot read none: No such file or directory"),
        (["./", "a.png", "db"], "a.png: a PNG image"),
        (["./", "list", "list"], "list: exists already"),
        (["--backend=leveldb", "./", "list", "db"], "--backend must be lmdb; got 'leveldb'"),
        (["--resize_width=3", "./", "list", "db"], "need each other; got 0 and 3"),
        (["--resize_height=-1", "./", "list", "db"], "--resize_height: must be at least 0; got -1"),
        (["--gray=perhaps", "./", "list", "db"], "--gray is true or false; got 'perhaps'"),
        (["--shuffle", "--seed=-1", "./", "list", "db"], "--seed: must be at least 0; got -1"),
        (["--grey", "./", "list", "db"], "no flag '--grey'; hint: did you mean --gray"),
    ],
)
def test_mistakes(capsys, folder, words, complaint):
    before = sorted(folder.iterdir())
    result = run(capsys, "convert_imageset", *words)
    assert result.status == 1 and complaint in result.err
    assert sorted(folder.iterdir()) == before


def test_a_label_beyond_32_bits_is_no_image_to_leave_out(capsys, folder):
    Path("list").write_text("a.png 3\nb.png 4294967296\n")
    result = run(capsys, "convert_imageset", "./", "list", "db")
    assert result.status == 1 and "list:2: a label must fit 32 bits; got 4294967296" in result.err
    assert not Path("db").exists()


def test_numbers_are_left_out(tmp_path):
    with DatabaseWriter(tmp_path / "db") as database:
        database.skip()
        database.add(from_array(BGR))
        database.skip()
        database.add(from_array(BGR), "x")
    assert list(datums(tmp_path / "db")) == ["00000001", "00000003_x"] and database.count == 2
