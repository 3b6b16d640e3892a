"""Sources of annotated images: folders of VOC, files of COCO, databases; and what is wrong with them."""

import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.data import encoding
from minicaffe.data.detection import label_map, voc
from minicaffe.data.detection.coco import Coco
from minicaffe.data.detection.database import AnnotatedDatabase, parse, to_record
from minicaffe.data.detection.label_map import LabelMap
from minicaffe.data.detection.records import opened
from minicaffe.data.detection.voc import Voc
from minicaffe.data.images import Channels
from minicaffe.errors import DataError, MiniCaffeError

from ...support.annotated import NAMES, SCENES, coco_file, database, objects_of, picture, voc_folder, xml

LABELS = LabelMap([("cat", 1, ""), ("dog", 2, "a dog")], "map")


def check(records):
    assert len(records) == len(SCENES)
    for index in (2, 0, 1, 3, 1):
        image, boxes = opened(records.read(index), Channels.COLOR)
        np.testing.assert_array_equal(image, picture(SCENES[index]))
        for found, wanted in zip(boxes, objects_of(SCENES[index])):
            np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_voc(tmp_path):
    records = Voc(voc_folder(tmp_path))
    check(records)
    check(Voc(f"{tmp_path}/ImageSets/Main/train.txt", LABELS))
    assert records.classes == ["background", *NAMES]
    assert records.place(1) == f"{tmp_path}/ImageSets/Main/train.txt:2"
    some = Voc(f"{tmp_path}/train[1:75%]")
    assert len(some) == 2 and some.place(0).endswith("train.txt:2")


def test_voc_from_the_working_directory(tmp_path, monkeypatch):
    voc_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    check(Voc("train"))
    check(Voc("ImageSets/Main/train.txt"))


def test_coco(tmp_path):
    path = coco_file(tmp_path)
    records = Coco(path)
    check(records)
    assert records.classes == ["background", *NAMES] and records.place(3) == f"{path}: image '3.png'"
    check(Coco(path, f"{tmp_path}/train", LABELS))
    by_number = Coco(path, labels=LabelMap([("3", 1, "cat"), ("7", 2, "dog")], "map"))
    check(by_number)
    assert len(Coco(f"{path}[3:]")) == 1


@pytest.mark.parametrize("raw", [False, True])
def test_database(tmp_path, raw):
    check(
        AnnotatedDatabase(database(tmp_path / "db", raw=raw), Channels.COLOR if not raw else Channels.NATIVE)
    )


def read(record, labelled=False):
    return parse(record.SerializeToString(), Channels.NATIVE, labelled)


def test_records_without_boxes():
    record = to_record(picture(SCENES[0]), objects_of(SCENES[0]))
    record.ClearField("type")
    record.datum.label = 7
    assert read(record)[1:3] == (None, 7)
    assert len(read(record, labelled=True).boxes.labels) == 1
    record.type = 2
    with pytest.raises(DataError, match="of another type than BBOX"):
        read(record)
    record.ClearField("datum")
    with pytest.raises(DataError, match="without an image; hint: Data reads"):
        read(record)


def test_a_box_of_the_database_that_is_no_number():
    record = to_record(picture(SCENES[0]), objects_of(SCENES[0]))
    record.annotation_group[0].annotation[0].bbox.xmax = float("nan")
    with pytest.raises(DataError, match="no number"):
        read(record)


def test_numbers_of_classes(tmp_path):
    path = tmp_path / "map"
    path.write_text('item { name: "b" label: 2 } item { name: "a" label: 0 display_name: "A" }')
    found = label_map.read(path)
    with pytest.raises(DataError, match="no name for the label 1; expected one for each from 0 to 2"):
        found.names()
    assert found.label("b") == 2 and found.label("x", "a") == 0 and found.shown == ["A", "", "b"]
    for text, message in [
        ("", "no item; hint: item {"),
        ('item { name: "a" } item { name: "a" label: 1 }', "two items are called 'a'"),
        ('item { name: "a" label: -1 }', "a label must be from 0 to 65535; got -1"),
        ("item { nam: 3 }", "nam"),
    ]:
        path.write_text(text)
        with pytest.raises(MiniCaffeError, match=message):
            label_map.read(path)


