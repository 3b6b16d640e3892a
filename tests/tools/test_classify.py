"""tools/classify.py: images in, scores out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minicaffe import pycaffe as caffe
from minicaffe.data.mean import to_blob
from minicaffe.pycaffe import io
from tools.classify import main

from ..data.test_images import RGB, stored
from ..pycaffe.scoring import files


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files(tmp_path)
    Path("images").mkdir()
    for number in range(3):
        Path(f"images/{'cab'[number]}.png").write_bytes(stored(np.roll(RGB, number, 0)))
    return tmp_path


NET = ["--model_def=deploy.prototxt", "--pretrained_model", "scores.caffemodel"]


def wanted(images, **options) -> np.ndarray:
    classifier = caffe.Classifier(
        "deploy.prototxt", "scores.caffemodel", (9, 10), raw_scale=255, channel_swap=(2, 1, 0), **options
    )
    return classifier.predict(images)


def test_a_folder_is_read_in_order(capsys):
    words = [*NET, "--images_dim=9,10", "--ext", "png", "images", "scores.npy"]
    assert main(words) == 0
    images = [io.load_image(f"images/{name}.png") for name in "abc"]
    np.testing.assert_array_equal(np.load("scores.npy"), wanted(images))
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == ["CPU mode", "Loading folder: images", "Classifying 3 inputs."]
    assert said[3].startswith("Done in ") and said[4] == "Saving results into scores.npy"


@pytest.mark.parametrize("name", ["mean.npy", "mean.binaryproto"])
def test_an_image_an_array_and_a_mean(name):
    mean = np.random.default_rng(2).random((3, 7, 7), np.float32)
    if name.endswith("npy"):
        np.save(name, mean)
    else:
        Path(name).write_bytes(to_blob(mean).SerializeToString())
    image = io.load_image("images/a.png")
    np.save("images.npy", image[None])
    flags = ["--mean_file", name, "--images_dim=9,10", "--input_scale=0.5"]
    for source in ("images/a.png", "images.npy"):
        assert main([*NET, *flags, source, "out"]) == 0
        result = wanted([image], mean=mean.mean((1, 2)), input_scale=0.5)
        np.testing.assert_allclose(np.load("out"), result, rtol=1e-5)


def test_the_centre_only():
    words = [
        *NET,
        "--images_dim=6,8",
        "--center_only",
        "--channel_swap=",
        "--raw_scale=1",
        "images/a.png",
        "o",
    ]
    assert main(words) == 0
    classifier = caffe.Classifier("deploy.prototxt", "scores.caffemodel")
    image = io.load_image("images/a.png")
    np.testing.assert_allclose(np.load("o"), classifier.predict([image], False), rtol=1e-5)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["gone.png", "out"], "classify.py: error: cannot read gone.png: No such file"),
        (["gone.npy", "out"], "cannot read gone.npy: No such file"),
        (["text.npy", "out"], "text.npy: not a whole .npy file"),
        (["images", "out"], "images: no file ends in .jpg; hint: --ext png"),
        (["images/a.png", "gone/out"], "cannot write gone/out: No such file"),
        (["images/a.png", "out", "--images_dim=9x9"], "--images_dim must be whole numbers"),
        (["images/a.png", "out", "--channel_swap=2,1"], "channel swap needs"),
        (["images/a.png", "out", "--mean_file=text.npy"], "text.npy: not a whole .npy file"),
        (["images/a.png", "out", "--mean_file=gone"], "cannot read gone: No such file"),
        (["images/a.png", "out", "--mean_file=text"], "text: not a whole binary BlobProto"),
        (["images/a.png", "out", "--mean_file=flat.npy"], "flat.npy: a mean must have the shape"),
        (["images/a.png", "out", "--model_def=gone"], "Could not open file gone: No such file"),
        (["images/a.png", "."], "cannot write .: "),
    ],
)
def test_mistakes(capsys, folder, words, complaint):
    Path("text.npy").write_text("text")
    Path("text").write_text("text")
    np.save("flat.npy", np.zeros((2, 2)))
    before = sorted(folder.iterdir())
    assert main([*NET, *words]) == 1
    assert complaint in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before
