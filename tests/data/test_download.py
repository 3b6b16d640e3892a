"""Downloading, against a server in this process."""

import gzip
import hashlib
import http.server
import threading
import time

import pytest

from minicaffe.data import download
from minicaffe.data.download import Archive, File, fetch, fetch_archive
from minicaffe.errors import DataError

CONTENT = bytes(range(256)) * 1000
PACKED = gzip.compress(CONTENT)
FILE = File("numbers", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
REMEDY = "set MINICAFFE_DATA"


BODIES = {
    "good": PACKED,
    "truncated": PACKED[:-20],
    "interrupted": PACKED,
    "damaged": PACKED[:-8] + b"\xff\xff\xff\xff" + PACKED[-4:],  # the checksum
    "not_gzip": b"<html>please log in</html>",
    "other": gzip.compress(CONTENT[::-1]),
    "shorter": gzip.compress(CONTENT[:-1]),
    "longer": gzip.compress(CONTENT + b"!"),
    "bomb": gzip.compress(bytes(50_000_000)),
    "empty": b"",
    "repacked": gzip.compress(CONTENT, 1),
}


class Mirrors(http.server.BaseHTTPRequestHandler):
    """Each mirror is a folder; GET /<mirror>/numbers.gz does what its name says."""

    asked: list[str] = []
    names: tuple[str, ...] = ("numbers.gz", "all.tar.gz")

    def do_GET(self):
        mirror = self.path.split("/")[1]
        assert self.path.removeprefix(f"/{mirror}/") in self.names
        self.asked.append(mirror)
        body = BODIES.get(mirror)
        if mirror == "slow":
            time.sleep(0.5)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if mirror == "interrupted" else body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirrors)
    server.handle_error = lambda *args: None  # a client that hangs up is no fault of the server
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mirrors(address, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(Mirrors, "asked", [])
    return lambda *names: [f"{address}/{name}/" for name in names]


def test_the_unpacked_file_is_stored(tmp_path, mirrors):
    folder = tmp_path / "a" / "b"  # made on the way
    assert fetch(FILE, folder, mirrors("good", "404"), REMEDY) == folder / "numbers"
    assert (folder / "numbers").read_bytes() == CONTENT
    assert Mirrors.asked == ["good"]
    assert [path.name for path in folder.iterdir()] == ["numbers"]


FAULTS = {
    "truncated": r"cut short: \d+ of 256000 bytes unpacked",
    "interrupted": r"cut short|IncompleteRead",
    "damaged": "not a gzip file, or damaged",
    "not_gzip": "not a gzip file, or damaged",
    "other": f"SHA-256 is {hashlib.sha256(CONTENT[::-1]).hexdigest()}; expected {FILE.sha256}",
    "shorter": "SHA-256 is",
    "longer": "larger than 256000 bytes unpacked",
    "bomb": "larger than 256000 bytes unpacked",
    "empty": "cut short: 0 of",
    "missing": "HTTP status 404",
    "slow": "timed out",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mirror_that_fails_is_passed_over_and_reported(tmp_path, mirrors, fault, caplog):
    fetch(FILE, tmp_path, mirrors(fault, "good"), REMEDY, timeout_s=0.2)
    assert (tmp_path / "numbers").read_bytes() == CONTENT
    assert Mirrors.asked == [fault, "good"]
    assert [path.name for path in tmp_path.iterdir()] == ["numbers"]
    (record,) = caplog.records
    assert record.levelname == "WARNING" and f"/{fault}/numbers.gz: " in record.getMessage()


@pytest.mark.parametrize("fault", FAULTS)
def test_if_none_delivers_nothing_is_left_and_the_error_says_all(tmp_path, mirrors, fault):
    urls = mirrors(fault, "missing")
    with pytest.raises(DataError, match=f"/{fault}/numbers.gz: ({FAULTS[fault]})") as caught:
        fetch(FILE, tmp_path, urls, REMEDY, timeout_s=0.2)
    said = str(caught.value)
    assert said.startswith("cannot download numbers: tried http://") and said.endswith(f"; hint: {REMEDY}")
    assert f"{urls[1]}numbers.gz: HTTP status 404" in said and "\n" not in said
    assert not list(tmp_path.iterdir())


def test_what_was_there_before_survives_a_failure(tmp_path, mirrors):
    (tmp_path / "numbers").write_bytes(b"before")
    with pytest.raises(DataError):
        fetch(FILE, tmp_path, mirrors("other"), REMEDY)
    assert (tmp_path / "numbers").read_bytes() == b"before"


def test_no_server_is_a_fault_too(tmp_path):
    with pytest.raises(DataError, match="Connection refused"):
        fetch(FILE, tmp_path, ["http://127.0.0.1:9/"], REMEDY, timeout_s=1)


def test_a_folder_that_cannot_be_written_is_not_the_mirrors_fault(tmp_path, mirrors):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=f"cannot write .*: File exists; hint: make room .* or {REMEDY}"):
        fetch(FILE, tmp_path / "file", mirrors("good"), REMEDY)


def test_the_progress_bar_shows_on_a_terminal_only(tmp_path, mirrors, monkeypatch, capsys):
    fetch(FILE, tmp_path, mirrors("good"), REMEDY)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(download.sys.stderr, "isatty", lambda: True)
    fetch(FILE, tmp_path, mirrors("good"), REMEDY)
    said = capsys.readouterr()
    assert said.out == "" and "numbers" in said.err and "100%" in said.err


def test_where_only_the_packed_file_is_known_that_one_is_checked(tmp_path, mirrors):
    file = File("numbers", len(CONTENT), packed_sha256=hashlib.sha256(PACKED).hexdigest())
    fetch(file, tmp_path, mirrors("repacked", "good"), REMEDY)
    assert (tmp_path / "numbers").read_bytes() == CONTENT and Mirrors.asked == ["repacked", "good"]
    with pytest.raises(DataError, match=f"SHA-256 is {hashlib.sha256(BODIES['repacked']).hexdigest()}; exp"):
        fetch(file, tmp_path, mirrors("repacked"), REMEDY)


def test_an_archive_is_stored_as_it_is(tmp_path, mirrors):
    digests = ("0" * 64, hashlib.sha256(PACKED).hexdigest())
    archive = Archive("all.tar.gz", len(PACKED), digests)
    path = fetch_archive(archive, tmp_path / "new", mirrors("missing", "truncated", "good"), REMEDY)
    assert path == tmp_path / "new" / "all.tar.gz" and path.read_bytes() == PACKED
    assert Mirrors.asked == ["missing", "truncated", "good"]
    with pytest.raises(DataError, match=r"longer/all.tar.gz: larger than 5 bytes"):
        fetch_archive(archive._replace(nbytes=5), tmp_path, mirrors("longer"), REMEDY)
    with pytest.raises(DataError, match=f"SHA-256 is .*; expected {digests[0]} or {digests[1]}"):
        fetch_archive(archive, tmp_path, mirrors("empty"), REMEDY)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
