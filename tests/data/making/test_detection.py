"""Digits on textured grounds, as a VOC folder."""

import json

import numpy as np
import pytest

from minicaffe.data import datasets, facts
from minicaffe.data.detection.boxes import area, jaccard
from minicaffe.data.detection.records import opened
from minicaffe.data.detection.voc import Voc
from minicaffe.data.images import Channels
from minicaffe.data.making import scenes
from minicaffe.data.making.detection import Options, make_digits
from minicaffe.errors import ConfigError, DataError

SMALL = Options(train=12, test=5, side=64, encode="png", seed=3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_digits(tmp_path_factory.mktemp("made") / "set", SMALL)


def records(source) -> list:
    found = Voc(source)
    return [opened(found.read(k), Channels.COLOR) for k in range(len(found))]


def test_what_is_written(made):
    assert {name: len(records(source)) for name, source in made.sources.items()} == {"train": 12, "test": 5}
    assert facts.parts(made.folder) == made.sources and facts.backend(made.sources["train"]) == "VOC"
    summary = json.loads((made.folder / "summary.json").read_text())
    assert summary == made.summary and summary["kind"] == "voc" and len(summary["classes"]) == 11
    for image, boxes in records(made.sources["train"]):
        assert image.shape == (3, 64, 64) and 1 <= len(boxes.labels) <= 4
        assert ((boxes.labels >= 1) & (boxes.labels <= 10)).all()
        assert (
            (boxes.corners >= 0).all() and (boxes.corners <= 1).all() and (area(boxes.corners) > 0.002).all()
        )
        assert (np.triu(jaccard(boxes.corners, boxes.corners), 1) == 0).all()
    counts = np.bincount(np.concatenate([b.labels for _, b in records(made.sources["test"])]), minlength=11)
    told = summary["parts"]["test"]["classes"]
    assert {str(k): n for k, n in enumerate(counts.tolist()) if n} == told


def test_boxes_are_tight():
    """A digit is where its box says: the ground changes nowhere else."""
    digits = scenes.Digits(*datasets.load("digits/train", download=False), 16)
    digits = digits._replace(images=digits.images[:, 0])
    for seed in range(20):
        image, boxes = scenes.scene(digits, 80, 3, np.random.default_rng(seed))
        plain = scenes.ground(80, np.random.default_rng(seed))
        changed = np.abs(image - plain).max(axis=0) > 20
        inside = np.zeros((80, 80), bool)
        for left, top, right, bottom in np.rint(boxes.corners * 80).astype(int):
            part = changed[top:bottom, left:right]
            inside[top:bottom, left:right] = True
            edges = [part[:2].any(), part[-2:].any(), part[:, :2].any(), part[:, -2:].any()]
            assert all(edges), f"seed {seed}"
        assert not (changed & ~inside).any()


def test_a_larger_set_begins_as_a_smaller_one(made, tmp_path):
    more = make_digits(tmp_path / "more", SMALL._replace(train=14, test=0))
    assert list(more.sources) == ["train"]
    for (image, boxes), (other, others) in zip(
        records(made.sources["train"]), records(more.sources["train"])
    ):
        np.testing.assert_array_equal(image, other)
        np.testing.assert_array_equal(boxes.corners, others.corners)
    other = make_digits(tmp_path / "other", SMALL._replace(train=1, test=0, seed=4))
    assert (records(other.sources["train"])[0][0] != records(made.sources["train"])[0][0]).any()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"side": 20}, "the size must be from 32 to 1024; got 20"),
        ({"train": 0}, "1 to 1000000 images of train, and 0 to as many of test; got 0 and 5"),
        ({"most": 0}, "at least 1 digit"),
        ({"encode": "gif"}, "cannot be encoded as 'gif'"),
        ({"encode": "webp"}, "files must be jpg or png; got webp"),
        ({"digits": "emnist-letters"}, "emnist-letters"),
    ],
)
def test_options_that_do_not_fit(tmp_path, change, message, monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda source: (_ for _ in ()).throw(DataError(source)))
    with pytest.raises((ConfigError, DataError), match=message):
        make_digits(tmp_path / "set", SMALL._replace(**change))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there(made):
    with pytest.raises(DataError, match="exists already"):
        make_digits(made.folder, SMALL)


def test_nothing_is_left_of_what_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("minicaffe.data.making.detection.scene", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_digits(tmp_path / "set", SMALL)
    assert not list(tmp_path.iterdir())
