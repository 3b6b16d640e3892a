"""Micro-kernels in the cache folder: compiled once, loaded by every later process, made anew if damaged."""

from __future__ import annotations

import ctypes

import pytest

from minicaffe.kernels import cache, sources
from minicaffe.kernels.kept import Full
from minicaffe.kernels.micro.builder import INT, Function
from minicaffe.kernels.micro.kernel import micro_kernel
from minicaffe.kernels.micro.machine import host, without


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    monkeypatch.setattr(Full, "said", False)
    return tmp_path


@pytest.fixture
def written():
    """What was written, rather than loaded."""
    return []


def process(written):
    """The micro-kernel as a process has it that has made or loaded none yet."""

    @micro_kernel
    def times(factor, machine):
        """Multiplies the number at an address."""
        written.append(factor)
        f = Function(("at",), 8, machine)
        place = f.build.inttoptr(f.arguments["at"], INT.as_pointer())
        f.build.store(f.build.mul(f.build.load(place), INT(factor)), place)
        return f

    return times


def product(kernel: int, number: int) -> int:
    value = ctypes.c_int64(number)
    ctypes.CFUNCTYPE(None, ctypes.c_int64)(kernel)(ctypes.addressof(value))
    return value.value


def test_later_processes_load_what_the_first_has_made(folder, written):
    for _ in range(2):
        times = process(written)
        assert product(times(3, host()), 14) == 42
        assert product(times(5, machine=host()), 5) == 25
        assert times(3, host()) == times(3, host())
    assert written == [3, 5]
    assert len([*sources.place(folder, __name__).glob("times-*.code")]) == 2


def test_every_processor_has_its_own(folder, written):
    for machine in (host(), without(host(), "avx", "fma")):
        process(written)(3, machine)
    assert written == [3, 3]


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-1] + b"?"])
def test_one_that_is_damaged_is_made_anew(damage, folder, written, caplog):
    process(written)(3, host())
    (path,) = folder.rglob("*.code")
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        assert product(process(written)(3, host()), 14) == 42
    assert written == [3, 3]
    assert caplog.messages == [f"{path} is damaged and made anew: its check sum is wrong"]


def test_where_nothing_can_be_kept_it_runs_and_one_line_says_so(folder, written, caplog):
    sources.place(folder, __name__).write_text("a file in the place of a folder")
    for _ in range(2):
        assert product(process(written)(3, host()), 14) == 42
    assert written == [3, 3]
    told = f"Compiled kernels cannot be kept in {folder}: File exists; every process compiles them"
    assert caplog.messages == [told]


def test_without_a_folder_it_runs(written, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: None)
    assert product(process(written)(3, host()), 14) == 42
