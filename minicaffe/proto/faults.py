"""Finding every error in a prototxt that protobuf's parser refuses: unknown fields, values and layer types.

Protobuf stops at the first error.  A file made for a fork of Caffe may have many, and whoever corrects it
needs to see all of them.  So the text is read a second time, and its names and braces are compared with the
schema.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from google.protobuf.text_format import ParseError

from ..errors import Place, SchemaError, fold, suggest
from ..printable import printable
from . import guesses, v1
from .forks import is_forks
from .layer_types import ALIASES, LAYERS
from .schema import NetParameter, SolverParameter

TOKEN = re.compile(
    r"""#[^\n]*|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|“[^“”\n]*”|‘[^‘’\n]*’|[{}<>\[\]:,;]|[\w.+-]+|\S""",
    re.DOTALL,
)
MOST_FAULTS = 1000  # looked for in a text
MOST_NAMES, MOST_LINES = 12, 4  # that one message lists
MOST_LETTERS = 300  # of a name in it


class Fault(NamedTuple):
    """An error in the text: a name that the schema does not have, or a value that is spelled wrongly."""

    offset: int  # in the text
    what: str  # without the name, so that equal ones make a list: "LayerParameter has no field"
    name: str
    hint: str


@dataclass
class _Open:
    """A message whose closing brace has not been read yet.

    kind          its descriptor; None if its field is unknown
    name, offset  of the field that it is the value of
    field         the descriptor of its field that was read last; None if that is unknown
    """

    kind: Any
    name: str = ""
    offset: int = 0
    field: Any = None
    field_name: str = ""
    field_offset: int = 0
    reads_value: bool = False
    in_list: bool = False


class Walk:
    """One pass through a text, comparing it with the message class that it should describe.

    faults   the errors, in file order
    fields   the names of the outermost fields
    open     the messages that are not closed at the end, outermost first
    surplus  the offset of a closing brace that closes nothing; None if there is none
    """

    def __init__(self, text: str, descriptor: Any) -> None:
        self.lines = Lines(text)
        self.faults: list[Fault] = []
        self.fields: set[str] = set()
        self.open = [_Open(descriptor)]
        self.end = 0  # where the last token begins
        self.surplus: int | None = None
        for token in TOKEN.finditer(text):
            if token[0][0] != "#":
                self.end = token.start()
                if not self._take(token[0], token.start()) or len(self.faults) >= MOST_FAULTS:
                    break
        del self.open[:1]

    def _take(self, word: str, at: int) -> bool:
        """Read the next token; False if reading further makes no sense."""
        now = self.open[-1]
        if word in "{<":
            kind = now.field.message_type if now.field is not None else None
            now.reads_value = False
            self.open.append(_Open(kind, now.field_name, now.field_offset))
        elif word in "}>":
            self.open.pop()
            self.surplus = None if self.open else at
            return bool(self.open)
        elif word == ":":
            now.reads_value = True
        elif word in "[]":
            now.in_list = word == "["
        elif word in ",;":
            now.reads_value = now.in_list
        elif now.reads_value or now.in_list:
            self.faults += _of_value(now, word, at)
            now.reads_value = False
        elif word[0] not in "\"'":  # a string here goes on with the one before
            return (word[0].isalnum() or word[0] == "_") and self._take_name(now, word, at)
        return True

    def _take_name(self, now: _Open, name: str, at: int) -> bool:
        if name[0].isdigit() and now.field_name and now.kind is not None:
            self.faults.append(_of_second_value(now.kind, now.field_name, name, at))
            return True
        now.field_name, now.field_offset = name, at
        now.field = now.kind.fields_by_name.get(name) if now.kind is not None else None
        if len(self.open) == 1:
            self.fields.add(name)
        if now.kind is None or now.field is not None:
            return True
        if name in ("layer", "layers") and len(self.open) > 1:
            line, _ = self.lines.place(now.offset)
            what = f"the {now.name!r} of line {line} is still open where this {name!r} begins"
            self.faults.append(Fault(at, what, "", "a closing brace is missing before it"))
            return False
        else:
            self.faults.append(_of_field(now.kind, name, at))
        return True


