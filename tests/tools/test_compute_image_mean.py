"""compute_image_mean: Caffe's file byte for byte, and its lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minicaffe.data import datasets, datum
from minicaffe.data.database import Database, DatabaseWriter
from minicaffe.data.mean import mean_image
from minicaffe.net import Net
from minicaffe.proto import binary, text
from minicaffe.proto.schema import BlobProto, NetParameter

from ..support.running import ROOT, run

pytest.importorskip("lmdb")

GOLDEN = Path(__file__).parent.parent / "golden" / "data"


def database(path, *images) -> str:
    with DatabaseWriter(path) as writer:
        for image in images:
            writer.add(datum.from_array(np.asarray(image)), "x")
    return str(path)


@pytest.mark.parametrize("name", ["lmdb_raw", "lmdb_png"])
def test_caffes_mean(capsys, tmp_path, name):
    out = tmp_path / "mean.binaryproto"
    result = run(capsys, "compute_image_mean", "-backend=lmdb", GOLDEN / name, out)
    assert result.status == 0
    assert out.read_bytes() == (GOLDEN / "mean.binaryproto").read_bytes()
    lines = [line.split("] ", 1)[1] for line in result.err.splitlines()]
    assert lines[:5] == [
        f"Opened lmdb {GOLDEN / name}",
        "Starting iteration",
        "Processed 5 files.",
        f"Write to {out}",
        "Number of channels: 3",
    ]
    (image,) = binary.to_array(binary.read(out, BlobProto))
    means = image.mean((1, 2))
    assert lines[5:] == [f"mean_value channel [{i}]: {mean:g}" for i, mean in enumerate(means)]


def test_floats_and_no_file(capsys, tmp_path):
    path = database(tmp_path / "db", np.full((1, 2, 2), -1, np.float32), np.full((1, 2, 2), 2, np.float32))
    result = run(capsys, "compute_image_mean", path)
    assert result.status == 0 and result.err.endswith("mean_value channel [0]: 0.5\n")
    assert [p.name for p in tmp_path.iterdir()] == ["db"]


def test_sums_are_exact(tmp_path, monkeypatch):
    """Two values a float32 sum would lose the smaller of."""
    images = [np.full((1, 1, 1), value, np.float32) for value in (2**25, 1, 1, 2)]
    mean = mean_image(Database(database(tmp_path / "db", *images)))
    assert mean.item() == np.float32((2**25 + 4) / 4) and mean.dtype == np.float32


def test_images_of_a_named_set_in_another_size(capsys, tmp_path):
    """It is the mean of what a net sees that resizes them."""
    out = tmp_path / "mean.binaryproto"
    words = ["--backend=idx", "--resize_height=12", "--resize_width=9", "digits/train[:30]", out]
    assert run(capsys, "compute_image_mean", *words).status == 0
    layer = """layer { name: "data" type: "Data" top: "data"
      transform_param { resize { height: 12 width: 9 } }
      data_param { source: "digits/train[:30]" backend: IDX batch_size: 30 } }"""
    seen = Net(text.parse(layer, NetParameter), phase="TEST").forward()["data"]
    (mean,) = binary.to_array(binary.read(out, BlobProto))
    np.testing.assert_allclose(mean, seen.mean(axis=0), rtol=1e-6)
    assert run(capsys, "compute_image_mean", "--backend=idx", "digits/train", out).status == 0
    mean = binary.to_array(binary.read(out, BlobProto)).mean()
    assert mean == pytest.approx(datasets.load("digits/train").images.mean())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "the following arguments are required: INPUT_DB"),
        (["db", "out", "more"], "surplus argument 'more'"),
        (["none"], "none: no LMDB database"),
        (["--backend=leveldb", "db"], "--backend must be lmdb or idx; got 'leveldb'"),
        (["--backend=idx", "digits/trian"], "no data set and no file 'digits/trian'"),
        (["--resize_height=4", "db"], "--resize_height and --resize_width need each other; got 4 and 0"),
        (["db", "gone/out"], "cannot write gone/out: No such file or directory"),
        (["db", "."], "cannot write .: "),
        (
            ["two", "out"],
            "record '00000001_x': all images must have the shape of the first, (1, 2, 3); got (1, 3, 2)",
        ),
    ],
)
def test_mistakes(capsys, tmp_path, monkeypatch, words, complaint):
    monkeypatch.chdir(tmp_path)
    database("db", np.zeros((1, 2, 3), np.uint8))
    database("two", np.zeros((1, 2, 3), np.uint8), np.zeros((1, 3, 2), np.uint8))
    result = run(capsys, "compute_image_mean", *words)
    assert result.status == 1 and complaint in result.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["db", "two"]


def test_the_script():
    script = [sys.executable, str(ROOT / "tools" / "compute_image_mean.py"), str(GOLDEN / "lmdb_gray")]
    result = subprocess.run(script, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    assert result.returncode == 0 and "Number of channels: 1" in result.stderr
