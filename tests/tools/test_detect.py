"""tools/detect.py: windows in, scores out."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from minicaffe import pycaffe as caffe
from tools.detect import main

from ..data.test_images import RGB, stored
from ..pycaffe.scoring import files

NET = ["--model_def=deploy.prototxt", "--pretrained_model", "scores.caffemodel", "--context_pad=1"]
ROWS = [("b.png", 0, 0, 6, 5), ("a.png", 1, 2, 4, 5), ("b.png", 2, 1, 3, 4)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files(tmp_path)
    Path("a.png").write_bytes(stored(RGB))
    Path("b.png").write_bytes(stored(RGB[::-1]))
    lines = [f"{name}, {xmin}, {ymin}, {xmax}, {ymax}" for name, ymin, xmin, ymax, xmax in ROWS]
    Path("windows.csv").write_text("\n".join(["filename, xmin, ymin, xmax, ymax", *lines, ""]))
    return tmp_path


def wanted(pad: int | None = 1) -> list[dict]:
    detector = caffe.Detector(
        "deploy.prototxt", "scores.caffemodel", raw_scale=255, channel_swap=(2, 1, 0), context_pad=pad
    )
    return detector.detect_windows([("b.png", [ROWS[0][1:], ROWS[2][1:]]), ("a.png", [ROWS[1][1:]])])


def test_a_table(capsys):
    assert main([*NET, "--crop_mode=list", "windows.csv", "out.csv"]) == 0
    rows = list(csv.DictReader(Path("out.csv").open()))
    assert list(rows[0]) == ["filename", "ymin", "xmin", "ymax", "xmax", *(f"class{i}" for i in range(5))]
    assert [(row["filename"], *(int(row[c]) for c in ("ymin", "xmin", "ymax", "xmax"))) for row in rows] == [
        ROWS[0],
        ROWS[2],
        ROWS[1],
    ]
    for row, one in zip(rows, wanted()):
        assert [np.float32(row[f"class{i}"]) for i in range(5)] == one["prediction"].tolist()
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["CPU mode", "Loading input..."]
    assert said[2].startswith("Processed 3 windows in ") and said[3].startswith("Saved to out.csv in ")


def test_hdf5_without_context():
    assert main([*NET, "--context_pad=0", "--crop_mode=list", "windows.csv", "out.h5"]) == 0
    with h5py.File("out.h5") as file:
        assert file["filename"].asstr()[()].tolist() == ["b.png", "b.png", "a.png"]
        assert file["window"][()].tolist() == [list(ROWS[i][1:]) for i in (0, 2, 1)]
        np.testing.assert_array_equal(file["prediction"][()], [one["prediction"] for one in wanted(None)])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["list.txt", "out.h5"], "detect.py: error: Selective Search needs the package"),
        (
            ["windows.csv", "out.h5"],
            "--crop_mode selective_search reads a .txt; got windows.csv; hint: --crop_mode list",
        ),
        (["--crop_mode=list", "list.txt", "out.h5"], "--crop_mode list reads a .csv; got list.txt"),
        (["--crop_mode=list", "gone.csv", "out.h5"], "cannot read gone.csv: No such file"),
        (["--crop_mode=list", "bytes.csv", "out.h5"], "bytes.csv: not UTF-8"),
        (
            ["--crop_mode=list", "columns.csv", "out.h5"],
            "columns.csv:1: no column xmax, ymax; got filename,xmin,ymin",
        ),
        (
            ["--crop_mode=list", "short.csv", "out.h5"],
            "short.csv:3: expected filename,xmin,ymin,xmax,ymax; got a.png,1",
        ),
        (["--crop_mode=list", "outside.csv", "out.h5"], "a.png: a window must be whole numbers"),
        (["--crop_mode=list", "empty.csv", "out.h5"], "empty.csv: there is no window to score"),
        (["--crop_mode=list", "windows.csv", "gone/out.h5"], "cannot write gone/out.h5: No such file"),
        (
            ["--crop_mode=list", "windows.csv", "o.h5", "--context_pad=3"],
            "context_pad must be less than half",
        ),
    ],
)
def test_mistakes(capsys, folder, monkeypatch, words, complaint):
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", None)
    Path("list.txt").write_text("a.png\n")
    Path("bytes.csv").write_bytes(b"caf\xe9")
    Path("columns.csv").write_text("filename,xmin,ymin\n", "utf-8-sig")  # as spreadsheets write it
    Path("short.csv").write_text("filename,xmin,ymin,xmax,ymax\na.png,0,0,1,1\na.png,1\n")
    Path("outside.csv").write_text("filename,xmin,ymin,xmax,ymax\na.png,0,0,9,9\n")
    Path("empty.csv").write_text("filename,xmin,ymin,xmax,ymax\n\n")
    before = sorted(folder.iterdir())
    assert main([*NET, *words]) == 1
    assert complaint in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before
