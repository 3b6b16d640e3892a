"""What a report says: the page, the pictures, the JSON, and the folder that appears whole or not at all."""

from __future__ import annotations

import io
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from minicaffe.drawing.svg import svg
from minicaffe.drawing.theme import DARK
from minicaffe.errors import DataError
from minicaffe.reports import Evaluation, figures, folder, metrics, numbers, page, words, write

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (20, 16), dtype=np.uint8)


def evaluation(classes: int = 3, samples: int = 60, right: float = 0.8, **more) -> Evaluation:
    """Predictions that are right in a share of the samples, with pictures of all mistakes."""
    rng = np.random.default_rng(1)
    actual = rng.integers(0, classes, samples)
    named = np.where(rng.random(samples) < right, actual, rng.integers(0, classes, samples))
    p = metrics.softmax(rng.normal(size=(samples, classes)) + 5 * np.eye(classes)[named])
    judged = metrics.judge(p, actual)
    wrong = metrics.mistakes(judged).tolist()
    return Evaluation(
        **{
            "net": "net",
            "about": {"net": "net.prototxt"},
            "classes": [f"class {c}" for c in range(classes)],
            "judged": judged,
            "number": np.arange(samples) + 100,
            "names": {row: str(row + 100) for row in wrong},
            "pictures": dict.fromkeys(wrong[:24], PIXELS),
            **more,
        }
    )


