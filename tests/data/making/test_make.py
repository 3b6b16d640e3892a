"""Data sets made of folders and lists of images."""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datasets
from minicaffe.data.database import Database
from minicaffe.data.hdf5 import HDF5Batches
from minicaffe.data.images import Channels
from minicaffe.data.making import Options, make, parts
from minicaffe.errors import ConfigError, DataError, MiniCaffeError
from minicaffe.proto import binary
from minicaffe.proto.schema import BlobProto

ROOT = Path(__file__).parents[3]


def picture(value: int, size=(6, 5), color=None) -> Image.Image:
    """A picture, rows x columns, whose first pixel is `value`."""
    pixels = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size)
    pixels[0, 0] = value
    image = Image.fromarray(pixels)
    if color is not None:
        image = image.convert("RGB")
        image.putpixel((0, 0), color)
    return image


@pytest.fixture
def photos(tmp_path):
    """Two classes: cats of the numbers 0 to 9, dogs of 10 to 29, some in a folder of their own."""
    for number in range(30):
        path = tmp_path / "photos" / ("cats" if number < 10 else "dogs/more" if number % 2 else "dogs")
        path.mkdir(parents=True, exist_ok=True)
        picture(number).save(path / f"{number}.png")
    return tmp_path / "photos"


def numbers(source) -> dict[int, int]:
    """What the first pixels of a part are, and the labels."""
    images, labels = datasets.load(str(source))
    return dict(zip(images[:, 0, 0, 0].tolist(), labels.tolist()))


def test_a_folder_of_class_folders(photos, tmp_path):
    made = make(photos, tmp_path / "data", Options(val=20, test=10))
    assert made.folder == tmp_path / "data" and list(made.sources) == ["train", "val", "test"]
    found = {part: numbers(source) for part, source in made.sources.items()}
    assert {part: len(images) for part, images in found.items()} == {"train": 21, "val": 6, "test": 3}
    every = {number: label for part in found.values() for number, label in part.items()}
    assert every == {number: int(number >= 10) for number in range(30)}
    images, _ = datasets.load(made.sources["train"])
    np.testing.assert_array_equal(images[:, 0].reshape(21, -1)[:, 1:], [range(1, 30)] * 21)
    assert list(found["train"]) != sorted(found["train"])  # shuffled
    assert (tmp_path / "data" / "labels.txt").read_text() == "cats\ndogs\n"
    summary = json.loads((tmp_path / "data" / "summary.json").read_text())
    assert summary == made.summary and summary["shape"] == [1, 6, 5]
    assert summary["parts"]["val"] == {"images": 6, "classes": {"0": 2, "1": 4}}
    mean = binary.parse((tmp_path / "data" / "mean.binaryproto").read_bytes(), BlobProto)
    assert (mean.num, mean.channels, mean.height, mean.width) == (1, 1, 6, 5)
    np.testing.assert_allclose(mean.data, images.mean(axis=0, dtype=float).ravel(), rtol=1e-6)
    np.testing.assert_allclose(summary["mean_values"], images.mean(), rtol=1e-12)
    np.testing.assert_allclose(summary["std_values"], images.std(), rtol=1e-12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "photos"]


def test_the_same_seed_gives_the_same_files_however_many_threads(photos, tmp_path):
    for name, options in {
        "one": Options(val=20, threads=1),
        "many": Options(val=20, threads=5),
        "other": Options(val=20, seed=1),
    }.items():
        make(photos, tmp_path / name, options)
    files = {
        name: (tmp_path / name / "val-images-idx3-ubyte").read_bytes() for name in ("one", "many", "other")
    }
    assert files["one"] == files["many"] != files["other"]


def test_it_tells_how_far_it_is(photos, tmp_path):
    told = []
    make(photos, tmp_path / "data", tell=lambda done, total: told.append((done, total)))
    assert told[-1] == (30, 30) and told == sorted(told) and {total for _, total in told} == {30}


def test_order_is_kept_if_asked_for(photos, tmp_path):
    made = make(photos, tmp_path / "data", Options(keep_order=True))
    assert list(numbers(made.sources["train"]).values()) == [0] * 10 + [1] * 20


