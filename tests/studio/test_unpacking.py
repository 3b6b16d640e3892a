"""Archives from the page: what is refused before anything is written, and what is unpacked."""

from __future__ import annotations

import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicaffe.errors import DataError
from minicaffe.studio import unpacking
from minicaffe.studio.unpacking import relative, source_in, unpack

from .pictures import png

BAD_NAMES = (
    "../up.png",
    "/root.png",
    "a/../../b.png",
    "C:/x.png",
    "a\\b.png",
    "a//b.png",
    "\x1b[2J.png",
    "x" * 300,
)


def archive(path, files, kind=0):
    """A zip archive; `kind` is the mode of the last file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (kind if name == list(files)[-1] else 0) << 16
            opened.writestr(info, content)
    return path


@pytest.fixture
def target(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_images_are_unpacked(tmp_path, target):
    files = {
        "photos/cats/1.png": png(1),
        "photos/read.me": b"?",
        "photos/.x.png": b"?",
        "__MACOSX/1.png": b"?",
    }
    assert unpack(archive(tmp_path / "a.zip", files), target) == 1
    assert [path.read_bytes() for path in target.rglob("*.png")] == [png(1)]
    assert not list(target.rglob("*.me"))


def refused(path, target, said):
    with pytest.raises(DataError, match=said):
        unpack(path, target)
    assert not list(target.iterdir())


@pytest.mark.parametrize("name", BAD_NAMES)
def test_hostile_names(tmp_path, target, name):
    refused(archive(tmp_path / "a.zip", {"cats/1.png": png(1), name: png(2)}), target, "refused|too long")
    assert not (tmp_path / "up.png").exists()


@pytest.mark.parametrize("kind", [0o120777, 0o020666, 0o010666], ids=["link", "device", "pipe"])
def test_links_and_devices(tmp_path, target, kind):
    refused(
        archive(tmp_path / "a.zip", {"cats/1.png": b"/etc/passwd"}, kind), target, "is a link or a device"
    )


def test_a_bomb(tmp_path, target, monkeypatch):
    monkeypatch.setattr(unpacking, "SMALL_BYTES", 1 << 20)
    refused(archive(tmp_path / "a.zip", {"cats/1.bmp": bytes(2 << 20)}), target, "would unpack to")


def test_a_file_that_is_longer_than_it_says(tmp_path, target):
    path = archive(tmp_path / "a.zip", {"cats/1.png": bytes(10_000)})
    lying = path.read_bytes().replace((10_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(lying)
    with pytest.raises(DataError):
        unpack(path, target)
    assert sum(file.stat().st_size for file in target.rglob("*.png")) <= 100


@pytest.mark.parametrize(
    "damage",
    [lambda z: z[: len(z) // 2], lambda z: b"no zip", lambda z: b"", lambda z: z.replace(b"IDAT", b"XXXX")],
)
def test_damaged_archives(tmp_path, target, damage):
    path = archive(tmp_path / "a.zip", {"cats/1.png": png(1)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError):
        unpack(path, target)


def test_two_files_of_one_name_and_none(tmp_path, target):
    with pytest.warns(UserWarning), zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("cats/1.png", png(1))
        opened.writestr("cats/1.png", png(2))
    refused(tmp_path / "a.zip", target, "two files")
    refused(archive(tmp_path / "b.zip", {"read.me": b"?"}), target, "no images")


@settings(max_examples=30, deadline=None)
@given(st.text("abC.:/\\\0 <", max_size=12))
def test_names_stay_inside(name):
    try:
        path = relative(name)
    except DataError:
        return
    assert not path.is_absolute() and ".." not in path.parts and str(path) == name.rstrip("/")


def test_what_data_is_made_of(tmp_path):
    (tmp_path / "a" / "photos" / "cats").mkdir(parents=True)
    assert source_in(tmp_path / "a") == tmp_path / "a" / "photos"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "digits.csv").touch()
    assert source_in(tmp_path / "b") == tmp_path / "b" / "digits.csv"
    (tmp_path / "c" / "cats").mkdir(parents=True)
    assert source_in(tmp_path / "c") == tmp_path / "c"
