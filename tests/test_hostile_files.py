"""Whatever a data file, a weight file or a list holds, reading it ends in values or in a MiniCaffeError:
soon, and with no more memory than it may take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minicaffe.convert import formats
from minicaffe.data import datasets, facts, idx, images
from minicaffe.data.database import Database, DatabaseWriter
from minicaffe.data.detection import label_map
from minicaffe.data.hdf5 import HDF5Batches
from minicaffe.data.image_list import ImageList
from minicaffe.data.window_list import WindowList
from minicaffe.errors import DataError, MiniCaffeError
from minicaffe.net import Net
from minicaffe.proto import hdf5, npy, text
from minicaffe.proto.schema import NetParameter, message_class

from .support import fuzzing_files

ROOT = Path(__file__).parent.parent


def source_of(layer: str, fields: str):
    def read(path: str) -> None:
        conf = f"{{ source: '{path}' batch_size: 1 {fields} }}".replace("\0", "\\000")
        tops = 'top: "x"' if layer == "Data" else 'top: "x" top: "y"'
        crop = "transform_param { crop_size: 2 }" if layer == "WindowData" else ""
        param = layer.replace("Data", "_data").lower().replace("hdf5__", "hdf5_").lstrip("_")
        net = f"layer {{ name: 'l' type: '{layer}' {tops} {param}_param {conf} {crop} }}"
        Net(text.parse(net, NetParameter))

    return read


READERS = {
    "idx": idx.read,
    "image": images.read,
    "image list": ImageList,
    "window list": lambda path: WindowList(path, message_class("WindowDataParameter")()),
    "HDF5 list": lambda path: HDF5Batches(path, ["x"], 1),
    "data set": lambda path: datasets.load(path, download=False),
    "facts": lambda path: facts.facts(path, facts.backend(path)),
    "database": Database,
    "npy": npy.read,
    "HDF5 weights": hdf5.to_weights,
    "HDF5 state": hdf5.to_state,
    "Data, IDX": source_of("Data", "backend: IDX"),
    "Data, LMDB": source_of("Data", "backend: LMDB"),
    "Data, LevelDB": source_of("Data", ""),
    "AnnotatedData, VOC": source_of("AnnotatedData", "backend: VOC"),
    "AnnotatedData, COCO": source_of("AnnotatedData", "backend: COCO"),
    "AnnotatedData, LMDB": source_of("AnnotatedData", "backend: LMDB"),
    "label map": label_map.read,
    "ImageData": source_of("ImageData", ""),
    "HDF5Data": source_of("HDF5Data", ""),
    "VideoData": source_of("VideoData", ""),
    "WindowData": source_of("WindowData", ""),
    **{
        suffix: lambda path, suffix=suffix: formats.read(f"{path}{suffix}")
        for suffix in formats.SUFFIXES[:-1]
    },
}


@pytest.mark.parametrize("reader", READERS)
def test_names_of_what_is_no_file(reader, tmp_path):
    """Folders, pipes that nobody writes to, devices without end, names that no file can have."""
    os.mkfifo(tmp_path / "pipe")
    for suffix in formats.SUFFIXES:
        os.mkfifo(tmp_path / f"pipe{suffix}")
        (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in (
        "",
        "/",
        ".",
        str(tmp_path),
        "a\0b",
        "x" * 300,
        "x/" * 3000,
        f"{tmp_path}/pipe",
        f"{tmp_path}/zero",
    ):
        with pytest.raises(MiniCaffeError) as caught:
            READERS[reader](name)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_databases_that_cannot_be_written(name, tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        DatabaseWriter(tmp_path / name).__enter__()


# -- mutations


def fuzz(first: int, count: int) -> None:
    """Read mutants in a process of its own, which may die, and whose memory is limited."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.fuzzing_files", str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=7200)
    assert done.returncode == 0, f"{done.stdout[-200:]}\n{done.stderr[-5000:]}"


def test_mutated_files():
    fuzz(0, 1000)


MANY = 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, MANY, MANY // 10))
def test_many_mutated_files(first):
    fuzz(1000 + first, MANY // 10)


def test_the_same_seed_gives_the_same_mutant():
    assert fuzzing_files.mutant(7) == fuzzing_files.mutant(7) != fuzzing_files.mutant(8)


def test_a_planted_fault_is_seen(capsys):
    def read(path):
        return {}["x"]

    kinds = {name: kind._replace(read=read) for name, kind in fuzzing_files.KINDS.items()}
    assert fuzzing_files.run(3, 2, ["npy", "idx"], kinds) == 2
    assert "seed 4: " in capsys.readouterr().err
