"""Objects in pixels, as R-CNN learns from them: which are taken, in which order, and where they lie."""

import json
import os

import numpy as np
import pytest

from minicaffe.data.detection.coco import Coco
from minicaffe.data.detection.pixels import of_coco, of_voc
from minicaffe.data.detection.voc import Voc
from minicaffe.errors import DataError

from ...support.annotated import NAMES, coco_file, voc_folder

# Objects whose classes take turns, one that is difficult, and images without any that count.
SCENES = [
    ((40, 60), [("dog", 6, 4, 30, 20, 0), ("cat", 1, 1, 60, 40, 0), ("dog", 7, 7, 9, 7, 0)]),
    ((20, 20), []),
    ((20, 20), [("cat", 2, 2, 9, 9, 1)]),
    ((30, 44), [("cat", 3, 3, 5, 6, 1), ("cat", 2, 4, 8, 9, 0)]),
]


def changed(path: str, change) -> str:
    """Change the document in a file of COCO; the file."""
    with open(path) as file:
        document = json.load(file)
    change(document)
    with open(path, "w") as file:
        json.dump(document, file)
    return path


def test_voc(tmp_path):
    voc_folder(tmp_path, SCENES)
    one, other = of_voc(tmp_path, "train", NAMES)
    assert [os.path.basename(marked.path) for marked in (one, other)] == ["0.png", "3.png"]
    np.testing.assert_array_equal(one.objects, [[5, 3, 29, 19, 2], [0, 0, 59, 39, 1], [6, 6, 8, 6, 2]])
    np.testing.assert_array_equal(other.objects, [[1, 3, 7, 8, 1]])


def test_classes_that_are_not_asked_for_are_left_out(tmp_path):
    source = voc_folder(tmp_path, SCENES)
    (one,) = of_voc(tmp_path, "train", ["cow", "dog"])
    assert one.objects[:, 4].tolist() == [2, 2]
    assert Voc(source).read(0).boxes.labels.tolist() == [2, 2, 1]  # a record has those of a class together
    with pytest.raises(DataError, match="classes: two items are called 'dog'"):
        of_voc(tmp_path, "train", ["dog", "dog"])
    with pytest.raises(DataError, match=r"ImageSets/Main/test\.txt: no list"):
        of_voc(tmp_path, "test", NAMES)


def test_coco(tmp_path):
    path = coco_file(tmp_path, SCENES)
    one, other = of_coco(path, "")
    assert [marked.path for marked in (one, other)] == [f"{tmp_path}/train/{k}.png" for k in (0, 3)]
    np.testing.assert_array_equal(one.objects, [[6, 4, 29, 19, 2], [1, 1, 59, 39, 1], [7, 7, 8, 7, 2]])
    np.testing.assert_array_equal(other.objects, [[2, 4, 7, 8, 1]])


def test_classes_of_coco_have_the_order_of_the_file(tmp_path):
    path = changed(coco_file(tmp_path, SCENES), lambda document: document["categories"].reverse())
    assert of_coco(path, "")[0].objects[:, 4].tolist() == [1, 2, 1]
    assert Coco(path).read(0).boxes.labels.tolist() == [2, 2, 1]  # that of their numbers


def test_boxes_are_cut_to_the_image(tmp_path):
    def wider(document):
        document["annotations"][0]["bbox"] = [-5, 30.5, 100, 100]
        document["annotations"][1]["bbox"] = [60, 3, 5, 5]  # begins behind the last pixel

    one, _ = of_coco(changed(coco_file(tmp_path, SCENES), wider), "")
    np.testing.assert_array_equal(one.objects, [[0, 30.5, 59, 39, 2], [7, 7, 8, 7, 2]])


def test_an_image_whose_size_is_not_known(tmp_path):
    path = changed(coco_file(tmp_path, SCENES), lambda document: document["images"][0].pop("width"))
    with pytest.raises(DataError, match=r"image '0\.png': boxes are cut to the image; got one of 0x40"):
        of_coco(path, "")
