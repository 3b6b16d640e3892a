"""Journeys through the page Data."""

from __future__ import annotations

import json
import re
import zipfile

import numpy as np
import pytest

from minicaffe.data import datasets
from minicaffe.data.making import Options, make

from ..pictures import class_folders, doubtful

HOSTILE = ('<img src=x onerror="document.title=1">', 'it\'s "quoted" & <b>bold<', "a..' {{7*7}} %2e%2e%2f")
LONG_MS = 60_000  # until a data set is made


def go(page, address):
    page.evaluate("address => { location.hash = address; }", f"#data/{address}")


def cells(page):
    page.wait_for_selector("#data .cell", timeout=LONG_MS)  # the worker starts first
    return page.locator("#data .grid .cell")


def fits(page):
    """Nothing stands out of the page to the right."""
    return page.evaluate(
        "() => document.documentElement.scrollWidth <= innerWidth"
        " && document.querySelector('#data').scrollWidth <= document.querySelector('#data').clientWidth"
    )


def test_a_folder_of_pngs_becomes_a_data_set(page, server, workspace, tmp_path):
    class_folders(tmp_path / "photos", each=10)
    page.get_by_role("link", name="Data", exact=True).click()
    page.locator("#data").get_by_role("link", name="New data set").click()
    page.locator("#data").get_by_role("button", name=str(tmp_path), exact=True).click()
    page.locator("#data").get_by_role("button", name="photos").click()
    page.locator("#data").get_by_text("2 class folders with images").wait_for()
    assert page.locator("#data").get_by_label("Name").input_value() == "photos-data"
    page.locator("#data").get_by_label("Width, pixels").fill("4")
    page.locator("#data").get_by_role("button", name="Make data set").click()
    page.locator("#data").get_by_role("heading", name="photos-data").wait_for()
    page.locator("#data").get_by_role("heading", name="Images of each class").wait_for(timeout=LONG_MS)
    rows = page.locator("#data .counts tbody tr")
    assert [rows.nth(k).inner_text().split() for k in range(2)] == [["cats", "9", "1"], ["dogs", "9", "1"]]
    assert cells(page).count() == 18
    images, _ = datasets.load(str(workspace / "photos-data" / "train"))
    assert images.shape == (18, 3, 4, 4)


@pytest.mark.parametrize("as_zip", [False, True], ids=["files", "zip"])
def test_an_upload_with_hostile_names(page, server, tmp_path, as_zip):
    folder = class_folders(tmp_path / "sent", HOSTILE, each=3)
    page.wait_for_selector("#link[data-state=live]")
    title = page.title()
    go(page, ":new")
    page.locator("#data").get_by_label("Sent from here").check()
    if as_zip:
        with zipfile.ZipFile(tmp_path / "sent.zip", "w") as archive:
            for path in folder.rglob("*.png"):
                archive.write(path, path.relative_to(tmp_path))
        page.locator("#data").get_by_label("Zip or table").set_input_files(tmp_path / "sent.zip")
    else:
        page.locator("#data").get_by_label("Folder", exact=True).set_input_files(folder)
        page.locator("#data").get_by_text("9 files in 3 folders").wait_for()
    page.locator("#data").get_by_label("Name").fill("hostile")
    page.locator("#data").get_by_label("For validation, %").fill("0")
    page.locator("#data").get_by_role("button", name="Make data set").click()
    page.locator("#data").get_by_role("heading", name="Images of each class").wait_for(timeout=LONG_MS)
    shown = page.locator("#data .counts tbody th")
    assert sorted(shown.all_inner_texts()) == sorted(HOSTILE)
    assert cells(page).count() == 9
    assert (
        page.locator("#data img, #data b:has-text('bold')").count() == 0
        and title.split(" ")[-1] in page.title()
    )


def test_names_out_of_a_file_stay_text(page, server, workspace, tmp_path):
    make(class_folders(tmp_path / "photos"), workspace / "small", Options())
    summary = json.loads((workspace / "small" / "summary.json").read_text())
    summary["classes"] = ["../../etc/passwd", "<script>document.title = 1</script>"]
    summary["left out"] = [{"file": "<img src=x onerror=alert(1)>", "reason": "<b>none</b>"}]
    (workspace / "small" / "summary.json").write_text(json.dumps(summary))
    page.wait_for_selector("#link[data-state=live]")
    go(page, "small")
    cells(page).first.click()
    assert page.locator("#data .counts tbody th").all_inner_texts() == summary["classes"]
    page.locator("#data").get_by_text("1 files left out").click()
    page.locator("#data").get_by_text("<b>none</b>").wait_for()
    assert page.locator("#data img, #data script").count() == 0 and "1" not in page.title()


def test_a_name_that_is_refused_is_said_at_its_field(page, server, tmp_path):
    class_folders(tmp_path / "photos")
    page.wait_for_selector("#link[data-state=live]")
    go(page, ":new")
    page.locator("#data").get_by_role("button", name=str(tmp_path), exact=True).click()
    page.locator("#data").get_by_role("button", name="photos").click()
    page.locator("#data").get_by_text("2 class folders").wait_for()
    page.locator("#data").get_by_label("Name").fill("digits")
    page.locator("#data").get_by_role("button", name="Make data set").click()
    page.locator("#data form .bad").get_by_text("digits is a set").wait_for()
    assert page.evaluate("document.activeElement.name") == "dataset_name"


