"""Where compiled kernels are kept: only where nobody else could have put them."""

from __future__ import annotations

import os
import shutil
import threading
import time

import pytest

from minicaffe.cli.main import main
from minicaffe.kernels import cache, kept

find = cache.folder.__wrapped__  # without the memory of the process


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The user's cache, and where passing folders are made."""
    both = tmp_path / "user" / "minicaffe", tmp_path / "passing"
    monkeypatch.setattr(cache, "user_cache", lambda: both[0])
    monkeypatch.setattr("tempfile.tempdir", str(both[1]))
    monkeypatch.setattr("atexit.register", lambda *args, **how: None)
    both[1].mkdir()
    return both


def test_the_folder_is_the_users_alone(places):
    path = find()
    assert path.parent == places[0] and path.name == f"kernels-{cache.digest()}"
    assert path.stat().st_mode & 0o777 == places[0].stat().st_mode & 0o777 == 0o700
    assert list(path.iterdir()) == [] and find() == path


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="a system without users")
@pytest.mark.parametrize(
    "above, how, why",
    [
        (True, 0o777, "others can write into"),
        (False, 0o777, "others can write into"),
        (False, 0o770, "mode 0770"),
        (True, None, "belongs to another user (uid 77)"),
        (False, None, "belongs to another user (uid 77)"),
    ],
)
def test_a_folder_that_others_could_have_filled_is_not_used(above, how, why, places, monkeypatch, caplog):
    path = find()
    foreign = path.parent if above else path
    (path / "planted.nbi").write_bytes(b"code")
    if how is None:
        real = os.stat

        def owned(place, *, follow_symlinks=True):
            found = list(real(place, follow_symlinks=follow_symlinks))
            found[4] = 77 if place == foreign else os.geteuid()
            return os.stat_result(found)

        monkeypatch.setattr(type(path), "stat", owned)
        monkeypatch.setattr(type(path), "lstat", owned)
        assert find().parent == places[1]
        monkeypatch.undo()
    else:
        foreign.chmod(how)
        assert find().parent == places[1]
        assert foreign.stat().st_mode & 0o777 == how, "it is not repaired"
    assert (path / "planted.nbi").read_bytes() == b"code"
    (warning,) = caplog.messages
    assert warning.startswith("Compiled kernels cannot be kept, and every process compiles them: ")
    assert why in warning and str(foreign) in warning


def test_the_group_may_write_into_the_folder_above(places):
    """As where every user has a group, and the umask is 002."""
    places[0].mkdir(mode=0o775, parents=True)
    places[0].chmod(0o775)
    assert find().parent == places[0]


def test_without_a_place_of_its_own_a_process_has_a_passing_one(places, caplog):
    places[0].parent.mkdir()
    places[0].write_text("a file")
    passing = find()
    assert passing.parent == places[1] and passing.stat().st_mode & 0o777 == 0o700
    assert "every process compiles them: " in caplog.text and str(places[0]) in caplog.text
    shutil.rmtree(places[1])
    assert find() is None


def test_the_users_cache_may_be_a_link_a_cache_folder_may_not(places, tmp_path, caplog):
    (tmp_path / "scratch").mkdir(mode=0o700)
    places[0].parent.mkdir()
    places[0].symlink_to(tmp_path / "scratch")
    path = find()
    assert path.resolve().parent == tmp_path / "scratch"
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert find().parent == places[1] and f"{path} is a link" in caplog.messages[0]


def test_folders_that_no_run_uses_are_removed(places):
    used = find()
    for name, age_s in ("kernels-old", cache.UNUSED_S + 60), ("kernels-new", 60):
        (used.parent / name).mkdir()
        os.utime(used.parent / name, (0, time.time() - age_s))
        (used / f"module-{name}").mkdir()
        os.utime(used / f"module-{name}", (0, time.time() - age_s))
    os.utime(used, (0, 0))
    assert find() == used
    assert sorted(path.name for path in used.parent.iterdir()) == sorted([used.name, "kernels-new"])
    assert [path.name for path in used.iterdir()] == ["module-kernels-new"]


def test_what_is_used_is_noted(places):
    path = find() / "module" / "some.code"
    kept.write(path, b"code")
    os.utime(path.parent, (0, 0))
    assert kept.read(path, bytes.decode) == "code"
    assert time.time() - path.parent.stat().st_mtime < 60


def test_one_at_a_time(tmp_path):
    inside, most = [], []

    def enter():
        with cache.alone(tmp_path / "x.lock"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_nobody_is_waited_for_who_need_not_be(tmp_path):
    with cache.alone(tmp_path / "x.lock"), pytest.raises(BlockingIOError):
        with cache.alone(tmp_path / "x.lock", wait=False):
            pass


def test_a_cache_that_cannot_be_written_is_read(places, monkeypatch):
    """As in an image of a container: it may hold all that is needed."""
    path = find()

    def refused(*args, **how):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("os.utime", refused)
    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    assert find() == path


def test_the_cache_is_listed_and_emptied(places, monkeypatch, capsys):
    monkeypatch.setattr("minicaffe.cli.cache.user_cache", lambda: places[0])
    assert main(["cache", "info"]) == 0 and capsys.readouterr().out == "nothing is kept\n"
    path, data = find(), places[0] / "data"
    (path / "code").write_bytes(bytes(2048))
    data.mkdir()
    assert main(["cache"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [["kernels", "2.0", "KiB", str(path)], ["data", "0", "B", str(data)]]
    assert main(["cache", "clear"]) == 0
    assert data.exists() and not path.exists()
    (data / "link").symlink_to(places[1].parent)
    assert main(["cache", "clear", "all"]) == 0 and not data.exists() and places[1].parent.exists()
    data.symlink_to(places[1].parent)
    assert main(["cache", "clear", "all"]) == 1 and places[1].parent.exists()
    assert f"cannot remove {data}: " in capsys.readouterr().err


def test_a_user_without_a_home(monkeypatch, capsys, caplog):
    """As in a container that runs under a number without a name."""

    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", nobody)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "MINICAFFE_DATA"):
        monkeypatch.delenv(name, raising=False)
    assert find().name.startswith("minicaffe-kernels-") and "there is no home folder" in caplog.text
    assert main(["cache"]) == 0 and main(["data", "list"]) == 0
    assert "not here: minicaffe data get mnist" in capsys.readouterr().out
    assert main(["data", "get", "mnist"]) == 1
    assert "no home folder; hint: set MINICAFFE_DATA to a folder for mnist/" in capsys.readouterr().err
