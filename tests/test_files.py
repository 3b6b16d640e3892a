"""Files are read within limits, and what is no file of ours is called what it is."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from minicaffe import files
from minicaffe.errors import DataError, MiniCaffeError
from minicaffe.printable import printable
from minicaffe.proto import npy, safetensors_file
from minicaffe.proto.text import is_net


def test_a_file_within_the_limit(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345678")
    assert files.read_bytes(path, 8) == b"12345678" and files.read_start(path, 3) == b"123"
    with pytest.raises(DataError, match=r"cannot read .*x: it has more than 7 bytes"):
        files.read_bytes(path, 7)


def test_a_file_without_a_size_is_read_up_to_the_limit():
    """The size of what the kernel makes up, and of a pipe, is not known before."""
    assert files.read_bytes("/proc/self/status", 1 << 20)
    with pytest.raises(DataError, match="more than 10 bytes"):
        files.read_bytes("/proc/self/status", 10)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/dev/zero", "it is a device, not a file"),
        ("/", "it is a folder"),
        ("pipe", "it is a named pipe, not a file"),
        ("gone", "No such file"),
        ("a\0b", r"a\\x00b: embedded null"),
        ("x" * 300, "File name too long"),
        ("", "No such file"),
    ],
)
@pytest.mark.parametrize("read", [files.read_text, lambda path: files.read_start(path, 9)])
def test_what_is_no_file(name, message, read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")  # nobody writes to it
    with pytest.raises(DataError, match=f"cannot read .*{message}"):
        read(name)


def test_a_pipe_that_was_given_is_read():
    """As <(command) of a shell does."""
    reading, writing = os.pipe()
    os.write(writing, b"name: 'x'")
    os.close(writing)
    try:
        assert files.read_text(f"/dev/fd/{reading}") == "name: 'x'"
    finally:
        os.close(reading)


def test_byte_order_marks(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbfcaf\xc3\xa9 \xff")
    assert files.read_text(path) == "caf\u00e9 \udcff"
    for encoding in ("utf-16", "utf-32"):
        path.write_bytes("name".encode(encoding))
        with pytest.raises(DataError, match=f"{encoding.upper()} text; expected UTF-8; hint: save it as"):
            files.read_text(path)


def test_what_is_no_text():
    assert files.is_binary(b"a\0b") and not files.is_binary("a".encode("utf-16")) and not files.is_binary(b"")


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x.caffemodel"))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b"PK\3\4....", "zip archive.*unpack"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"Rar!\x1a\x07\x01", "RAR"),
        (_tar(), "tar archive"),
    ],
)
def test_files_of_other_kinds_are_called_by_name(data, kind):
    with pytest.raises(DataError, match=f"x: .*{kind}"):
        files.refuse_foreign(data, "x")


def test_our_own_files_are_not_foreign():
    for data in (b"name: 'x'", b"\n\x01x", b"\x89HDF\r\n", b"", b"#" * 257 + b"ustar"):
        files.refuse_foreign(data, "x")


def test_errors_are_one_printable_line():
    assert str(DataError("a\n\x1b[31m\u202eb\udcff\u00e9")) == "a\\n\\x1b[31m\\u202eb\\udcff\u00e9"
    assert printable("a b") == "a b"


def test_no_name_of_ours_waits_for_the_reader_of_a_pipe(tmp_path):
    """Who names a pipe on the command line means it; the pipe that lies where a snapshot goes is a trap."""
    os.mkfifo(tmp_path / "x_iter_0")
    for attempt in (lambda path: files.write_atomic(path, b""), files.refuse_unwritable):
        with pytest.raises(OSError, match="it is a named pipe"):
            attempt(tmp_path / "x_iter_0")


def test_a_hole_is_no_file_of_ours(tmp_path):
    """Files of a terabyte that hold nothing, and take no room on the disk, are refused by their start."""
    for name, read in (("x.safetensors", safetensors_file.read), ("x.npy", npy.read), ("x.prototxt", is_net)):
        (tmp_path / name).write_bytes(b"")
        os.truncate(tmp_path / name, 1 << 20 if read is is_net else 1 << 40)
        with pytest.raises(MiniCaffeError, match=r"not a whole|a binary file"):
            read(tmp_path / name)