def test_filtering_and_turning_pages(page, server):
    page.wait_for_selector("#link[data-state=live]")
    go(page, "digits")
    assert cells(page).count() == 60
    page.locator("#data").get_by_text("page 1 of 24, 1,437 images").wait_for()
    page.locator("#data").get_by_role("link", name="Next").click()
    page.locator("#data").get_by_text("page 2 of 24").wait_for()
    page.locator("#data").get_by_role("link", name="7", exact=True).click()
    page.locator("#data").get_by_text("page 1 of 3, 153 images").wait_for()
    assert set(page.locator("#data .grid .cell small").all_inner_texts()) == {"7"}
    page.locator("#data").get_by_label("Part").select_option("test")
    page.locator("#data").get_by_text(re.compile("page 1 of 1, 2[0-9] images")).wait_for()
    page.go_back()
    page.locator("#data").get_by_text("page 1 of 3, 153 images").wait_for()


def test_values_are_those_of_the_data(page, server):
    images, _ = datasets.load("digits/train")
    page.wait_for_selector("#link[data-state=live]")
    go(page, "digits/train/all/0")
    cells(page).nth(5).click()
    canvas = page.locator("#data").get_by_role("img", name="arrow keys read its values")
    canvas.focus()  # by keyboard: it begins in the middle
    page.keyboard.press("ArrowRight")
    value = page.locator("#data .value")
    assert value.inner_text() == f"row 4, column 5: {images[5, 0, 4, 5]}"
    box = canvas.bounding_box()
    for row, column in ((0, 3), (6, 2), (7, 7)):
        page.mouse.move(
            box["x"] + (column + 0.5) * box["width"] / 8, box["y"] + (row + 0.5) * box["height"] / 8
        )
        assert value.inner_text() == f"row {row}, column {column}: {images[5, 0, row, column]}"


def test_augmented_samples(page, server, workspace, tmp_path):
    make(class_folders(tmp_path / "photos"), workspace / "small", Options())
    page.wait_for_selector("#link[data-state=live]")
    go(page, "small")
    cells(page).first.click()
    samples = page.locator("#data .seen figure")
    samples.nth(8).wait_for()
    assert samples.first.inner_text() == "as it is" and samples.count() == 9
    with page.expect_response(
        lambda answer: "augmented.png" in answer.url and "rotation" in answer.url
    ) as found:
        page.locator("#data").get_by_label("rotation, shift and scale").check()
    assert found.value.ok and "affine" in page.locator("#data").get_by_label("augment_param").input_value()
    page.locator("#data").get_by_label("transform_param").fill("crop_sise: 3")
    page.locator("#data .sample .bad").get_by_text("crop_sise").wait_for()
    page.locator("#data").get_by_label("transform_param").fill("crop_size: 4")
    page.locator("#data .sample .bad").wait_for(state="hidden")


def test_keyboard_alone_reaches_images(page, server):
    page.wait_for_selector("#link[data-state=live]")
    go(page, "digits")
    cells(page).first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_selector("#data .sample:not([hidden])")
    assert page.locator("#data .cell[aria-pressed=true]").count() == 1
    assert page.locator("#data .grid .cell[tabindex='0']").count() == 1


def test_suspects_and_removal(page, server, workspace, tmp_path):
    source = class_folders(tmp_path / "photos")
    (source / "dogs" / "copy.png").write_bytes((source / "cats" / "1.png").read_bytes())
    make(source, workspace / "odd", Options())
    page.wait_for_selector("#link[data-state=live]")
    go(page, "odd")
    page.locator("#data").get_by_role("link", name="Suspect images").click()
    page.locator("#data").get_by_role("heading", name="The same image in different classes: 2").wait_for()
    assert sorted(page.locator("#data .suspect .cell small:first-of-type").all_inner_texts()) == [
        "cats",
        "dogs",
    ]
    page.locator("#data").get_by_role("button", name="Delete").click()
    page.locator("#data").get_by_role("button", name="Keep it").click()
    page.locator("#data").get_by_role("button", name="Delete").click()
    page.locator("#data").get_by_role("button", name="Delete odd for good").click()
    page.get_by_text("odd is removed").wait_for()
    assert not (workspace / "odd").exists()


def test_a_net_is_asked_which_labels_it_doubts(page, server, workspace, tmp_path, capsys):
    doubtful(workspace, tmp_path, capsys)
    page.wait_for_selector("#link[data-state=live]")
    go(page, "some/suspects")
    page.locator("#data").get_by_text("Nothing is suspect").wait_for()
    page.locator("#data").get_by_role("button", name="Ask it").click()
    page.locator("#data").get_by_role("heading", name="Labels that the net doubts").wait_for(timeout=LONG_MS)
    assert page.locator("#data .suspect .cell[data-key='train:7']").count() == 1


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_it_fits_in_light_and_dark(page, server, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_selector("#link[data-state=live]")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        go(page, "digits/train/3/0")
        cells(page).first.click()
        page.locator("#data .seen figure").nth(8).wait_for()
        assert fits(page)
        ground = page.evaluate("getComputedStyle(document.querySelector('#data .card')).backgroundColor")
        assert (np.mean([int(v) for v in re.findall(r"\d+", ground)[:3]]) > 128) == (scheme == "light")
    go(page, ":new")
    page.locator("#data").get_by_role("button", name="Make data set").wait_for()
    assert fits(page)
