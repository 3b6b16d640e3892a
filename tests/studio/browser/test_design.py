"""Journeys on the Design page: text, graph and form are one."""

from __future__ import annotations

import re

import pytest

from minicaffe.net import Net
from minicaffe.proto import text as prototxt
from minicaffe.proto.schema import NetParameter

from ..serving import Server

pytestmark = pytest.mark.browser


FIRST_MS = 60_000  # until the processes that check nets have started, on a busy machine


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all journeys: each has a draft of its own."""
    found = Server(tmp_path_factory.mktemp("design"))
    try:
        yield found
    finally:
        found.kill()


@pytest.fixture
def design(page, request):
    """The page with a draft of its own, which begins as the template of the embedded digits."""
    name = re.sub(r"\W+", "-", request.node.name)
    page.evaluate("name => { location.hash = `#design/${name}`; }", name)
    page.wait_for_selector(f"[data-draft={name}] [data-layer=conv1]", timeout=FIRST_MS)
    return Design(page)


class Design:
    def __init__(self, page) -> None:
        self.page = page
        self.area = page.get_by_label("Net prototxt")

    @property
    def text(self) -> str:
        return self.area.input_value()

    def net(self) -> NetParameter:
        return prototxt.parse(self.text, NetParameter)

    def layer(self, name: str):
        return self.page.locator(f'[data-layer="{name}"]')

    def write(self, old: str, new: str) -> dict:
        """Select the first `old` in the text and type `new` over it; the verdict on that."""
        at = self.text.index(old)
        self.area.focus()
        self.area.evaluate("(area, [start, end]) => area.setSelectionRange(start, end)", [at, at + len(old)])
        return self.checked(lambda: self.page.keyboard.insert_text(new))

    def checked(self, work) -> dict:
        """Do something, and wait for the verdict on what becomes of it."""
        with self.page.expect_response(lambda answer: answer.url.endswith("/api/nets/check")) as got:
            work()
        self.page.wait_for_timeout(100)
        return got.value.json()

    @property
    def focused(self) -> str:
        return self.page.evaluate(
            "document.activeElement.dataset.layer ?? document.activeElement.dataset.key ?? ''"
        )

    def in_sight(self, name: str) -> dict:
        box = self.layer(name).bounding_box()
        return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}


def test_an_error_is_marked_at_its_line_and_mended(design):
    before = design.text
    wrong = before.replace("num_output: 50\n", "num_outptu: 50\n", 1)
    line = next(i for i, row in enumerate(wrong.split("\n"), 1) if "outptu" in row)
    design.write("num_output: 50\n", "num_outptu: 50\n")
    assert design.text == wrong
    finding = design.page.locator(".findings li")
    assert finding.count() == 1 and f"line {line}:" in finding.inner_text()
    finding.locator("button.finding").click()
    marks = design.page.locator(".gutter .error")
    assert marks.all_inner_texts() == [str(line)]
    top = design.area.bounding_box()
    assert top["y"] < marks.bounding_box()["y"] < top["y"] + top["height"]
    assert design.area.get_attribute("aria-invalid") == "true"
    assert design.layer("conv2").count() == 1  # the graph is the last that could be drawn
    design.checked(lambda: design.page.get_by_role("button", name="Apply: write num_output").click())
    assert design.text == before and design.page.locator("#verdict").inner_text() == "No errors"
    assert design.page.locator(".gutter .error").count() == 0


def test_click_form_text_undo(design):
    before = design.text
    design.layer("conv1").click()
    field = design.page.get_by_label("num_output", exact=True)
    assert field.input_value() == "20"
    field.fill("24")
    answer = design.checked(lambda: field.press("Enter"))
    changed = [(a, b) for a, b in zip(before.split("\n"), design.text.split("\n"), strict=True) if a != b]
    assert changed == [("    num_output: 20", "    num_output: 24")]
    assert design.focused == "convolution_param.num_output"  # the focus stays in the form
    assert answer["graph"]["nodes"][1]["shapes"] == [[64, 24, 8, 8]]
    assert "64×24×8×8" in design.layer("conv1").get_attribute("aria-label")
    design.checked(lambda: design.page.get_by_role("button", name="Undo").click())
    assert design.text == before and field.input_value() == "20"
    design.checked(lambda: design.page.get_by_role("button", name="Redo").click())
    assert "num_output: 24" in design.text


def test_keyboard_alone(design):
    """Find a layer, follow the edges, change a field, undo, remove, undo: no pointer."""
    before, keys = design.text, design.page.keyboard
    design.layer("digits").focus()
    keys.press("/")
    keys.type("pool1")
    keys.press("Enter")
    assert design.focused == "pool1"
    walked = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp"):
        keys.press(key)
        walked.append(design.focused)
    assert walked == ["conv2", "pool2", "ip1", "relu1", "ip1", "pool2"]
    keys.press("Enter")
    assert design.focused == "name"
    keys.press("Control+a")
    keys.type("pooled")
    design.checked(lambda: keys.press("Enter"))
    assert [layer.name for layer in design.net().layer].count("pooled") == 1
    design.layer("pooled").focus()
    design.checked(lambda: keys.press("Control+z"))
    assert design.text == before and design.focused == "pool2"
    design.checked(lambda: keys.press("Delete"))
    assert design.layer("pool2").count() == 0
    assert next(layer for layer in design.net().layer if layer.name == "ip1").bottom[0] == "conv2"
    design.checked(lambda: keys.press("Control+z"))
    assert design.text == before


def test_a_layer_is_dropped_on_an_edge(design):
    page = design.page
    page.locator("summary", has_text="Normalisation").click()
    one, other = design.in_sight("conv1"), design.in_sight("pool1")
    canvas = page.locator("svg.net").bounding_box()
    middle = {"x": (one["x"] + other["x"]) / 2 - canvas["x"], "y": (one["y"] + other["y"]) / 2 - canvas["y"]}
    lrn = page.get_by_role("button", name="LRN", exact=True)
    design.checked(lambda: lrn.drag_to(page.locator("svg.net"), target_position=middle))
    page.wait_for_selector("[data-layer=lrn1]")
    layers = {layer.name: layer for layer in design.net().layer}
    assert list(layers["lrn1"].bottom) == ["conv1"] and list(layers["pool1"].bottom) == ["lrn1"]
    assert Net(design.net(), phase="TRAIN", allocate=False).blobs["lrn1"].shape == (64, 20, 8, 8)
    design.checked(lambda: page.get_by_role("button", name="Undo").click())
    assert "lrn1" not in design.text  # one step took layer and bottom back


def test_the_palette_puts_a_layer_behind_the_chosen_one(design):
    """By keys: a ReLU is written in place, as people do."""
    page, keys = design.page, design.page.keyboard
    design.layer("conv1").focus()
    page.get_by_label("Search layers").focus()
    keys.type("relu")
    keys.press("ArrowDown")
    while not page.evaluate("document.activeElement.textContent").startswith("ReLU"):
        keys.press("ArrowDown")
    design.checked(lambda: keys.press("Enter"))
    page.wait_for_selector("[data-layer=relu2]")
    relu = next(layer for layer in design.net().layer if layer.name == "relu2")
    assert list(relu.bottom) == list(relu.top) == ["conv1"]
    assert (
        "max" in page.locator(".docs pre").inner_text().lower()
        or "x > 0" in page.locator(".docs pre").inner_text()
    )


def test_a_port_is_dragged_to_a_layer(design):
    page = design.page
    design.write('bottom: "pool1"', 'bottom: "conv1"')
    page.get_by_role("button", name="Fit").click()
    out = page.locator("g.node", has=design.layer("pool1")).locator(".port.out").bounding_box()
    target = design.in_sight("conv2")
    page.mouse.move(out["x"] + out["width"] / 2, out["y"] + out["height"] / 2)
    page.mouse.down()
    page.mouse.move(target["x"], target["y"], steps=5)
    design.checked(page.mouse.up)
    conv = next(layer for layer in design.net().layer if layer.name == "conv2")
    assert "pool1" in conv.bottom


def test_phases_and_costs(design):
    page = design.page
    answer = design.checked(lambda: page.get_by_role("radio", name="deploy", exact=True).check(force=True))
    assert answer["phase"] == "deploy"
    page.wait_for_selector("[data-layer=prob]")
    assert design.layer("loss").count() == 0
    net = Net(design.net(), phase="TRAIN", allocate=False)
    total = sum(blob.count for blobs in net.params.values() for blob in blobs)
    assert page.locator(".cost").inner_text().startswith(f"{total:,} parameters")
    spelled = page.evaluate(
        "async () => [15e10, 1496e8, 999, 1e6, 0].map((await import('/costs.js')).amount)"
    )
    assert spelled == ["150 G", "150 G", "999", "1 M", "0"]


def test_a_draft_is_kept(design):
    design.write("# LeNet", "# mine\n# LeNet")
    design.page.locator(".design-bar [role=status]", has_text=re.compile("^saved$")).wait_for()
    design.page.reload()
    design.page.wait_for_selector("[data-layer=conv1]")
    assert design.text.startswith("# mine\n")


def test_names_are_text(design):
    """What a name says is shown, never run."""
    name = "<img src=x onerror=alert(1)>"
    design.write('name: "conv1"', f'name: "{name}"')
    design.page.wait_for_selector("text=<img src=x")
    assert design.page.locator("section img").count() == 0


def test_a_template_of_166_layers(design):
    page = design.page
    design.checked(lambda: page.get_by_label("Template").select_option("googlenet/train_val"))
    page.wait_for_selector('[data-layer="inception_5b/output"]', state="attached")
    assert page.locator("g.node").count() == 95
    page.get_by_label("Find a layer").fill("inception_4c/3x3")
    page.get_by_label("Find a layer").press("Enter")
    assert design.focused == "inception_4c/3x3"
    box, canvas = design.layer("inception_4c/3x3").bounding_box(), page.locator("svg.net").bounding_box()
    assert canvas["x"] <= box["x"] and canvas["y"] <= box["y"] <= canvas["y"] + canvas["height"]


@pytest.mark.parametrize("width", [1440, 1024, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(design, width, scheme, tmp_path):
    page = design.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 850})
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 390:  # one part at a time
        for part, shown in (
            ("Layers", ".left"),
            ("Text", ".texts"),
            ("Graph", ".view"),
            ("Settings", ".right"),
        ):
            page.get_by_role("radio", name=part, exact=True).check(force=True)
            assert [
                page.locator(f".design {each}").is_visible()
                for each in (".left", ".texts", ".view", ".right")
            ].count(True) == 1
            assert page.locator(f".design {shown}").is_visible()
    ground = page.evaluate("getComputedStyle(document.querySelector('.design .pane')).backgroundColor")
    bright = sum(map(int, re.findall(r"\d+", ground)[:3])) > 380
    assert bright == (scheme == "light")
    page.emulate_media(color_scheme="light")