def test_lmdb_and_hdf5_hold_the_same(photos, tmp_path):
    idx = make(photos, tmp_path / "idx", Options(val=50))
    lmdb = make(photos, tmp_path / "lmdb", Options(kind="lmdb", val=50))
    encoded = make(photos, tmp_path / "png", Options(kind="lmdb", encode="png", val=50))
    hdf5 = make(photos, tmp_path / "hdf5", Options(kind="hdf5", val=50))
    images, labels = datasets.load(idx.sources["val"])
    for made in (lmdb, encoded):
        database = Database(made.sources["val"])
        for index, (image, label) in enumerate(zip(images, labels)):
            found, number = database.read(index)
            np.testing.assert_array_equal(found, image)
            assert number == label
    rows = [np.empty((15, 1, 6, 5), np.float32), np.empty(15, np.float32)]
    HDF5Batches(hdf5.sources["val"], ["data", "label"], 15)(0, rows)
    np.testing.assert_array_equal(rows[0], images)
    np.testing.assert_array_equal(rows[1], labels)
    assert "cats" in Database(lmdb.sources["train"]).place(0) + Database(lmdb.sources["train"]).place(5)


def test_an_encoded_database_keeps_the_files_own_bytes(photos, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    shutil.rmtree(photos / "dogs" / "more")
    for number, path in enumerate(photos.glob("*/*.png")):
        Image.fromarray(noise).save(path.with_suffix(".jpg"), quality=20 + number)
        path.unlink()
    made = make(photos, tmp_path / "data", Options(kind="lmdb", encode="jpg", keep_order=True))
    database = Database(made.sources["train"], Channels.COLOR)
    first = sorted((photos / "cats").iterdir())[0]
    assert first.read_bytes() in (tmp_path / "data" / "train" / "data.mdb").read_bytes()
    assert database.read(0)[0].shape == (3, 40, 30)
    small = make(photos, tmp_path / "small", Options(kind="lmdb", encode="jpg", size=(8, 8)))
    assert Database(small.sources["train"]).read(3)[0].shape == (3, 8, 8)


def test_one_coloured_pixel_makes_all_colour(photos, tmp_path):
    assert make(photos, tmp_path / "grey").summary["channels"] == "gray"
    picture(7).convert("RGB").save(photos / "cats" / "7.png")  # colour by its form alone
    assert make(photos, tmp_path / "still").summary["shape"] == [1, 6, 5]
    picture(7, color=(200, 100, 7)).save(photos / "cats" / "7.png")
    made = make(photos, tmp_path / "colour", Options(keep_order=True))
    images, _ = datasets.load(made.sources["train"])
    assert (tmp_path / "colour" / "train-images-idx4-ubyte").exists() and images.shape == (30, 3, 6, 5)
    assert images[7, :, 0, 0].tolist() == [7, 100, 200] and images[8, :, 0, 0].tolist() == [8, 8, 8]
    assert make(photos, tmp_path / "gray", Options(channels="gray")).summary["shape"] == [1, 6, 5]
    assert not list((tmp_path / "colour").glob("*idx3*"))  # nothing of the first try


def test_a_list_of_images(photos, tmp_path, monkeypatch):
    (photos / "list.txt").write_text("cats/1.png 3\ndogs/more/11.png 0\ncats/2.png 3\n")
    made = make(photos / "list.txt", tmp_path / "data")
    assert numbers(made.sources["train"]) == {1: 3, 11: 0, 2: 3}
    assert made.summary["classes"] == ["0", "1", "2", "3"]
    (photos / "labels.txt").write_text("dog\nfox\nowl\ncat\n")
    assert make(photos / "list.txt", tmp_path / "named").summary["classes"] == ["dog", "fox", "owl", "cat"]
    (tmp_path / "far.txt").write_text("1.png 0\n2.png 1\n")
    made = make(tmp_path / "far.txt", tmp_path / "rooted", Options(root=f"{photos}/cats/"))
    assert numbers(made.sources["train"]) == {1: 0, 2: 1}
    monkeypatch.chdir(photos / "cats")
    assert len(numbers(make(tmp_path / "far.txt", tmp_path / "here").sources["train"])) == 2
    (photos / "list.txt").write_text("cats/1.png -3\n")
    with pytest.raises(DataError, match=r"list.txt: labels must be the numbers of classes.*; got -3"):
        make(photos / "list.txt", tmp_path / "none")


def test_folders_of_parts_are_parts(photos, tmp_path):
    (tmp_path / "set").mkdir()
    shutil.copytree(photos, tmp_path / "set" / "train")
    shutil.copytree(photos / "dogs", tmp_path / "set" / "Test" / "dogs")
    made = make(tmp_path / "set", tmp_path / "data", Options(val=20))
    assert {name: part["images"] for name, part in made.summary["parts"].items()} == {
        "train": 24,
        "val": 6,
        "test": 20,
    }
    assert set(numbers(made.sources["test"]).values()) == {1}
    with pytest.raises(ConfigError, match="the source has a part test already"):
        make(tmp_path / "set", tmp_path / "none", Options(test=20))


# -- what cannot be read


def broken() -> dict[str, tuple[bytes, str]]:
    """Files that are no images, and what is said of them."""
    out = io.BytesIO()
    picture(1, (60, 50)).save(out, "PNG")
    return {
        "text.png": (b"hello", "no image Pillow knows"),
        "empty.png": (b"", "an empty file"),
        "short.png": (out.getvalue()[:-40], "not a whole image"),
        "page.jpg": (b"<html>not found</html>", "no image Pillow knows"),
    }


def test_what_is_left_out_is_listed(photos, tmp_path):
    for name, (content, _) in broken().items():
        (photos / "dogs" / name).write_bytes(content)
    for path in ("Thumbs.db", "cats/notes.txt", "cats/.hidden.png", "dogs/more/README", "stray.png"):
        (photos / path).write_bytes(b"?")
    (photos / ".git" / "x").mkdir(parents=True)
    (photos / "cats" / "elsewhere").symlink_to(photos / "dogs", target_is_directory=True)
    made = make(photos, tmp_path / "data")
    left_out = {entry["file"]: entry["reason"] for entry in made.summary["left out"]}
    for name, (_, reason) in broken().items():
        assert reason in left_out.pop(f"dogs/{name}")
    assert left_out == {
        ".git": "hidden",
        "Thumbs.db": "in no class folder",
        "stray.png": "in no class folder",
        "cats/.hidden.png": "hidden",
        "cats/notes.txt": "no image by its name (.txt)",
        "cats/elsewhere": "a link to a folder",
        "dogs/more/README": "no image by its name (no ending)",
    }
    assert made.summary["unreadable"] == 4 and len(numbers(made.sources["train"])) == 30
    with pytest.raises(DataError, match=r"dogs/\w+\.\w+: .*; hint: without --strict it would be left out"):
        make(photos, tmp_path / "strict", Options(strict=True))
    assert not (tmp_path / "strict").exists()


def test_kinds_of_images_that_lose_something_are_told(photos, tmp_path):
    cats = photos / "cats"
    deep = np.full((6, 5), 0x1234, np.uint16)
    deep[0, 0] = 0xFF00
    Image.fromarray(deep).save(cats / "deep.png")
    picture(50).save(cats / "film.gif", save_all=True, append_images=[picture(60)])
    picture(51).save(cats / "film.png", save_all=True, append_images=[picture(61)])
    picture(40).convert("LA").save(cats / "alpha.png")
    picture(5, (6, 5), (255, 0, 0)).convert("CMYK").save(cats / "ink.jpg", quality=100)
    Image.new("L", (5, 6), 9).save(cats / "blank.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right
    picture(77, (5, 6)).save(cats / "turned.png", exif=turned)
    made = make(photos, tmp_path / "data", Options(keep_order=True))
    assert made.summary["remarks"] == {
        "16 bits per value: the upper 8 are taken": ["cats/deep.png"],
        "several frames: the first is taken": ["cats/film.gif", "cats/film.png"],
        "transparent: opacity is not taken": ["cats/alpha.png"],
        "blank: all pixels are alike": ["cats/blank.png"],
    }
    images, _ = datasets.load(made.sources["train"])
    assert images.shape == (37, 3, 6, 5) and made.summary["unreadable"] == 0
    of = dict(zip(sorted(path.name for path in cats.iterdir()), images))
    assert of["deep.png"][:, 0, 0].tolist() == [0xFF] * 3 and of["deep.png"][0, 1, 1] == 0x12
    assert of["film.gif"][0, 0, 0] == 50 and of["film.png"][0, 0, 0] == 51 and of["alpha.png"][0, 0, 0] == 40
    assert of["turned.png"][0, 0, -1] == 77  # the first pixel went to the upper right
    blue, green, red = of["ink.jpg"][:, 0, 0].tolist()
    assert red > 150 and red > 2 * blue and red > 2 * green


def test_names_that_are_no_utf8(photos, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    (photos / "cats" / name).write_bytes(b"none")
    made = make(photos, tmp_path / "data", Options(kind="lmdb"))
    assert [entry["file"] for entry in made.summary["left out"]] == ["cats/caf\\xe9.png"]
    picture(99).save(photos / "cats" / name)
    made = make(photos, tmp_path / "lmdb", Options(kind="lmdb", keep_order=True))
    database = Database(made.sources["train"])
    assert any("caf" in database.place(index) for index in range(11))


def test_more_than_half_is_an_error(photos, tmp_path):
    for path in sorted((photos / "dogs").rglob("*.png"))[:16]:
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="photos: more than half of the 30 images cannot be read; dogs/"):
        make(photos, tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_class_of_which_nothing_is_left_is_an_error(photos, tmp_path):
    for path in (photos / "cats").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="no image of class 'cats' can be read; cats/"):
        make(photos, tmp_path / "data")


FOLDERS = {
    "a class without images": lambda photos: (photos / "foxes").mkdir(),
    "no classes: expected a folder for each class": lambda photos: [
        shutil.rmtree(photos / name) for name in ("cats", "dogs")
    ],
    "images of different sizes: .* hint: --size HxW": lambda photos: picture(1, (7, 5)).save(
        photos / "cats" / "1.png"
    ),
}


@pytest.mark.parametrize("message", FOLDERS)
def test_folders_that_are_none(photos, tmp_path, message):
    FOLDERS[message](photos)
    with pytest.raises(MiniCaffeError, match=message):
        make(photos, tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


OPTIONS = [
    (Options(kind="leveldb"), "no kind of data set 'leveldb'"),
    (Options(resize="stretch"), "no way to resize 'stretch'"),
    (Options(encode="png"), "idx holds pixels, not png files; hint: --kind lmdb"),
    (Options(kind="lmdb", encode="pgn"), "cannot be encoded as 'pgn'; hint: did you mean 'pgm' or 'png'"),
    (Options(val=60, test=40), "percentages from 0 on that leave some images for training"),
    (Options(val=-1), "percentages from 0"),
    (Options(size=(0, 5)), "a size must be 1x1 at least"),
    (Options(size=(10_000, 10_000)), "a size may have 67108864 pixels; got 10000x10000"),
    (Options(fill=256), "borders are filled with 0 to 255; got 256"),
    (Options(channels="rgb"), "channels must be one of auto, gray, color"),
    (Options(labels="x.npy"), "--labels names the labels of a .npy"),
    (Options(root="x/"), "--root goes before the paths of a list"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_options_that_do_not_fit(photos, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        make(photos, tmp_path / "data", options)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_places_that_cannot_be(photos, tmp_path):
    with pytest.raises(DataError, match=r"no such file or folder: '.*nowhere'"):
        make(tmp_path / "nowhere", tmp_path / "data")
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match="data: exists already; hint: remove it, or name another"):
        make(photos, tmp_path / "data")
    with pytest.raises(DataError, match=r"cannot write .*/no/data: No such file or directory"):
        make(photos, tmp_path / "no" / "data")
    with pytest.raises(ConfigError, match=r"photos/data would lie in .*photos; hint: -o FOLDER"):
        make(photos, photos / "data")
    (tmp_path / "a b").mkdir()
    with pytest.raises(ConfigError, match="a list of paths without spaces"):
        make(photos, tmp_path / "a b" / "data", Options(kind="hdf5"))


def test_images_of_many_sizes_in_a_database(photos, tmp_path):
    picture(1, (7, 9)).save(photos / "cats" / "1.png")
    made = make(photos, tmp_path / "data", Options(kind="lmdb"))
    assert made.summary["shape"] is None and made.summary["mean_values"] == []
    assert not (tmp_path / "data" / "mean.binaryproto").exists()
    shapes = {Database(made.sources["train"]).read(index)[0].shape for index in range(30)}
    assert shapes == {(1, 6, 5), (1, 7, 9)}


def sizes(tmp_path, sides: tuple[int, int]) -> list[tuple[str, str]]:
    """What is left out of two classes of a square image each, the second beside a small one."""
    for name, side in zip(("large", "larger"), sides):
        (tmp_path / "photos" / name).mkdir(parents=True)
        image = Image.new("1", (side, side), 1)
        image.putpixel((0, 0), 0)
        image.save(tmp_path / "photos" / name / "1.png")
    picture(1).save(tmp_path / "photos" / "larger" / "2.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = make(tmp_path / "photos", tmp_path / "data", Options(size=(4, 4), channels="gray"))
    assert made.summary["parts"]["train"]["classes"] == {"0": 1, "1": 1}
    return [(entry["file"], entry["reason"]) for entry in made.summary["left out"]]


def test_more_pixels_than_pillow_takes_are_left_out(tmp_path, monkeypatch):
    """Pillow warns of more than MAX_IMAGE_PIXELS, and decodes them; twice as many it refuses."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90)
    ((file, reason),) = sizes(tmp_path, (10, 14))
    assert file == "larger/1.png" and reason.startswith("an image of more than 180 pixels")


@pytest.mark.slow
def test_a_hundred_megapixels_are_decoded(tmp_path):
    ((file, reason),) = sizes(tmp_path, (10_000, 13_400))
    assert file == "larger/1.png" and reason.startswith("an image of more than 178956970 pixels")


# -- interruptions


@pytest.mark.parametrize("raised", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("kind", parts.KINDS)
def test_an_interruption_leaves_nothing(photos, tmp_path, monkeypatch, kind, raised):
    def stop(*args):
        raise raised

    monkeypatch.setattr(parts.KINDS[kind], "finish" if kind != "lmdb" else "write", stop)
    with pytest.raises((KeyboardInterrupt, DataError)) as caught:
        make(photos, tmp_path / "data", Options(kind=kind))
    if caught.type is DataError:
        assert str(caught.value) == f"cannot write {tmp_path / 'data'}: No space left on device"
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_what_a_killed_run_left_is_removed_by_the_next(photos, tmp_path, caplog):
    waiting = "import time\nfrom minicaffe.data.making import prepare\n"
    waiting += "prepare.fit = lambda *a: (print('at work', flush=True), time.sleep(60))\n"
    program = waiting + "from minicaffe.data.making import make, Options\nimport sys\n"
    program += "make(sys.argv[1], sys.argv[2], Options(size=(3, 3)))"
    command = [sys.executable, "-c", program, str(photos), str(tmp_path / "data")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ})
    assert process.stdout.readline() == b"at work\n"
    left = [path for path in tmp_path.iterdir() if path.name.startswith(".data.")]
    make(photos, tmp_path / "other")  # of another name: left alone
    assert len(left) == 1 and left[0].exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert left[0].exists()
    mine = tmp_path / f".data.{os.getppid()}-00.part"  # of a process that runs
    mine.mkdir()
    make(photos, tmp_path / "data")
    assert not left[0].exists() and mine.exists() and (tmp_path / "data" / "labels.txt").exists()
    assert "which an interrupted run had left" in caplog.text and "which runs: left as it is" in caplog.text


def test_a_folder_that_only_looks_like_one_of_a_killed_run_stays(photos, tmp_path):
    for name in (".data.my-notes.part", ".data.99999999999999-00.part"):
        (tmp_path / name).mkdir()
    make(photos, tmp_path / "data")
    assert (tmp_path / ".data.my-notes.part").is_dir() and (
        tmp_path / ".data.99999999999999-00.part"
    ).is_dir()


def test_links_do_not_hide_where_a_folder_lies(photos, tmp_path):
    (tmp_path / "link").symlink_to(photos)
    with pytest.raises(ConfigError, match="would lie in"):
        make(photos, tmp_path / "link" / "data")
    with pytest.raises(DataError, match="one image is no data set"):
        make(photos / "cats" / "0.png", tmp_path / "data")


def test_a_list_of_hdf5_files_whose_names_are_no_utf8(photos, tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    made = make(photos, folder, Options(kind="hdf5"))
    assert os.fsencode(folder) in Path(made.sources["train"]).read_bytes()
