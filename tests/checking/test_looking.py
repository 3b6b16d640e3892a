"""A net without arrays is looked at: building it writes, fetches and fills nothing, whatever brings data in
or takes it out."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from minicaffe.data import datasets, datum, idx
from minicaffe.data.database import DatabaseWriter
from minicaffe.device.cpu import CpuDevice
from minicaffe.errors import DataError
from minicaffe.layers import LAYERS, resolve
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.annotated import voc_folder
from ..support.running import run

SIDE = 2000  # of images of 16 MB in float32
PIXELS = np.zeros((3, 4, 5), np.uint8)

# By type: what follows the name, with files from `folder`.
SOURCES = {
    "AnnotatedData": """top: "x" top: "y" data_param { source: "pets/train" backend: VOC batch_size: 2000 }
      transform_param { resize_param { height: 9 width: 9 } }""",
    "ContinuationIndicator": f"""top: "x"
      continuation_indicator_param {{ time_step: {SIDE} batch_size: {SIDE} }}""",
    "Data": 'top: "x" top: "y" data_param { source: "db" backend: LMDB batch_size: 2000 }',
    "DenseImageData": 'top: "x" top: "y" dense_image_data_param { source: "pairs.txt" batch_size: 2000 }',
    "DummyData": f"""top: "x" top: "y" dummy_data_param {{ shape {{ dim: {SIDE} dim: {SIDE} }}
      shape {{ dim: {SIDE} }} data_filler {{ type: "gaussian" std: 1 }}
      data_filler {{ type: "uniform" }} }}""",
    "HDF5Data": 'top: "x" top: "y" hdf5_data_param { source: "h5.txt" batch_size: 2000000 }',
    "ImageData": 'top: "x" top: "y" image_data_param { source: "images.txt" batch_size: 2000 }',
    "ImageLabelmapData": 'top: "x" top: "y" image_data_param { source: "pairs.txt" batch_size: 1 }',
    "ImageSegData": """top: "x" top: "y" top: "size" transform_param { crop_size: 40 }
      image_data_param { source: "pairs.txt" batch_size: 2000 label_type: PIXEL }""",
    "Input": f'top: "x" input_param {{ shape {{ dim: {SIDE} dim: {SIDE} }} }}',
    "MemoryData": """top: "x" top: "y"
      memory_data_param { batch_size: 2000 channels: 1 height: 2000 width: 1 }""",
    "Parameter": f'top: "x" parameter_param {{ shape {{ dim: {SIDE} dim: {SIDE} }} }}',
    "VideoData": """top: "x" top: "y"
      video_data_param { source: "videos.txt" modality: RGB batch_size: 2000 }""",
    "WindowData": """top: "x" top: "y" window_data_param { source: "windows.txt" batch_size: 2000 }
      transform_param { crop_size: 40 }""",
}
SINKS = {
    "HDF5Output": 'bottom: "a" bottom: "b" hdf5_output_param { file_name: "kept.h5" }',
    "Silence": 'bottom: "a" bottom: "b"',
}
PAIR = "".join(
    f'layer {{ name: "{n}" type: "Input" top: "{n}" input_param {{ shape {{ dim: 4 dim: 3 }} }} }}\n'
    for n in "ab"
)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    idx.write("images", PIXELS)
    idx.write("labels", np.zeros(3, np.uint8))
    Image.fromarray(np.zeros((50, 50, 3), np.uint8)).save("a.png")
    Path("images.txt").write_text("a.png 0\n")
    Image.fromarray(np.zeros((50, 50), np.uint8)).save("labels.png")
    Path("pairs.txt").write_text("a.png labels.png\n")
    Image.fromarray(np.zeros((50, 50, 3), np.uint8)).save("image_0001.jpg")
    Path("videos.txt").write_text(". 1 0\n")
    windows = ["1 1 0 0 9 9", "1 0 0 0 9 9"]
    Path("windows.txt").write_text("\n".join(["# 0", "a.png", "3 50 50 2", *windows]))
    Path("h5.txt").write_text("kept.h5\n")
    with h5py.File("kept.h5", "w") as file:
        file["x"], file["y"] = np.ones((4, 3)), np.ones(4)
    with DatabaseWriter("db") as database:
        database.add(datum.from_array(np.zeros((3, 50, 50), np.uint8), 1), "0")
    voc_folder(tmp_path / "pets")
    return tmp_path


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def look(entry: str) -> Net:
    device = CpuDevice(kernels="python")
    return Net(text.parse(entry, NetParameter), phase="TRAIN", device=device, allocate=False)


@pytest.mark.parametrize("name", [*SOURCES, *SINKS])
def test_nothing_is_written_and_nothing_filled(name, folder):
    entry = f'layer {{ name: "l" type: "{name}" {(SOURCES | SINKS)[name]} }}'
    before = contents(folder)
    look(PAIR * (name in SINKS) + entry)  # imports what it needs
    tracemalloc.start()
    look(PAIR * (name in SINKS) + entry)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert contents(folder) == before
    assert peak < 8e6  # a list is read in pieces of 4 MiB


def test_every_source_and_every_sink_is_looked_at():
    assert {t for t in LAYERS if resolve(t).bottoms == 0 or resolve(t).source} == set(SOURCES)
    assert {t for t in LAYERS if resolve(t).tops == 0} == set(SINKS)


def test_a_named_set_is_not_fetched(monkeypatch):
    monkeypatch.setattr(datasets, "find", lambda dataset, split: None)
    monkeypatch.setattr(datasets, "get", lambda dataset, split: pytest.fail("a download"))
    with pytest.raises(DataError, match="mnist/train is not here"):
        look(
            'layer { name: "d" type: "Data" top: "x" data_param { source: "mnist/train" backend: IDX'
            " batch_size: 1 } }"
        )


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["summary"],
        ["draw", "-o", "net.svg"],
        ["gradcheck"],
        ["diff", "--backends", "cpu,float64", "--model"],
    ],
    ids=lambda command: command[0],
)
def test_commands_leave_an_output_file_alone(command, folder, capsys):
    Path("net.prototxt").write_text(PAIR + f'layer {{ name: "l" type: "HDF5Output" {SINKS["HDF5Output"]} }}')
    before = contents(folder)
    assert run(capsys, *command, "net.prototxt").status == 0
    after = contents(folder)
    after.pop(folder / "net.svg", None)
    assert after == before


def test_an_output_file_that_cannot_be_written_is_found_all_the_same(folder):
    entry = PAIR + f'layer {{ name: "l" type: "HDF5Output" {SINKS["HDF5Output"]} }}'
    for path, why in (("no/out.h5", "No such file"), (".", "Is a directory"), ("a.png/x.h5", "Not a direc")):
        with pytest.raises(DataError, match=rf"{path}: cannot be written: {why}"):
            look(entry.replace("kept.h5", path))
