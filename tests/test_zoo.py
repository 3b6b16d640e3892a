"""The nets that come with the package: found by name, and copied."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from minicaffe import zoo
from minicaffe.errors import ConfigError, DataError, UnknownTypeError
from minicaffe.proto import text, upgrade
from minicaffe.solvers import nets

from .support.running import PROTOTXT


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_folder_has_its_line():
    entries = zoo.entries()
    folders = sorted(path.name for path in PROTOTXT.iterdir() if path.is_dir())
    assert list(entries) == folders
    for entry in entries.values():
        assert entry.title and entry.data
        assert {"README.md"} < {path.name for path in entry.files}
        assert set(entry.files) == set((PROTOTXT / entry.name).iterdir()), "a file that is not installed"


@pytest.mark.parametrize("name", sorted(path.name for path in PROTOTXT.iterdir() if path.is_dir()))
def test_every_net_runs_by_its_name(name, here):
    """Its solvers name their net and snapshots without a folder: they lie beside each other, or here."""
    assert text.is_net(zoo.find(name, "net"))
    for path in zoo.entry(name).files:
        if path.suffix == ".prototxt" and not text.is_net(path):
            solver = upgrade.read_solver(path)
            assert Path(solver.snapshot_prefix).name == solver.snapshot_prefix, path
            assert Path(nets.training(solver, str(path))[1]).parent == PROTOTXT / name


@pytest.mark.parametrize(
    "word, kind, file",
    [
        ("lenet", "solver", "lenet/solver.prototxt"),
        ("lenet", "net", "lenet/train_test.prototxt"),
        ("lenet/", "net", "lenet/train_test.prototxt"),
        ("googlenet", "net", "googlenet/train_val.prototxt"),
        ("lenet/solver_adam", "solver", "lenet/solver_adam.prototxt"),
        ("lenet/deploy.prototxt", "net", "lenet/deploy.prototxt"),
        ("prototxt/lenet/solver.prototxt", "solver", "lenet/solver.prototxt"),
        ("digits/all_in_one", "solver", "digits/all_in_one.prototxt"),
        ("mobilenet_ssd", "net", "mobilenet_ssd/deploy.prototxt"),  # which has no other
        ("mobilenet_ssd/deploy_bn", "net", "mobilenet_ssd/deploy_bn.prototxt"),
    ],
)
def test_names(word, kind, file, here):
    assert zoo.find(word, kind) == str(PROTOTXT / file)
    assert zoo.holds(zoo.find(word, kind))


@pytest.mark.parametrize(
    "path", ["s.prototxt", "x/../lenet/solver.prototxt", "", "/lenet", "../lenet", "lenet/../../x", "a\0b"]
)
def test_paths_are_left_to_their_readers(path, here):
    (here / "inner").mkdir()
    assert zoo.find(path, "net") == path and not zoo.holds("s.prototxt")


def test_what_is_here_wins(here):
    """A file of the name; the folder that `minicaffe new` made; not a folder of other things."""
    (here / "lenet").mkdir()
    assert zoo.find("lenet", "solver") == str(PROTOTXT / "lenet" / "solver.prototxt")
    shutil.copy(PROTOTXT / "lenet" / "solver.prototxt", "lenet")
    assert zoo.find("lenet", "solver") == "lenet/solver.prototxt"
    assert zoo.find("lenet/solver", "solver") == "lenet/solver.prototxt"
    assert zoo.find("lenet", "net") == str(PROTOTXT / "lenet" / "train_test.prototxt")
    (here / "digits").write_text("name: 'mine'")
    assert zoo.find("digits", "net") == "digits"


def test_a_packaged_solver_trains_the_net_beside_it(here):
    """Whatever file of its name the working folder holds."""
    (here / "train_test.prototxt").write_text("name: 'mine'")
    path = zoo.find("lenet", "solver")
    assert nets.training(upgrade.read_solver(path), path)[1] == str(PROTOTXT / "lenet/train_test.prototxt")


@pytest.mark.parametrize(
    "word, hint",
    [
        ("lenett", "did you mean 'lenet'?"),
        ("LeNet", "did you mean 'lenet'?"),
        ("lenet/solver_adm", "did you mean 'lenet/solver_adam'?"),
        ("transformer", "minicaffe new lists the nets of the package"),
    ],
)
def test_unknown_names(word, hint, here):
    with pytest.raises(
        DataError, match=re.escape(f"cannot read {word}: No such file or directory")
    ) as raised:
        zoo.find(word, "solver")
    assert raised.value.hint == hint


def test_a_copy(here):
    """It trains the same net from its own folder, and its README names the files where they are."""
    names = zoo.write("lenet", "my nets")
    assert names == sorted(path.name for path in Path("my nets").iterdir())
    assert sorted(path.name for path in here.iterdir()) == ["my nets"]
    for name in names:
        if name != "README.md":
            assert Path("my nets", name).read_bytes() == (PROTOTXT / "lenet" / name).read_bytes()
    path = zoo.find("my nets", "solver")
    assert nets.training(upgrade.read_solver(path), path)[1] == "my nets/train_test.prototxt"
    assert "minicaffe train 'my nets/solver.prototxt' " in Path("my nets", "README.md").read_text()


@pytest.mark.parametrize("name", sorted(path.name for path in PROTOTXT.iterdir() if path.is_dir()))
def test_the_readme_of_a_copy_leads_nowhere_else(name, here):
    zoo.write(name, "x")
    readme = Path("x", "README.md").read_text()
    assert f"prototxt/{name}/" not in readme and "](../" not in readme
    for file in re.findall(r"\bx/([\w.]+)", readme):
        assert Path("x", file).is_file(), file


def test_no_copy_without_room(here):
    (here / "file").write_text("")
    (here / "link").symlink_to("nowhere")
    for folder in ("file", "link", "."):
        with pytest.raises(ConfigError, match="is there already"):
            zoo.write("digits", folder)
    with pytest.raises(DataError, match="cannot write no/x: No such file or directory; hint: make no first"):
        zoo.write("digits", "no/x")
    with pytest.raises(UnknownTypeError, match="did you mean 'digits'"):
        zoo.write("digit", "x")
    assert sorted(path.name for path in here.iterdir()) == ["file", "link"]


def test_a_full_disk_leaves_nothing(here, monkeypatch):
    def full(contents, **_):
        next(iter(contents)).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("minicaffe.files.write_together", full)
    with pytest.raises(DataError, match="cannot write x: No space left on device"):
        zoo.write("digits", "x")
    assert not list(here.iterdir())


def test_an_installation_without_nets(here, monkeypatch):
    monkeypatch.setattr(zoo, "PACKAGE", here / "minicaffe")
    with pytest.raises(DataError, match="installed without its nets"):
        zoo.entries()


def test_a_folder_whose_name_is_no_utf8(here):
    folder = os.fsdecode(b"\xff")
    assert "README.md" in zoo.write("lenet", folder) and os.path.isfile(os.path.join(folder, "README.md"))
