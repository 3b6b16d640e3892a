"""Someone with two folders of photos: from there to a net that tells them apart, in five commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from .support.running import Result, run


def daisy(pen, width: int, height: int, rng: np.random.Generator) -> None:
    """White petals around a yellow middle."""
    radius = rng.uniform(0.2, 0.4) * min(width, height)
    x, y = rng.uniform(radius, width - radius), rng.uniform(radius, height - radius)
    for angle in np.arange(10) * np.pi / 5 + rng.uniform(0, 1):
        px, py, r = x + 0.6 * radius * np.cos(angle), y + 0.6 * radius * np.sin(angle), radius / 4
        pen.ellipse((px - r, py - r, px + r, py + r), fill=tuple(rng.integers(200, 256, 3).tolist()))
    pen.ellipse((x - radius / 3, y - radius / 3, x + radius / 3, y + radius / 3), fill=(240, 200, 40))


def fence(pen, width: int, height: int, rng: np.random.Generator) -> None:
    """Brown boards."""
    step, colour = int(rng.integers(14, 26)), tuple(rng.integers((90, 60, 30), (200, 150, 110)).tolist())
    for x in range(int(rng.integers(step)), width, step):
        pen.rectangle((x, height // 5, x + step // 2, height), fill=colour)


def photos(folder: Path, count: int, seed: int) -> Iterator[Path]:
    """Draw so many of each in a folder of its own, of any size, on a meadow."""
    Image, ImageDraw = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageDraw")
    rng = np.random.default_rng(seed)
    for name, draw in {"daisies": daisy, "fences": fence}.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            width, height = rng.integers(80, 160, 2).tolist()
            meadow = Image.fromarray(rng.integers((20, 60, 20), (120, 160, 110), (5, 5, 3)).astype(np.uint8))
            image = meadow.resize((width, height), Image.Resampling.BICUBIC)
            draw(ImageDraw.Draw(image), width, height, rng)
            image.save(folder / name / f"{number}.jpg", quality=85)
            yield folder / name / f"{number}.jpg"


def test_from_photos_to_answers(tmp_path, monkeypatch, capsys):
    """No file is edited, and none is named that a command before has not made."""
    monkeypatch.chdir(tmp_path)
    list(photos(Path("photos"), 32, seed=1))
    fresh = list(photos(Path("fresh"), 3, seed=2))

    def minicaffe(line: str, *more: object) -> Result:
        result = run(capsys, *line.split(), *more)
        assert result.status == 0, f"{line}: {result.err}"
        return result

    made = minicaffe("data make photos --size 64 --val 25")
    assert "photos-data: train 48, val 16 images, 64x64" in made.out
    checked = minicaffe("check own --source photos-data")
    assert "all_in_one.prototxt: ok" in checked.out
    minicaffe("train own --source photos-data --run runs/own --epochs 12 --seed 1")
    tested = minicaffe("test runs/own runs/own --report report")
    assert "accuracy" in tested.out and "1 fences" in tested.out
    classified = minicaffe("classify runs/own runs/own --json", *fresh)

    report = json.loads(Path("report/report.json").read_text())
    assert report["accuracy"]["value"] > 0.9 and report["samples"] == 16
    assert "daisies" in Path("report/report.html").read_text()
    answers = json.loads(classified.out)["images"]
    right = [answer["classes"][0]["label"] == Path(answer["image"]).parent.name for answer in answers]
    assert len(right) == 6 and sum(right) >= 5
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "fresh", "photos-data", "runs", "report"}
