"""What of the file system requests can name: runs and data sets by ids, and files inside the roots."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import ConfigError, DataError
from minicaffe.studio.answers import Missing
from minicaffe.studio.token import FILE, is_right, token
from minicaffe.studio.workspace import Workspace

HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "/etc",
    "a/b",
    "a\\b",
    ".studio",
    "a\0",
    "x" * 101,
    "a b",
    "%2e%2e",
    "~",
    "ä",
    "a\n",
]


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    (tmp_path / "data").mkdir()
    return Workspace(tmp_path / "space", [tmp_path / "data"])


def make_run(space: Workspace, name: str) -> None:
    (space.folder / name).mkdir()
    (space.folder / name / "job.json").write_text("{}")


def test_runs_and_data_sets_are_the_folders_inside(space):
    make_run(space, "lenet-1")
    (space.folder / "digits").mkdir()
    (space.folder / "digits" / "summary.json").write_text('{"kind": "lmdb", "parts": {"train": {}}}')
    (space.folder / "notes.txt").write_text("")
    assert space.runs() == ["lenet-1"]
    assert space.datasets() == ["digits"]
    assert space.run("lenet-1").folder == space.folder / "lenet-1"
    assert space.dataset("digits") == space.folder / "digits"
    with pytest.raises(Missing):
        space.run("digits")
    with pytest.raises(Missing):
        space.dataset("lenet-1")


@pytest.mark.parametrize("id", HOSTILE)
def test_what_is_no_id_is_missing(space, id):
    for ask in (space.run, space.dataset, space.run_folder):
        with pytest.raises(Missing):
            ask(id)


@given(st.text(max_size=30))
def test_no_id_leads_out(tmp_path_factory, id):
    space = Workspace(tmp_path_factory.getbasetemp() / "any")
    try:
        found = space.place(id)
    except Missing:
        return
    assert found.parent == space.folder and found.name == id


def test_a_link_that_leads_out_is_missing(space, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "job.json").write_text("{}")
    (space.folder / "link").symlink_to(outside)
    assert space.runs() == []
    with pytest.raises(Missing, match="outside"):
        space.run("link")


def test_files_are_read_inside_the_roots_alone(space, tmp_path):
    (tmp_path / "data" / "a.txt").write_text("")
    (tmp_path / "data" / "out").symlink_to("/etc")
    assert space.inside(tmp_path / "data" / "a.txt") == tmp_path / "data" / "a.txt"
    assert space.inside("run/net.prototxt") == space.folder / "run" / "net.prototxt"
    for path in (
        "/etc/passwd",
        "..",
        tmp_path / "data" / ".." / "x",
        tmp_path / "data" / "out" / "passwd",
        tmp_path / "database",  # begins like a root
        "a\0",
        space.scratch / FILE,
        ".studio",
    ):
        with pytest.raises(Missing):
            space.inside(path)


def test_links_in_a_circle_lead_nowhere(space):
    (space.folder / "a").symlink_to(space.folder / "b")
    (space.folder / "b").symlink_to(space.folder / "a")
    with pytest.raises(Missing):
        space.inside("a/x") and space.run("a")


def test_new_folders_have_names_that_are_free_and_ids(space):
    assert space.new_run_folder("LeNet on 2 µm/../x").name == "LeNet-on-2-m-..-x"
    assert space.new_run_folder("..").name == "new"
    make_run(space, "new")
    assert space.new_run_folder("").name == "new-2"
    for name in ("a" * 300, "-x-", "é", ".studio"):
        found = space.new_dataset_folder(name)
        assert space.place(found.name) == found


def test_the_studios_own_folder_is_closed_to_others(space):
    assert stat.S_IMODE(space.scratch.stat().st_mode) == 0o700
    space.scratch.chmod(0o755)
    Workspace(space.folder)
    assert stat.S_IMODE(space.scratch.stat().st_mode) == 0o700


def test_a_workspace_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".studio").symlink_to(tmp_path)
    with pytest.raises(DataError):
        Workspace(tmp_path / "file")
    with pytest.raises(DataError):
        Workspace(tmp_path / "linked")
    with pytest.raises(DataError, match="No such file"):
        Workspace(tmp_path / "space", [tmp_path / "nowhere"])
    with pytest.raises(ConfigError, match="no folder"):
        Workspace(tmp_path / "space", [tmp_path / "file"])


# -- the token


def test_the_token_is_kept_for_its_owner_alone(space):
    first = token(space.scratch)
    assert len(first) == 43
    assert stat.S_IMODE((space.scratch / FILE).stat().st_mode) == 0o600
    assert token(space.scratch) == first
    assert token(space.scratch, new=True) != first


def test_a_token_that_others_could_have_seen_or_set_is_replaced(space, tmp_path):
    file = space.scratch / FILE
    first = token(space.scratch)
    file.chmod(0o644)
    second = token(space.scratch)
    assert second != first
    elsewhere = tmp_path / "planted"
    elsewhere.write_text(second)
    elsewhere.chmod(0o600)
    file.unlink()
    file.symlink_to(elsewhere)
    third = token(space.scratch)
    assert third != second and not file.is_symlink()
    assert elsewhere.read_text() == second
    file.write_text("short")
    assert len(token(space.scratch)) == 43


def test_a_fifo_in_the_tokens_place_is_not_waited_for(space):
    os.mkfifo(space.scratch / FILE, 0o600)
    assert len(token(space.scratch)) == 43


def test_tokens_are_compared():
    assert is_right("a" * 43, "a" * 43)
    assert not is_right("a" * 42, "a" * 43)
    assert not is_right("ä", "a" * 43)
    assert not is_right("", "a" * 43)