class Lines:
    """Turns offsets in a text into lines and columns, which count from 1."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        start, *after = self._starts[number - 1 : number + 1]
        return self._text[start : after[0] - 1 if after else None]


def _of_field(kind: Any, name: str, at: int) -> Fault:
    known = [field.name for field in kind.fields]
    caffes = [field.name for field in kind.fields if not is_forks(field.number)]
    what = f"{_plain(kind)} has no field"
    if near := guesses.fields(name, known):
        return Fault(at, what, name, f"did you mean {' or '.join(map(repr, near[:3]))}?")
    few = f"; it has {', '.join(sorted(caffes))}" if len(caffes) <= 12 else ""
    return Fault(at, what, name, f"neither Caffe 1.0 nor any fork that is known here has such a field{few}")


def _of_second_value(kind: Any, field_name: str, value: str, at: int) -> Fault:
    field = kind.fields_by_name.get(field_name)
    hint = f"a list is written {field_name}: [1, 2]" if field is not None and field.is_repeated else ""
    if field_name == "device_id":
        hint = "a solver runs on one GPU; for several, start one run on each"
    what = f"{field_name!r} takes one value here; got another one:"
    return Fault(at, what, value, hint)


def _of_value(now: _Open, word: str, at: int) -> Iterator[Fault]:
    """The error of a value, if it has one.  Checked are enum values, strings, and the types of layers."""
    field, quoted = now.field, word[0] in "\"'"
    if field is None:
        return
    bare = word[1:-1] if quoted else word
    if field.enum_type is not None:
        known = field.enum_type.values_by_name
        if quoted or not (bare in known or re.match(r"[+-]?\d", bare)):
            yield Fault(at, f"{_plain(field.enum_type)} has no value", word, _of_enum(field, bare, quoted))
    elif field.type == field.TYPE_STRING:
        is_type = field.name == "type" and _plain(now.kind) == "LayerParameter"
        if not quoted:
            bare = bare.strip("“”‘’")
            said = _type_of(bare) if is_type else bare
            yield Fault(at, f"{field.name!r} is a text in quotes; got", word, f'write {field.name}: "{said}"')
        elif is_type and bare not in LAYERS and bare not in ALIASES:
            yield Fault(at, "no layer type", bare, guesses.layer_type(bare))


def _type_of(word: str) -> str:
    """The layer type that a word without quotes means: SOFTMAX and softmax mean Softmax.  A word that means
    none is returned as it is."""
    if word in v1.LAYER_TYPES:
        return v1.TYPES[v1.LAYER_TYPES[word].number]
    return next((name for name in LAYERS if fold(name) == fold(word)), word)


def _of_enum(field: Any, bare: str, quoted: bool) -> str:
    known = field.enum_type.values_by_name
    if quoted and bare in known:
        return f"leave out the quotes: {field.name}: {bare}"
    if _plain(field.enum_type) == "V1LayerParameter.LayerType":
        old = {v1.TYPES[value.number]: name for name, value in v1.LAYER_TYPES.items()}
        if bare in old:
            return f'in `layers` it is type: {old[bare]}; in `layer`, type: "{bare}"'
        if bare in LAYERS:
            return f'it goes in `layer`, as type: "{bare}"'
        near = guesses.types(bare, known)
        return f"did you mean {near[0]!r}?" if near else guesses.OF_A_FORK
    return suggest(bare, known)


def refuse_other_encodings(text: str, source: str) -> None:
    """SchemaError if a text read from a file contains bytes that are not UTF-8, which stand in it as lone
    surrogates.  In comments they are allowed."""
    if _SURROGATE.search(text):
        for token in TOKEN.finditer(text):
            if token[0][0] != "#" and _SURROGATE.search(token[0]):
                error = SchemaError("the file is not UTF-8 text", hint="save it as UTF-8")
                raise _located(error, source, Lines(text).place(token.start()))


_SURROGATE = re.compile("[\ud800-\udfff]")


def explain(error: ParseError, text: str, descriptor: Any, source: str) -> SchemaError:
    """The SchemaError for a text that protobuf refused to parse.

    error       what protobuf said
    descriptor  of the message class that the text should describe
    source      the path of the file, for the error's place
    """
    walk = Walk(text, descriptor)
    place = error.GetLine() or 0, error.GetColumn() or 0
    if other := _other_kind(walk, descriptor):
        return _located(SchemaError(other[0], hint=other[1]), source)
    if any(walk.lines.place(fault.offset) == place for fault in walk.faults):
        return _of_faults(walk, source)
    if walk.open and walk.open[-1].name and not walk.faults and place >= walk.lines.place(walk.end):
        inner = walk.open[-1]
        line, _ = walk.lines.place(inner.offset)
        what = f"the text ends inside the {_short(inner.name)!r} of line {line}"
        count = len(walk.open)
        hint = "a closing brace is missing" if count == 1 else f"{count} closing braces are missing"
        return _located(SchemaError(what, hint=hint), source, place)
    if walk.surplus is not None and place == walk.lines.place(walk.surplus):
        what = "a closing brace, and nothing is open"
        return _located(SchemaError(what, hint="remove it, or one before it"), source, place)
    words, there = re.sub(r"^\d+:\d+ : ", "", str(error)), ""
    if place[0]:
        there = walk.lines.line(place[0])
        words = words.removeprefix(f"'{there}': ").removeprefix("'': ")
    return _located(_of_syntax(words, there), source, place)


def _located(error: SchemaError, source: str, place: tuple[int, int] = (0, 0)) -> SchemaError:
    return error.within(Place("", None, None, source, *place))


def _other_kind(walk: Walk, descriptor: Any) -> tuple[str, str] | None:
    """If the text describes another kind of message (a net instead of a solver, a label map, ...): what it
    is, and a hint.  None if it does not."""
    unknown = walk.fields - set(descriptor.fields_by_name)
    is_net, is_solver = (descriptor is kind.DESCRIPTOR for kind in (NetParameter, SolverParameter))
    if not unknown or not (is_net or is_solver):
        return None
    wanted = "net" if is_net else "solver"
    if walk.fields == {"item"}:
        return "a label map, neither a net nor a solver", f"give the prototxt of a {wanted}"
    layers, solves = walk.fields & {"layer", "layers"}, walk.fields & _OF_A_SOLVER
    if is_solver and layers and not solves:
        return "a net, no solver", 'a solver names its net: net: "FILE"'
    if is_net and solves and not layers:
        return "a solver, no net", "give the file that it names as its net"
    return None


_OF_A_SOLVER = {"net", "train_net", "net_param", "train_net_param", "base_lr", "max_iter", "lr_policy"}


def _of_faults(walk: Walk, source: str) -> SchemaError:
    """One error that lists all faults; its place is that of the first."""
    groups: dict[str, dict[str, list[int]]] = {}
    for fault in walk.faults:
        lines = groups.setdefault(fault.what, {}).setdefault(fault.name, [])
        lines.append(walk.lines.place(fault.offset)[0])
    alone = len(walk.faults) == 1
    listed = [f"{what} {_names(names, alone)}".rstrip() for what, names in groups.items()]
    said = "; ".join(listed[:MOST_NAMES])
    return _located(
        SchemaError(said, hint=_hints(walk.faults)), source, walk.lines.place(walk.faults[0].offset)
    )


def _names(names: dict[str, list[int]], alone: bool) -> str:
    parts, letters = [], MOST_LETTERS if alone else MOST_LETTERS // MOST_NAMES
    for name, lines in names.items():
        shown = sorted(set(lines))
        more = f" and {len(shown) - MOST_LINES} more" if len(shown) > MOST_LINES else ""
        where = f" (line{'s' if len(shown) > 1 else ''} {', '.join(map(str, shown[:MOST_LINES]))}{more})"
        spelled = _short(name, letters) if not name or name[0] in "\"'" else repr(_short(name, letters))
        parts.append(spelled if alone else spelled + where)
    more = f" and {len(parts) - MOST_NAMES} more" if len(parts) > MOST_NAMES else ""
    return ", ".join(parts[:MOST_NAMES]) + more


def _hints(faults: Sequence[Fault]) -> str:
    """The hints of all faults as one text.  Equal hints are given once; if there are several, each names its
    fault."""
    names: dict[str, set[str]] = {}
    for fault in faults:
        hint = fault.hint.split("; it has ")[0] if len(faults) > 1 else fault.hint
        names.setdefault(hint, set()).add(fault.name)
    names.pop("", None)
    if len(names) == 1:
        return next(iter(names))
    parts = []
    for hint, of in names.items():
        name = next(iter(of)) if len(of) == 1 else ""  # a hint for many speaks of them itself
        parts.append(f"{_short(name, MOST_LETTERS // MOST_NAMES)}: {hint}" if name else hint)
    return "; ".join(parts[:MOST_NAMES])


def _of_syntax(text: str, line: str) -> SchemaError:
    """The error for a line of the file that protobuf cannot parse, with protobuf's message in one line."""
    if "should not have multiple" in text:
        names = re.findall(r'"([\w.]+)"', text)
        what = f"{names[0].removeprefix('caffe.')} takes {names[1]!r} once"
        return SchemaError(what, hint="delete one of the two")
    hint = "comments begin with #" if text.endswith("got /.") else ""
    if line.startswith(("<<<<<<<", "=======", ">>>>>>>")):
        hint = "Git left both sides of a merge here: keep one"
    return SchemaError(_short(text).rstrip("."), hint=hint)


def _short(text: str, letters: int = MOST_LETTERS) -> str:
    """A text made printable and cut to `letters` characters: a file may contain anything where a name should
    be."""
    return printable(text if len(text) <= letters else f"{text[:letters]}...")


def _plain(descriptor: Any) -> str:
    return descriptor.full_name.removeprefix("caffe.").removeprefix("Forks.")