class Outline(HTMLParser):
    """Tags that were not closed as they should, and what a page shows and asks for."""

    VOID = ("meta", "img", "br", "source")

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asked: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.asked += [
            value for name, value in attrs if name in ("src", "srcset", "href") or name.startswith("on")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += "" if self.open[-1:] == ["style"] else data


def outline(found: Evaluation) -> Outline:
    seen = Outline(page.html(found))
    assert not seen.open and "script" not in seen.tags and "link" not in seen.tags
    assert all(value.startswith("data:image/") for value in seen.asked)
    return seen


def test_the_page_holds_all_and_asks_for_nothing():
    found = evaluation()
    seen = outline(found)
    for what in (
        f"{100 * found.accuracy.value:.2f} %",
        f"of {found.samples} samples",
        f"{found.log_loss:.4f}",
        f"{found.calibration.error:.4f}",
        "2 class 2",
        f"#{found.number[found.mistakes[0]]}",
        words.certain(found.judged.certainty[found.mistakes[0]]),
        "A label is suspect if",
    ):
        assert what in seen.text, what
    assert seen.tags.count("img") == 2 + len(found.mistakes) + len(found.suspects)
    style = page.STYLE
    assert "prefers-color-scheme: dark" in style and "http" not in style and "@import" not in style
    assert 'name="viewport"' in page.html(found)


def test_names_cannot_do_anything_to_the_page():
    bad = '<script>alert("1")</script>\x1b[31m\u202e'
    found = evaluation(classes=2, net=bad, about={bad: bad}, notes=[bad])
    found = replace(found, classes=[bad, "b"], names={row: f"{bad}/{row}.png" for row in found.names})
    text = page.html(found)
    assert "<script>alert" not in text and "\x1b" not in text and "\u202e" not in text
    assert "alert" in outline(found).text
    json.loads(numbers.spell(found))
    for scene in (figures.confusion(found), figures.calibration(found), figures.mistakes(found)):
        assert b"<script" not in svg(scene) and figures.png(scene).startswith(b"\x89PNG")


def test_a_thousand_classes_stay_readable_and_small():
    found = evaluation(classes=1000, samples=5000, right=0.7)
    seen = outline(found)
    assert len(page.html(found)) < 400_000
    assert "The 30 of 1,000 classes with the lowest F1" in seen.text
    shown = figures.shown_classes(found.confusion)
    assert figures.CHOSEN - 1 <= len(shown) <= figures.CHOSEN
    for pair in found.most_confused[: figures.CHOSEN // 2 - 1]:
        assert {pair.actual, pair.predicted} <= set(shown)
    assert "of other pairs" in svg(figures.confusion(found)).decode()
    assert len(numbers.spell(found)) < 1_500_000
    assert len(figures.shown_classes(np.eye(31, dtype=int))) == figures.CHOSEN  # nothing is confused


def test_a_net_without_mistakes():
    found = evaluation(right=1.0)
    seen = outline(found)
    assert not len(found.mistakes) and "There is none." in seen.text
    assert figures.mistakes(found) is None


@pytest.mark.parametrize("classes, samples", [(2, 1), (12, 40), (31, 40)])
def test_charts_of_few_and_many(classes, samples):
    from PIL import Image

    found = evaluation(classes=classes, samples=samples, right=0.5)
    for chart in (figures.confusion, figures.calibration, figures.mistakes):
        scene, dark = chart(found), chart(found, DARK)
        if scene is None or dark is None:
            assert not len(found.mistakes)
            continue
        with Image.open(io.BytesIO(figures.png(scene))) as picture:
            assert picture.size == (round(2 * scene.width), round(2 * scene.height))
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 3
        assert b"nan" not in svg(scene) and scene.ground != dark.ground
        assert [type(shape) for shape in scene.shapes] == [type(shape) for shape in dark.shapes]


def test_the_numbers_of_cells_are_in_the_confusion_chart():
    found = evaluation()
    shown = [shape.text for shape in figures.confusion(found).shapes if isinstance(shape, figures.Words)]
    counts = [str(n) for n in found.confusion.ravel() if n]
    assert [text for text in shown if text.isdecimal() and text in counts][-len(counts) :] == counts


def test_colour_and_large_pictures_are_made_smaller():
    from PIL import Image

    with Image.open(io.BytesIO(figures.photo(RNG.integers(0, 256, (500, 1000, 3), dtype=np.uint8)))) as image:
        assert image.size == (224, 112) and image.mode == "RGB"
    with Image.open(io.BytesIO(figures.photo(PIXELS))) as image:
        np.testing.assert_array_equal(np.asarray(image), PIXELS)


def test_json_says_what_the_evaluation_does():
    found = evaluation(classes=4, samples=30, left_out=7, ignored=2)
    said = json.loads(numbers.spell(found), parse_constant=lambda word: pytest.fail(word))
    assert said["accuracy"]["count"] == found.accuracy.hits and said["samples"] == 30
    assert said["accuracy"]["interval"] == [found.accuracy.low, found.accuracy.high]
    assert said["top5"] is None and (said["left_out"], said["ignored"]) == (7, 2)
    matrix = np.zeros((4, 4), int)
    for cell in said["confusion"]:
        matrix[cell["actual"], cell["predicted"]] = cell["count"]
    np.testing.assert_array_equal(matrix, found.confusion)
    assert [m["number"] for m in said["mistakes"]] == found.number[found.mistakes].tolist()
    assert sum(m["suspect_label"] for m in said["mistakes"]) == len(found.suspects)
    assert sum(bin["count"] for bin in said["calibration"]) == 30


def test_a_ratio_that_there_is_not_is_null():
    judged = metrics.judge(np.array([[0.9, 0.05, 0.05]]), np.array([0]))
    found = evaluation(judged=judged, number=np.array([0]), names={}, pictures={})
    said = json.loads(numbers.spell(found))["classes"]
    assert [c["recall"] for c in said] == [1.0, None, None] and said[1]["precision"] is None
    assert "2 of 3 classes do not occur in the data." in words.remarks(found)
    assert "–" in outline(found).text


@pytest.mark.parametrize(
    "probability, text",
    [
        (1.0, "100.0 %"),
        (0.99996, "> 99.9 %"),
        (0.9994, "99.9 %"),
        (0.5, "50.0 %"),
        (1e-9, "< 0.1 %"),
        (0, "0.0 %"),
    ],
)
def test_certainties_are_not_rounded_to_certain(probability, text):
    assert words.certain(probability) == text


def test_nor_are_shares_to_all_or_none():
    """One mistake of 60,000 is seen."""
    shares = {1.0: "100.00 %", 59999 / 60000: "> 99.99 %", 0.9999: "99.99 %", 1e-5: "< 0.01 %", 0.0: "0.00 %"}
    assert {share: words.percent(share) for share in shares} == shares


# -- the folder


def test_a_report_is_written_and_replaced(tmp_path):
    write(evaluation(), tmp_path / "r")
    assert {path.name for path in (tmp_path / "r").iterdir()} == folder.FILES
    write(evaluation(right=1.0), tmp_path / "r")
    assert {path.name for path in (tmp_path / "r").iterdir()} == folder.FILES - {"mistakes.png"}
    assert list(tmp_path.iterdir()) == [tmp_path / "r"]
    (tmp_path / "empty").mkdir()
    write(evaluation(), tmp_path / "empty")
    again = (tmp_path / "empty" / "report.html").read_bytes()
    write(evaluation(), tmp_path / "empty")
    assert (tmp_path / "empty" / "report.html").read_bytes() == again


def test_the_working_folder_stays(tmp_path, monkeypatch):
    """Replaced, it would be gone from below the shell that stands in it."""
    monkeypatch.chdir(tmp_path)
    for name in (".", tmp_path):
        with pytest.raises(DataError, match="not of the one you are in; hint: name a folder in it"):
            write(evaluation(), name)
    assert not list(tmp_path.iterdir())


def test_what_is_no_report_is_left_alone(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("dear")
    with pytest.raises(
        DataError, match=r"mine: the folder is no report: it holds notes\.txt; hint: name another"
    ):
        write(evaluation(), mine)
    (mine / "notes.txt").rename(mine / "report.json")
    with pytest.raises(DataError, match=r"no report: its report\.json is no report's"):
        write(evaluation(), mine)
    write(evaluation(), tmp_path / "r")
    (tmp_path / "r" / "notes.txt").write_text("dear")  # somebody's, beside a report
    with pytest.raises(DataError, match=r"it holds notes\.txt"):
        write(evaluation(), tmp_path / "r")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: there is something that is no folder"):
        write(evaluation(), tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="link: there is something that is no folder"):
        write(evaluation(), tmp_path / "link")
    with pytest.raises(DataError, match=r"cannot write .*: No such file or directory"):
        write(evaluation(), tmp_path / "no" / "where")
    with pytest.raises(DataError, match="cannot write"):
        write(evaluation(), "a\0b")
    assert (mine / "report.json").read_text() == "dear"


@pytest.mark.parametrize("step", ["mkdir", "rename", "write"])
def test_nothing_is_half_written(tmp_path, monkeypatch, step):
    """Whatever fails on the way, the report that was there is whole."""
    write(evaluation(), tmp_path / "r")
    before = {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    real, calls = os.rename, []

    def fail(*_args, **_more):
        raise OSError(28, "No space left on device")

    def second(*args):
        calls.append(args)
        return fail() if len(calls) == 2 else real(*args)

    if step == "mkdir":
        monkeypatch.setattr(Path, "mkdir", fail)
    elif step == "rename":
        monkeypatch.setattr(folder.os, "rename", second)
    else:
        monkeypatch.setattr(folder, "write_together", fail)
    with pytest.raises(DataError, match=r"cannot write .*r: No space left on device"):
        write(evaluation(right=1.0), tmp_path / "r")
    assert list(tmp_path.iterdir()) == [tmp_path / "r"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before


def test_the_style_is_all_used():
    """A class in the style that the page does not use is a leftover."""
    text = page.html(evaluation(stretched=True, notes=["x"]))
    wide = page.html(evaluation(classes=30, samples=40, right=0.5))
    for name in set(re.findall(r"\.([a-z]+)[ ,{:]", page.STYLE)):
        assert f'"{name}"' in text + wide or re.search(rf'class="[^"]*\b{name}\b', text + wide), name
