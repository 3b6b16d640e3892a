"""edits.js: what it edits, our parser reads as the change that was meant, and all else stays as it was."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minicaffe import zoo
from minicaffe.proto import text
from minicaffe.proto.faults import TOKEN
from minicaffe.proto.schema import LayerParameter, NetParameter

from ..serving import Server

pytestmark = pytest.mark.browser

ODD = """name: "odd" # of a file { that nobody formatted
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } } layer: < name: 'r';
type: "ReLU" bottom: ["data"] top: "r" >
# about the pooling
layer {
  name: "po" 'ol' # adjacent }
  type: "Pooling", bottom: "r" top: "pool"
  pooling_param: { pool: MAX kernel_size: 3 # three
    stride: 2}
}
layer{name:"ip"type:"InnerProduct"bottom:"pool"top:"ip"inner_product_param{num_output:5
weight_filler:{type:"xavier"}}}
layer {
\tname: "loss"
\ttype: "SoftmaxWithLoss"
\tbottom: "ip" # scores
\tbottom: "r"
\tloss_weight: [1]
\tinclude { phase: TRAIN }
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """It only hands out the modules."""
    found = Server(tmp_path_factory.mktemp("edits"))
    try:
        yield found
    finally:
        found.kill()


NAMES = st.sampled_from(["conv", "a b", 'weird \\ "name"', "x#y", "{", "ü", "data"])
LIST = """async text => (await import('/edits.js')).layers(text)
  .map(layer => [layer.name, layer.type, layer.bottoms, layer.tops, layer.line])"""
REFUSE = """async text => {
  const {EditError, layers} = await import('/edits.js');
  try { layers(text); } catch (error) { return [error instanceof EditError, error.message]; }
}"""
QUOTE = """async word => {
  const {meant, quoted} = await import('/edits.js');
  return [quoted(word), meant(quoted(word))];
}"""
RUN = """async ([text, edit, args]) => {
  const edits = await import('/edits.js');
  const splices = edits[edit](text, ...args);
  if (!splices.length) return [text, [], [], text];
  const {first, last, text: piece} = edits.asLines(text, splices), lines = text.split("\\n");
  lines.splice(first - 1, last - first + 1, piece);
  return [edits.apply(text, splices), splices.map(s => [text.slice(s.start, s.end), s.text]),
    splices.map(s => [s.start, s.end, s.text]), lines.join("\\n")];
}"""


def edited(page, source: str, edit: str, *args) -> str:
    """The text behind an edit.  What changes is what the splices say; as lines it is the same."""
    result, splices, places, by_lines = page.evaluate(RUN, [source, edit, list(args)])
    assert by_lines == result
    lost = Counter(comment for gone, _ in splices for comment in comments(gone))  # inside of what is removed
    assert Counter(comments(result)) + lost == Counter(comments(source))
    kept, at = [], 0
    for start, end, put in places:
        kept += [source[at:start], put]
        at = end
    assert "".join([*kept, source[at:]]) == result  # all else is the text's own
    return result


def comments(source: str) -> list[str]:
    return [token[0] for token in TOKEN.finditer(source) if token[0][0] == "#"]


def net(source: str) -> NetParameter:
    return text.parse(source, NetParameter)


class Style:
    """Spells a message as nobody would, but might: every choice is drawn."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def space(self) -> str:
        words = [" ", "  ", "\n", "\n  ", "\t", " # a comment }\n", "\n# layer {\n"]
        return self.draw.choices(words, [8, 2, 6, 6, 1, 1, 1])[0]

    def value(self, field, value) -> str:
        if field.message_type:
            opening, closing = self.draw.choice(["{}", "{}", "{}", "<>"])
            inner = self.message(value)
            return opening + self.space() + inner + (self.space() if inner else "") + closing
        if field.enum_type:
            return field.enum_type.values_by_number[value].name
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            whole = f'"{value}"'
            return (
                f"'{value}'"
                if self.chance(0.2)
                else f'"{value[:1]}" "{value[1:]}"'
                if self.chance(0.1)
                else whole
            )
        return repr(value)

    def message(self, message) -> str:
        parts = []
        for field, value in message.ListFields():
            colon = (":" if self.chance(0.2) else "") if field.message_type else ":"
            if field.is_repeated and not field.message_type and self.chance(0.3):
                listed = self.draw.choice([", ", ",", " , "]).join(self.value(field, each) for each in value)
                parts.append(f"{field.name}: [{listed}]")
                continue
            for each in value if field.is_repeated else [value]:
                gap = self.draw.choice(["", " "])
                parts.append(f"{field.name}{colon}{gap}{self.value(field, each)}")
        text = ""
        for part in parts:
            text += (
                self.draw.choices([" ", ", ", "; "], [8, 1, 1])[0].strip() + self.space() if text else ""
            ) + part
        return text


LAYERS = [
    'name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } }',
    'name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 }'
    " convolution_param { num_output: 4 pad: 1 pad: 2 kernel_size: 3 bias_term: false }",
    'name: "relu" type: "ReLU" bottom: "conv" top: "conv"',
    'name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 2 }',
    'name: "sum" type: "Eltwise" bottom: "pool" bottom: "data" top: "sum"'
    " eltwise_param { coeff: 0.5 coeff: 2 }",
]


@st.composite
def nets(draw) -> str:
    """The text of a net in some style."""
    chosen = LAYERS[: draw(st.integers(1, len(LAYERS)))]
    style = Style(draw(st.integers(0, 1 << 30)))
    param = NetParameter(name="n", layer=[text.parse(each, LayerParameter) for each in chosen])
    return style.message(param) + draw(st.sampled_from(["", "\n"]))


quick = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@quick
@given(source=nets(), data=st.data())
def test_one_field(page, source, data):
    """Set, changed, removed: in a layer, in its messages, in messages that are not there yet."""
    wanted = net(source)
    index = data.draw(st.integers(0, len(wanted.layer) - 1))
    layer = wanted.layer[index]
    path, piece, change = data.draw(
        st.sampled_from(
            [
                (["name"], '"renamed"', lambda: setattr(layer, "name", "renamed")),
                (["type"], None, lambda: layer.ClearField("type")),
                (["phase"], "TEST", lambda: setattr(layer, "phase", 1)),
                (["convolution_param", "num_output"], "7",
                 lambda: setattr(layer.convolution_param, "num_output", 7)),
                (["convolution_param", "weight_filler", "type"], '"msra"',
                 lambda: setattr(layer.convolution_param.weight_filler, "type", "msra")),
                (["pooling_param", "pool"], "MAX", lambda: setattr(layer.pooling_param, "pool", 0)),
                (["convolution_param"], None, lambda: layer.ClearField("convolution_param")),
                (["param"], None, lambda: layer.param and layer.param.pop()),
                ([["param", 0], "decay_mult"], "0.5",
                 lambda: setattr(layer.param[0] if layer.param else layer.param.add(), "decay_mult", 0.5)),
                (["loss_weight"], "2", lambda: layer.loss_weight.append(2)),
            ]
        )
    )  # fmt: skip
    change()
    assert net(edited(page, source, "setInLayer", index, path, piece)) == wanted


@quick
@given(source=nets(), data=st.data())
def test_values_of_repeated_fields(page, source, data):
    wanted = net(source)
    index = data.draw(st.integers(0, len(wanted.layer) - 1))
    layer = wanted.layer[index]
    name = data.draw(st.sampled_from(["bottom", "top", "pad", "coeff"]))
    inner = {"pad": "convolution_param", "coeff": "eltwise_param"}.get(name)
    if inner and not layer.HasField(inner):
        return
    values = getattr(getattr(layer, inner) if inner else layer, name)
    place = data.draw(st.integers(0, len(values)))
    remove = data.draw(st.booleans())
    if remove:
        del values[place : place + 1]
    else:
        new = 5 if inner else "new"
        values[place : place + 1] = [new]
    piece = None if remove else "5" if inner else '"new"'
    path = [*([inner] if inner else []), [name, place]]
    got = net(edited(page, source, "setInLayer", index, path, piece))
    if inner and remove and not values:
        getattr(layer, inner).SetInParent()
    assert got == wanted


@quick
@given(source=nets(), data=st.data())
def test_layers_come_and_go(page, source, data):
    wanted = net(source)
    index = data.draw(st.integers(-1, len(wanted.layer) - 1))
    name = data.draw(NAMES)
    new = {"name": name, "type": "Pooling", "bottoms": ["data"], "tops": [name], "parameters": ""}
    added = LayerParameter(name=name, type="Pooling", bottom=["data"], top=[name])
    larger = NetParameter()
    larger.CopyFrom(wanted)
    larger.layer.insert(index + 1, added)
    there = edited(page, source, "insertLayer", index, new)
    assert net(there) == larger
    # Nobody reads it, so all is as before when it goes; the text may have a line end more.
    assert net(edited(page, there, "removeLayer", index + 1)) == wanted


@quick
@given(source=nets(), data=st.data())
def test_what_read_a_removed_layer_reads_what_that_read(page, source, data):
    wanted = net(source)
    index = data.draw(st.integers(0, len(wanted.layer) - 1))
    gone = wanted.layer.pop(index)
    if gone.bottom and gone.bottom[0] != gone.top[0]:
        for layer in wanted.layer[index:]:
            for k, bottom in enumerate(layer.bottom):
                if bottom == gone.top[0]:
                    layer.bottom[k] = gone.bottom[0]
                    if list(layer.top) == [gone.top[0]]:
                        layer.top[0] = gone.bottom[0]
    assert net(edited(page, source, "removeLayer", index)) == wanted


@quick
@given(source=nets())
def test_a_layer_on_an_edge(page, source):
    wanted = net(source)
    readers = [k for k, layer in enumerate(wanted.layer) if "data" in layer.bottom]
    if not readers:
        return
    for k in readers:
        wanted.layer[k].bottom[:] = ["n1" if name == "data" else name for name in wanted.layer[k].bottom]
    added = LayerParameter(name="n1", type="LRN", bottom=["data"], top=["n1"])
    wanted.layer.insert(readers[0], added)
    new = {"name": "n1", "type": "LRN", "bottoms": ["data"], "tops": ["n1"], "parameters": ""}
    assert net(edited(page, source, "insertOnEdge", "data", readers, new)) == wanted


def test_an_odd_file(page):
    """Every field of every layer, one after the other, set to something else and removed."""
    for source in (ODD, text_of("lenet", "train_test")):
        whole = net(source)
        for index, layer in enumerate(whole.layer):
            for field, _ in layer.ListFields():
                if field.type == field.TYPE_STRING:
                    wanted = NetParameter()
                    wanted.CopyFrom(whole)
                    if field.is_repeated:
                        getattr(wanted.layer[index], field.name)[-1] = "else"
                    else:
                        setattr(wanted.layer[index], field.name, "else")
                    got = edited(page, source, "setInLayer", index, [field.name], '"else"')
                    assert net(got) == wanted
                wanted = NetParameter()
                wanted.CopyFrom(whole)
                if field.is_repeated:
                    getattr(wanted.layer[index], field.name).pop()
                else:
                    wanted.layer[index].ClearField(field.name)
                assert net(edited(page, source, "setInLayer", index, [field.name], None)) == wanted


def text_of(name: str, file: str) -> str:
    return next(path for path in zoo.entry(name).files if path.stem == file).read_text()


def test_googlenet(page):
    """A field of every 20th layer, and only its line changes; every 40th goes, and its lines alone."""
    source = text_of("googlenet", "train_val")
    whole = net(source)
    listed = page.evaluate(LIST, source)
    assert [row[:4] for row in listed] == [
        [layer.name, layer.type, [*layer.bottom], [*layer.top]] for layer in whole.layer
    ]
    assert [(row[0], row[4]) for row in listed] == list(text.layer_starts(source))
    for index in range(3, len(whole.layer), 20):
        got = edited(page, source, "setInLayer", index, ["name"], '"other"')
        changed = [(a, b) for a, b in zip(source.split("\n"), got.split("\n"), strict=True) if a != b]
        assert len(changed) == 1 and "other" in changed[0][1]
        wanted = NetParameter()
        wanted.CopyFrom(whole)
        wanted.layer[index].name = "other"
        assert net(got) == wanted
    for index in range(3, len(whole.layer), 40):
        got = edited(page, source, "removeLayer", index)
        assert len(net(got).layer) == len(whole.layer) - 1
        assert whole.layer[index].name not in [layer.name for layer in net(got).layer]


@pytest.mark.parametrize(
    "source", ["layer {", "layer }", 'layer { name "x" }', "layer { a: }", "layer { a: [1 2] }"]
)
def test_no_edit_of_what_cannot_be_read(page, source):
    said = page.evaluate(REFUSE, source)
    assert said is not None and said[0] and re.match(r"line 1: ", said[1])


@given(word=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20))
@quick
def test_quoted_names_are_read_back(page, word):
    spelled, meant = page.evaluate(QUOTE, word)
    assert meant == word
    assert net(f"name: {spelled}").name == word
