"""Small annotated data sets: a bright rectangle on a dark image for every object, so that pixels tell where
it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from minicaffe.data import encoding
from minicaffe.data.database import DatabaseWriter
from minicaffe.data.detection import voc
from minicaffe.data.detection.boxes import Boxes, marked
from minicaffe.data.detection.database import to_record
from minicaffe.data.detection.label_map import spelled

NAMES = ["cat", "dog"]
# Height and width of each image, and its objects: class, xmin, ymin, xmax, ymax, difficult.
SCENES = [
    ((40, 60), [("cat", 6, 4, 30, 20, 0)]),
    ((50, 50), [("dog", 10, 10, 30, 40, 0), ("cat", 36, 6, 46, 46, 1), ("dog", 0, 0, 8, 8, 0)]),
    ((30, 44), []),
    ((64, 48), [("dog", 20, 30, 44, 60, 0)]),
]


def picture(scene) -> np.ndarray:
    """The image of a scene, (3, H, W)."""
    (height, width), objects = scene
    image = np.full((3, height, width), 20, np.uint8)
    for number, (_, left, top, right, bottom, _) in enumerate(objects):
        image[:, top:bottom, left:right] = 200 + 10 * number
    return image


def objects_of(scene) -> Boxes:
    """The objects of a scene, as shares."""
    (height, width), objects = scene
    corners = [np.divide(one[1:5], [width, height] * 2) for one in objects]
    labels = [NAMES.index(one[0]) + 1 for one in objects]
    return marked(corners, labels, [bool(one[5]) for one in objects]).grouped()


def xml(scene) -> str:
    (height, width), objects = scene
    inside = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{box[0]}</xmin>"
        f"<ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
        for name, *box, difficult in objects
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation><filename>a.png</filename>{size}{inside}</annotation>"


def voc_folder(folder: Path, scenes=SCENES) -> str:
    """Write a VOC folder; the source of its part train."""
    for name in (voc.IMAGES, voc.ANNOTATIONS, f"{voc.SETS}/Main"):
        (folder / name).mkdir(parents=True)
    for number, scene in enumerate(scenes):
        (folder / voc.IMAGES / f"{number}.png").write_bytes(encoding.encode(picture(scene), "png"))
        (folder / voc.ANNOTATIONS / f"{number}.xml").write_text(xml(scene))
    lines = "".join(f"{number}\n" for number in range(len(scenes)))
    (folder / voc.SETS / "Main" / "train.txt").write_text(lines)
    (folder / "labelmap.prototxt").write_text(spelled(NAMES))
    return f"{folder}/train"


def coco_file(folder: Path, scenes=SCENES) -> str:
    """Write a COCO folder; the file of instances."""
    document = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
    }
    (folder / "annotations").mkdir(parents=True)
    (folder / "train").mkdir()
    for number, scene in enumerate(scenes):
        (height, width), objects = scene
        (folder / "train" / f"{number}.png").write_bytes(encoding.encode(picture(scene), "png"))
        document["images"].append(
            {"id": 90 + number, "file_name": f"{number}.png", "height": height, "width": width}
        )
        for name, left, top, right, bottom, crowd in objects:
            box = [left, top, right - left, bottom - top]
            one = {
                "image_id": 90 + number,
                "category_id": 3 if name == "cat" else 7,
                "bbox": box,
                "iscrowd": crowd,
            }
            document["annotations"].append(one)
    path = folder / "annotations" / "instances_train.json"
    path.write_text(json.dumps(document))
    return str(path)


def database(folder: Path, scenes=SCENES, raw: bool = False) -> str:
    """Write an LMDB of AnnotatedDatum; its folder."""
    with DatabaseWriter(folder) as writer:
        for scene in scenes:
            image = picture(scene) if raw else encoding.encode(picture(scene), "png")
            writer.add(to_record(image, objects_of(scene)))
    return str(folder)


def source(backend: str, folder: Path, scenes=SCENES) -> str:
    """Write a data set for a backend of AnnotatedData."""
    return {"VOC": voc_folder, "COCO": coco_file, "LMDB": database}[backend](folder, scenes)
