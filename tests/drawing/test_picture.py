"""Nets as pictures: boxes and links of a diagram, what a scene shows, SVG and PNG files."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree

import pytest

from minicaffe.drawing.diagram import OUTSIDE, UNKNOWN, diagram, settings
from minicaffe.drawing.picture import form_of, picture, write
from minicaffe.drawing.png import png
from minicaffe.drawing.scene import Panel, Words, scene, text_width
from minicaffe.drawing.svg import svg
from minicaffe.drawing.theme import DARK, LIGHT, THEMES
from minicaffe.errors import ConfigError, DataError
from minicaffe.layers import LAYERS
from minicaffe.proto import text
from minicaffe.proto.schema import LayerParameter, NetParameter

SMALL = """
name: "small <net>"
layer { name: "data" type: "Input" top: "data" top: "label" }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" }
"""


def net(words: str) -> NetParameter:
    return text.parse(words, NetParameter)


def layer(words: str) -> LayerParameter:
    return text.parse(words, LayerParameter)


def test_boxes_and_links():
    found = diagram(net(SMALL), {"ip": ["64x3"]})
    assert [box.name for box in found.boxes] == ["data", "ip", "loss"]
    assert found.boxes[1].attached == [
        ("relu", "ReLU", "neuron", ""),
        ("drop", "Dropout", "neuron", ""),
    ]
    assert (found.boxes[1].notes, found.boxes[1].settings) == (["64x3"], "3 outputs")
    assert found.links == [(0, 1), (1, 2), (0, 2)]


def test_in_place_layers_that_others_read_around_stand_alone():
    beside = 'layer { name: "b" type: "Power" bottom: "a" top: "b" }'
    behind = 'layer { name: "d" type: "Power" bottom: "a" top: "d" }'
    in_place = 'layer { name: "c" type: "ReLU" bottom: "a" top: "a" }'
    found = diagram(net('layer { name: "a" type: "Input" top: "a" }' + beside + in_place + behind))
    assert [box.name for box in found.boxes] == ["a", "b", "c", "d"]
    assert found.links == [(0, 1), (0, 2), (2, 3)]


def test_blobs_from_elsewhere_and_unknown_types():
    found = diagram(net('layer { name: "x" type: "Own" bottom: "a" bottom: "a" top: "a" }'))
    assert [(box.name, box.kind) for box in found.boxes] == [("a", OUTSIDE), ("x", UNKNOWN)]
    assert found.links == [(0, 1)]


STATES = """
layer { name: "train" type: "Data" top: "x" top: "t" include { phase: TRAIN } }
layer { name: "test" type: "Data" top: "x" top: "t" include { phase: TEST } }
layer { name: "relu" type: "ReLU" bottom: "x" top: "x" }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }
layer { name: "drop" type: "Dropout" bottom: "y" top: "y" exclude { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "t" }
layer { name: "accuracy" type: "Accuracy" bottom: "y" bottom: "t" include { phase: TEST } }
"""


def test_several_states_in_one_picture():
    """The data of both phases lead to what both have, those of TRAIN to no layer of TEST; an in-place layer
    is behind both."""
    found = diagram(net(STATES))
    names = [box.name for box in found.boxes]
    assert names == ["train", "test", "relu", "ip", "loss", "accuracy"]
    into = {name: {names[a] for a, b in found.links if names[b] == name} for name in names}
    assert into["relu"] == {"train", "test"} and into["loss"] == {"ip", "train", "test"}
    assert into["accuracy"] == {"ip", "test"}
    only = {box.name: box.only for box in found.boxes if box.only}
    assert only == {"train": "TRAIN only", "test": "TEST only", "accuracy": "TEST only"}
    assert found.boxes[3].attached == [("drop", "Dropout", "neuron", "not TEST")]
    words = picture(net(STATES), "svg").decode()
    assert ">TRAIN only<" in words and ">drop  Dropout, not TEST<" in words


def test_states_by_stage_and_level():
    """Stages that a user would give together are drawn together; two makers of one blob never are."""
    layers = """
        layer { name: "a" type: "Input" top: "x" include { stage: "one" } }
        layer { name: "b" type: "Power" bottom: "x" top: "y" include { stage: "two" min_level: 3 } }
        layer { name: "c" type: "Power" bottom: "y" top: "z" exclude { not_stage: "two" } }"""
    found = diagram(net(layers))
    assert found.links == [(0, 1), (1, 2)]
    assert [box.only for box in found.boxes] == [
        "stage one only",
        "stage two, level >= 3 only",
        "not without stage two",
    ]
    other = 'layer { name: "d" type: "Input" top: "x" include { stage: "two" } }'
    found = diagram(net(other + layers))
    assert (0, 2) in found.links and (1, 2) not in found.links


@pytest.mark.parametrize(
    "words, expected",
    [
        ('type: "Convolution" convolution_param { num_output: 8 kernel_size: 5 }', "8 filters, 5x5"),
        (
            'type: "Convolution" convolution_param { num_output: 8 kernel_h: 3 kernel_w: 1 stride: 2 pad_h: 1'
            " group: 2 dilation: 2 }",
            "8 filters, 3x1, stride 2, pad 1x0, dilation 2, 2 groups",
        ),
        (
            'type: "Deconvolution" convolution_param { num_output: 8 kernel_size: 2 kernel_size: 4 }',
            "8 filters, 2x4",
        ),
        (
            'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }',
            "AVE, 3x3, stride 2, pad 1",
        ),
        ('type: "Pooling" pooling_param { global_pooling: true }', "MAX, global"),
        ('type: "Data" data_param { source: "mnist/train" batch_size: 64 }', "mnist/train, batch 64"),
        ('type: "Data" data_param { batch_size: 64 }', "batch 64"),
        ('type: "Power" power_param { power: 2 }', "x^2"),
        ('type: "Power" power_param { power: 2 scale: -1 shift: 1 }', "(-1 x + 1)^2"),
        ('type: "Power" power_param { shift: -1 }', "x - 1"),
        ('type: "Dropout"', "ratio 0.5"),
        ('type: "Eltwise"', "SUM"),
        ('type: "Pooling" pooling_param { kernel_size_3d: [1, 2, 2] stride: 2 }', "MAX, 1x2x2, stride 2"),
        ('type: "Python" python_param { module: "m" layer: "Own" }', "m.Own"),
        ('type: "ReLU"', ""),
    ],
)
def test_settings(words, expected):
    assert settings(layer(words)) == expected


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_every_type_has_a_colour_and_settings(name):
    box = diagram(net(f'layer {{ name: "x" type: "{name}" top: "x" }}')).boxes[0]
    assert box.kind in LIGHT.kinds and isinstance(box.settings, str)


def test_what_a_scene_shows():
    shown = scene(diagram(net(SMALL), {"ip": ["64x3"]}), subtitle="12 parameters")
    words = [shape.text for shape in shown.shapes if isinstance(shape, Words)]
    assert words[:2] == ["small <net>", "12 parameters"]
    assert {"ip", "InnerProduct, 3 outputs", "64x3", "relu  ReLU", "drop  Dropout"} <= set(words)
    panels = [shape for shape in shown.shapes if isinstance(shape, Panel)]
    assert [panel.fill for panel in panels if panel.fill == LIGHT.kinds["neuron"][0]] != []
    for shape in shown.shapes:
        if isinstance(shape, Panel):
            assert 0 < shape.place.x and shape.place.x + shape.place.width < shown.width
            assert 0 < shape.place.y and shape.place.y + shape.place.height < shown.height


@pytest.mark.parametrize("file, bold", [("DejaVuSans.ttf", False), ("DejaVuSans-Bold.ttf", True)])
def test_words_fit_their_boxes_in_a_wide_font(file, bold):
    """The widths reserved, against the widest font that an SVG names; the one matplotlib brings along."""
    from PIL import ImageFont

    matplotlib = pytest.importorskip("matplotlib")
    font = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{file}", 100)
    for words in (
        "Convolution, 64 filters, 7x7, stride 2, pad 3",
        "32x64x112x112",
        "9.47 k parameters, 3.78 G",
        "inception_3a/relu_3x3_reduce",
        "mnist",
        "SoftmaxWithLoss",
    ):
        assert 1 <= text_width(words, 100, bold) / font.getlength(words) < 1.1
    for letter in () if bold else map(chr, range(32, 127)):
        assert text_width(letter, 100) > 0.97 * font.getlength(letter), letter


def test_long_names_are_cut_and_kept_whole_where_the_pointer_is():
    name = "begin" + "n" * 200_000 + "end"
    long = net(f'name: "{name}" layer {{ name: "{name}" type: "Power" bottom: "a" top: "{name}" }}')
    shown = scene(diagram(long, {name: [f"line {i}" for i in range(1000)]}))
    assert shown.width < 1000 and shown.height < 1000
    root = ElementTree.fromstring(svg(shown))
    title, *_, box = [e for e in root.iter("{http://www.w3.org/2000/svg}text") if len(e)]
    for element in (title, box):
        assert element[0].tag.endswith("title") and element[0].text == name
        assert element[0].tail.startswith("beginn") and element[0].tail.endswith("…" + "n" * 28 + "end")
    assert "… and 986 more" in svg(shown).decode()
    assert png(shown)


def test_svg_is_xml_with_all_words():
    content = picture(net(SMALL), "svg", direction="LR", notes={"ip": ["64x3"]})
    root = ElementTree.fromstring(content)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "small <net>" and "64x3" in words
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 3
    strange = svg(scene(diagram(net('name: "a\\000b" layer { name: "&" type: "Input" }'))))
    assert ElementTree.fromstring(strange) is not None


def test_png_shows_the_colours(monkeypatch):
    from PIL import Image

    whole = scene(diagram(net(SMALL)))
    picture_of = Image.open(io.BytesIO(png(whole)))
    assert picture_of.size == (round(2 * whole.width), round(2 * whole.height))
    colours = {"#{:02x}{:02x}{:02x}".format(*rgb) for _, rgb in picture_of.getcolors(1 << 16)}
    assert {LIGHT.kinds[kind][0] for kind in ("source", "linear", "neuron", "loss")} <= colours
    monkeypatch.setattr("minicaffe.drawing.png.BAND", 37)  # drawn in narrow bands it is the same
    assert Image.open(io.BytesIO(png(whole))).tobytes() == picture_of.tobytes()
    monkeypatch.setattr("minicaffe.drawing.png.MOST_PIXELS", 10_000)
    small = Image.open(io.BytesIO(png(whole)))
    assert small.width * small.height <= 11_000


def test_a_dark_picture():
    assert DARK.kinds.keys() == LIGHT.kinds.keys() and THEMES["dark"] is DARK
    dark = picture(net(SMALL), "svg", theme="dark").decode()
    assert DARK.ground in dark and DARK.kinds["linear"][0] in dark
    for colour in (LIGHT.ground, LIGHT.ink, LIGHT.link, *LIGHT.kinds["linear"]):
        assert colour not in dark
    assert contrast(DARK.ink, DARK.ground) > 12 and contrast(LIGHT.ink, LIGHT.ground) > 12
    for theme in THEMES.values():
        for fill, edge in theme.kinds.values():
            assert contrast(theme.ink, fill) > 7 and contrast(theme.faint, fill) > 4.5, (fill, theme.faint)
            assert contrast(edge, fill) > 1.5


def contrast(one: str, other: str) -> float:
    """That of WCAG 2.1; 4.5 is asked of text."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))


def test_a_long_net_fills_a_page():
    chain = "".join(
        f'layer {{ name: "l{i}" type: "Power" bottom: "b{i}" top: "b{i + 1}" }}' for i in range(60)
    )
    page, ribbon, three = (scene(diagram(net(chain)), columns=columns) for columns in (None, 1, 3))
    assert 0.5 < page.width / page.height < 1.5 < ribbon.height / ribbon.width / 20
    assert 2.7 < ribbon.height / three.height < 3.3
    band = scene(diagram(net(chain)), "LR")
    assert 0.8 < band.width / band.height < 3
    small = scene(diagram(net(SMALL)))
    assert small == scene(diagram(net(SMALL)), columns=1)


def test_names_stay_on_their_line():
    """A line end, an escape sequence and the like are shown as in a Python string; letters beyond ASCII, as
    tofu where no font has them, are drawn too."""
    named = net('name: "a\\000b" layer { name: "\u00e9\\n\\033" type: "ReLU" bottom: "x" top: "y" }')
    shown = scene(diagram(named), subtitle="TEST\n")
    words = {shape.text for shape in shown.shapes if isinstance(shape, Words)}
    assert {"a\\x00b", "\u00e9\\n\\x1b", "TEST\\n"} <= words
    assert ElementTree.fromstring(svg(shown)) is not None and png(shown)


def test_an_empty_net():
    assert picture(NetParameter(), "svg").count(b"<text") == 1 and picture(NetParameter(), "png")


def test_mistakes(tmp_path):
    with pytest.raises(ConfigError, match="cannot draw 'gif'; hint: formats: svg, png"):
        picture(NetParameter(), "gif")
    with pytest.raises(ConfigError, match="no direction 'TD'; hint: known: BT, LR"):
        picture(NetParameter(), "svg", direction="TD")
    with pytest.raises(ConfigError, match="no theme 'black'; hint: known: dark, light"):
        picture(NetParameter(), "svg", theme="black")
    with pytest.raises(ConfigError, match="cannot draw 0 columns; hint: 1 or more"):
        picture(NetParameter(), "svg", columns=0)
    with pytest.raises(ConfigError, match=r"cannot draw net\.gif; hint: the name must end in \.svg or \.png"):
        form_of("net.gif")
    with pytest.raises(DataError, match=r"cannot write .*: No such file or directory"):
        write(str(tmp_path / "none" / "net.svg"), b"")
    assert form_of("A.PNG") == "png"