def test_sizes_that_are_not_there_are_those_of_the_image(tmp_path):
    source = voc_folder(tmp_path)
    path = tmp_path / "Annotations" / "0.xml"
    for size in ("", "<size><width>0</width><height>0</height></size>"):
        text = path.read_text()
        path.write_text(
            text[: text.index("<size>")] + size + text[text.index("</size>") + 7 :]
            if "<size>" in text
            else text
        )
        check(Voc(source))


def test_annotations_that_are_written():
    for scene in SCENES:
        data = voc.spelled("a.png", scene[0], objects_of(scene), ["", *NAMES])
        size, boxes = voc.parse(data, LABELS)
        assert size == scene[0]
        shares = boxes._replace(corners=boxes.corners / ([*size[::-1]] * 2))
        for found, wanted in zip(shares, objects_of(scene)):
            np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize(
    "wide, high, fits", [(120, 80, True), (60, 40, True), (40, 60, False), (60, 60, False)]
)
def test_boxes_of_another_image(tmp_path, wide, high, fits):
    source = voc_folder(tmp_path)
    text = xml(SCENES[0]).replace("<width>60<", f"<width>{wide}<").replace("<height>40<", f"<height>{high}<")
    (tmp_path / "Annotations" / "0.xml").write_text(text)
    found = Voc(source).read(0)
    if fits:
        np.testing.assert_allclose(
            opened(found, Channels.COLOR)[1].corners[0], [6 / wide, 4 / high, 30 / wide, 20 / high]
        )
        return
    with pytest.raises(DataError, match=f"of an image of {wide}x{high} pixels; this one has 60x40"):
        opened(found, Channels.COLOR)


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><annotation>&b;</annotation>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation>&a;</annotation>'
BOX = "<bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"


def thing(inside: str) -> str:
    return f"<annotation><object>{inside}</object></annotation>"


@pytest.mark.parametrize(
    "text, message",
    [
        (LAUGHS, "a declaration of a document type"),
        (OUTSIDE, "a declaration of a document type"),
        ('<!DOCTYPE annotation SYSTEM "http://x/y.dtd"><annotation/>', "a declaration of a document type"),
        ("", "no XML: no element found"),
        ("\0\0", "no XML"),
        ("<annotation>", "no XML: no element found"),
        ("<annotation>&x;</annotation>", "no XML: undefined entity"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "no XML: unknown encoding"),
        ("<html/>", "expected <annotation>; got <html>"),
        ("<annotation>" + "<a>" * 100_000, "in each other more than 32 deep"),
        (thing("<name>cat</name>"), "an object 'cat' without <bndbox>"),
        (thing("<name>cow</name>" + BOX.format(1)), "the class 'cow' is not in map; hint: known: cat, dog"),
        (thing(BOX.format(1)), "the class '' is not in map"),
        (thing("<name>cat</name>" + BOX.format("wide")), "<bndbox> must have a number <xmin>; got 'wide'"),
        (thing("<name>cat</name>" + BOX.format("nan")), "a number <xmin>; got 'nan'"),
        (thing("<name>cat</name>" + BOX.format("1e99")), "a number <xmin>; got '1e99'"),
        (thing("<name>cat</name>" + BOX.format("")), "a number <xmin>; got nothing"),
        (thing("<name>cat</name>" + BOX.format(9)), "a box of 'cat' ends before it begins: 9 1 3 4"),
        (
            "<annotation><size><width>x</width></size></annotation>",
            "<size> must have a number <width>; got 'x'",
        ),
    ],
)
def test_annotations_that_are_none(text, message):
    with pytest.raises(DataError, match=message) as raised:
        voc.parse(text.encode(), LABELS)
    assert "\n" not in str(raised.value)


@given(st.binary(max_size=60) | st.text(alphabet="<>/annotionbjec &;'\"=!?x0", max_size=60).map(str.encode))
def test_any_bytes_are_an_annotation_or_an_error(data):
    for whole in (data, b"<annotation><object>" + data + b"</object></annotation>"):
        try:
            voc.parse(whole, LABELS)
        except DataError:
            pass


