"""Journeys through Inspect and Try: layer by layer and back, a drawing, a photo; keys alone, narrow, dark."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from minicaffe.convert.deploy import Deployment
from minicaffe.net import Net
from minicaffe.studio import stepping

from ...support.running import PROTOTXT
from ..digits_run import train
from ..test_trying import STROKES, photo

TRAINING = PROTOTXT / "digits" / "train_test.prototxt"
SAMPLE = 3
WAIT_MS = 60_000  # for a net's first pass, whose kernels may have to be compiled


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def run(workspace, trained):
    """The folder of a run, `digits`, in the workspace of the server."""
    return shutil.copytree(trained, workspace / "digits")


@pytest.fixture
def inspect(run, page):
    """The page Inspect, with the run and image SAMPLE."""
    page.set_default_timeout(WAIT_MS)
    page.evaluate(f"location.hash = '#inspect/digits/sample-{SAMPLE}'")
    page.get_by_text("Label: 5. Loss for class 5").wait_for()
    return page


@pytest.fixture(scope="module")
def net(trained):
    """The deploy net after a pass both ways with that image."""
    weights = trained / "snapshots" / "digits_iter_200.caffemodel"
    param = Deployment(TRAINING, written=True).param
    param.force_backward = True
    net = Net(param, phase="TEST", seed=1)
    net.load(weights)
    viewer = stepping.stepper(str(TRAINING), "", str(weights), "1", "auto")
    net.forward(data=viewer.sampled(SAMPLE))
    net.blobs["prob"].diff[...] = 0
    net.blobs["prob"].diff[0, 5] = -1 / net.blobs["prob"].data[0, 5]
    net.backward()
    return net


def value(page, sheet) -> str:
    """What a sheet says of the value that is pointed at."""
    said = sheet.locator("output.value")
    page.wait_for_function("node => node.textContent.includes(':')", arg=said.element_handle())
    return said.inner_text()


def test_backward_the_tiles_hold_the_numbers_of_the_blobs(inspect, net):
    """Stepped from the input to the loss and back to conv1; values are read where the pointer and the cursor
    are."""
    page, layers = inspect, ["data", "conv1", "pool1", "conv2", "pool2", "ip1", "relu1", "ip2", "prob"]
    for name in layers[1:]:
        page.get_by_role("button", name="Step on").click()
        page.get_by_text(f"Forward: layer {layers.index(name) + 1} of 9, {name}").wait_for()
    for name in layers[::-1][:8]:
        page.get_by_role("button", name="Step on").click()
        page.get_by_text(f"Backward: layer {layers.index(name) + 1} of 9, {name}").wait_for()
    sheet = page.locator("figure.sheet", has_text="Gradient of the top: conv1")
    frame = sheet.locator(".tiles-frame")
    frame.wait_for()
    facts = page.evaluate("""async () => {
        const images = [...document.querySelectorAll('figure.sheet img.tiles')];
        await Promise.all(images.map(image => image.decode()));
        return images.map(image => [image.alt, image.naturalWidth, image.naturalHeight]);
    }""")
    assert all(width > 0 for _, width, _ in facts)
    diff = net.blobs["conv1"].diff[0]
    box = sheet.locator("img.tiles").bounding_box()
    wide, high = next((w, h) for alt, w, h in facts if alt.startswith("Gradient of the top: conv1"))
    scale = box["width"] / wide
    zoom, gap = 8, 2
    for channel, row, column in ((0, 0, 0), (7, 3, 5), (19, 7, 7)):
        step = 8 * zoom + gap
        columns = wide // step
        x = gap + channel % columns * step + column * zoom + zoom / 2
        y = gap + channel // columns * step + row * zoom + zoom / 2
        sheet.locator("img.tiles").hover(position={"x": x * scale, "y": y * scale})
        page.wait_for_function(
            "([node, text]) => node.textContent.startsWith(text)",
            arg=[
                sheet.locator("output.value").element_handle(),
                f"channel {channel}, row {row}, column {column}: ",
            ],
        )
        told = float(value(page, sheet).rpartition(": ")[2])
        assert told == pytest.approx(float(diff[channel, row, column]), rel=1e-3, abs=1e-30)
    frame.focus()
    page.keyboard.press("ArrowLeft")
    assert value(page, sheet).startswith("channel 19, row 7, column 6: ")
    # The picture itself: the grey of every tile's pixels, read back from a canvas.
    seen = page.evaluate(
        """image => {
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
        const pen = canvas.getContext('2d');
        pen.drawImage(image, 0, 0);
        return [...pen.getImageData(0, 0, canvas.width, canvas.height).data];
    }""",
        sheet.locator("img.tiles").element_handle(),
    )
    colours = np.array(seen).reshape(high, wide, 4)
    inside = colours[gap + zoom // 2 :: zoom, gap + zoom // 2 :: zoom]
    assert inside.shape[0] and (colours[0, :, 3] == 255).all()
    first = colours[gap : gap + 8 * zoom : zoom, gap : gap + 8 * zoom : zoom].astype(int)
    orange = first[..., 0] - first[..., 2]
    big = np.abs(diff[0]) > 0.05 * np.abs(diff).max()
    assert (np.sign(orange)[big] == np.sign(diff[0])[big]).all()


def test_two_snapshots_and_where_it_looks(inspect):
    page = inspect
    page.get_by_label("Beside it").select_option(label="iteration 100")
    page.locator(".says").nth(1).wait_for()
    assert page.locator(".says h3").all_inner_texts() == ["iteration 200", "iteration 100"]
    page.get_by_role("tab", name="Where it looks").click()
    page.get_by_text("A square of 2 × 2 pixels was moved").wait_for()
    page.get_by_text("Input gradient", exact=True).wait_for()


def test_from_the_matrix_to_a_mistake(inspect):
    page = inspect
    page.get_by_role("tab", name="Mistakes").click()
    page.get_by_text("Accuracy 9").wait_for()
    cell = page.locator("table.matrix button.wrong").first
    title = cell.get_attribute("title")
    cell.click()
    _, _, classes = title.partition(" of class ")
    label, _, predicted = classes.partition(" taken for ")
    page.get_by_role("heading", name=f"{label} taken for {predicted}, the most certain first").wait_for()
    page.locator("#inspect-panel button.picture", has_text=f"{label} → {predicted}").first.click()
    page.get_by_text(f"Label: {label}. Loss for class {label}").wait_for()
    assert page.get_by_role("tab", name="Layers").get_attribute("aria-selected") == "true"


def test_inspect_with_keys_alone(inspect):
    page = inspect
    page.get_by_role("tab", name="Layers").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Step on":
            break
    page.keyboard.press("Enter")
    page.get_by_text("Forward: layer 2 of 9, conv1").wait_for()
    page.locator("figure.sheet", has_text="Top: conv1").locator(".tiles-frame").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.get_by_text("Value 0, 1, 1 = ").wait_for()
    page.get_by_text("sum over 1 channel").wait_for()


def drawn(page, points) -> None:
    box = page.locator(".pad canvas").bounding_box()
    for i, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280, steps=8)
        if i == 0:
            page.mouse.down()
    page.mouse.up()


@pytest.mark.parametrize("net", ["digits", ""])
def test_a_drawn_seven_is_a_seven(run, page, net):
    page.set_default_timeout(WAIT_MS)
    page.evaluate("location.hash = '#try/digits'")
    page.locator("select[name=net]").select_option(net)
    drawn(page, STROKES["7"])
    page.locator("output.first", has_text="7").wait_for()
    assert page.locator(".try-result .bars li").count() == 5
    page.get_by_text("What the net sees: 1 × ").wait_for()
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Draw a digit, or bring an image").wait_for()


def test_a_photo_of_three_digits_is_read(page):
    page.set_default_timeout(WAIT_MS)
    page.evaluate("location.hash = '#try'")
    page.get_by_label("Read handwriting").check()
    name = "page.png"
    page.get_by_label("An image or a photo").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": photo("742")}
    )
    page.locator("output.read", has_text="742").wait_for()
    assert page.locator(".reading figure").count() >= 4
    assert page.locator(".reading figcaption").first.inner_text() == "What was read"


def test_drawn_with_keys_alone(page):
    """A 7: the pen goes right, then down to the left."""
    page.set_default_timeout(WAIT_MS)
    page.evaluate("location.hash = '#try'")
    page.locator(".pad canvas").focus()
    for key, times in (("ArrowLeft", 6), ("ArrowUp", 8), ("Space", 1), ("ArrowRight", 12)):
        for _ in range(times):
            page.keyboard.press(key)
    for _ in range(16):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Space")
    page.locator("output.first", has_text="7").wait_for()


@pytest.mark.parametrize("dark", [False, True])
def test_narrow_and_dark(inspect, dark, tmp_path):
    page = inspect
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.set_viewport_size({"width": 390, "height": 800})
    page.get_by_role("button", name="conv2").last.click()
    page.get_by_text("Backward: layer 4 of 9, conv2").wait_for()
    page.locator("figure.sheet", has_text="Gradient of the weights: weights").locator("img").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.getElementById('inspect').scrollWidth") <= 390
    page.evaluate("location.hash = '#try'")
    page.locator(".pad canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