def test_files_that_are_missing(tmp_path):
    source = voc_folder(tmp_path)
    list_ = tmp_path / "ImageSets" / "Main" / "train.txt"
    (tmp_path / "JPEGImages" / "0.png").unlink()
    with pytest.raises(DataError, match=r"no image .*JPEGImages/0.jpg; hint: looked for .jpg, .png"):
        Voc(source).read(0)
    (tmp_path / "Annotations" / "1.xml").unlink()
    with pytest.raises(DataError, match=r"cannot read .*Annotations/1.xml: No such file"):
        Voc(source).read(1)
    for line, message in [
        (
            "cat -1",
            r"train.txt:1: expected the name of an image; got 'cat -1'; hint: lists of a single class",
        ),
        ("", "the list is empty"),
    ]:
        list_.write_text(line)
        with pytest.raises(DataError, match=message):
            Voc(source)
    for name in ("../../x", "/etc/passwd"):
        list_.write_text(name)
        with pytest.raises(DataError, match="names a file outside"):
            Voc(source).read(0)
    (tmp_path / "labelmap.prototxt").unlink()
    with pytest.raises(DataError, match=r"no labelmap.prototxt, which numbers the classes"):
        Voc(source)
    for name in (f"{tmp_path}/val", f"{tmp_path}", "no\0name", str(tmp_path / "labels" / "none")):
        with pytest.raises(DataError, match="no list of images of a VOC folder"):
            Voc(name)
    (tmp_path / "list.txt").write_text("1\n")
    with pytest.raises(DataError, match="must lie in a folder ImageSets"):
        Voc(f"{tmp_path}/list.txt")


def changed(document: dict, where: str, value) -> dict:
    """The document with another value at a place such as images.0.id."""
    part = document
    *path, last = [int(step) if step.isdigit() else step for step in where.split(".")]
    for step in path:
        part = part[step]
    part[last] = value
    return document


@pytest.mark.parametrize(
    "where, value, message",
    [
        ("images", {}, "'images' must be a list of objects"),
        ("images", [], "no images"),
        ("annotations", [3], "'annotations' must be a list of objects"),
        ("images.0.id", "x", "'id' must be a whole number; got x"),
        ("images.0.id", 91, "two images have the same id"),
        ("images.0.file_name", "", "'file_name' must be a text"),
        ("images.0.width", 1.5, "'width' must be a whole number"),
        ("annotations.0.image_id", 4, "an annotation of image 4, which is not there"),
        ("annotations.0.category_id", 4, "an annotation of category 4, which is not there"),
        ("annotations.0.bbox", [1, 2, 3], "the bbox of an annotation of image 90 must be xmin"),
        ("annotations.0.bbox", [1, 2, -3, 4], "the bbox of an annotation of image 90"),
        ("annotations.0.bbox", [1, 2, "3", 4], "the bbox of an annotation of image 90"),
        ("annotations.0.bbox", [1, 2, float("nan"), 4], "the bbox of an annotation of image 90"),
        ("categories.0.name", "dog", "two items are called 'dog'"),
    ],
)
def test_documents_that_are_none(tmp_path, where, value, message):
    path = coco_file(tmp_path)
    document = changed(json.loads(open(path).read()), where, value)
    with open(path, "w") as file:
        json.dump(document, file)
    with pytest.raises(DataError, match=message) as raised:
        Coco(path)
    assert str(raised.value).startswith(path) and "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", '{"images": 3}', "\xff"])
def test_text_that_is_no_document(tmp_path, text):
    (tmp_path / "x.json").write_bytes(text.encode("latin1"))
    with pytest.raises(DataError, match=r"x.json: "):
        Coco(f"{tmp_path}/x.json")


def test_coco_files_that_are_missing(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        Coco(f"{tmp_path}/no.json")
    path = coco_file(tmp_path)
    os.remove(tmp_path / "train" / "0.png")
    with pytest.raises(DataError, match=r"cannot read .*train/0.png"):
        Coco(path).read(0)
    document = changed(json.loads(open(path).read()), "images.0.file_name", "../../0.png")
    with open(path, "w") as file:
        json.dump(document, file)
    with pytest.raises(DataError, match="names a file outside"):
        Coco(path).read(0)


def test_damaged_images_are_errors(tmp_path):
    source = voc_folder(tmp_path)
    (tmp_path / "JPEGImages" / "0.png").write_bytes(encoding.encode(picture(SCENES[0]), "png")[:60])
    with pytest.raises(DataError, match="not a whole image"):
        opened(Voc(source).read(0), Channels.COLOR)
