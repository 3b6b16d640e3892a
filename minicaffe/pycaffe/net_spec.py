"""caffe.net_spec: nets written as Python expressions.

    from caffe import layers as L, params as P, NetSpec

    n = NetSpec()
    n.data, n.label = L.DummyData(shape=[dict(dim=[64, 1, 28, 28]), dict(dim=[64])], ntop=2)
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.relu1 = L.ReLU(n.pool1, in_place=True)
    print(n.to_proto())

L.Type(*bottoms, ntop=1, in_place=False, **fields) is a Top, a tuple of Tops (ntop above 1) or a Function
(ntop 0). A field whose name ends in "param" is one of LayerParameter (param, transform_param); any other is
one of the message that is named after the type (ConvolutionParameter) if that has it, else of
LayerParameter (name, include, loss_weight).  A dict is a message, a list or tuple a repeated field, and so
is a single value for one.

Types without a message of their own name take the message as a dict, as in Caffe: Deconvolution's is
convolution_param=dict(num_output=...).

Differs: an empty list is an empty field, a tuple is a list, and names that are given are not given again to
layers without one; Caffe fails at the first two.  A spec holds nothing but Tops and Functions, which Caffe
notices in to_proto.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import Place, SchemaError, UnknownTypeError, suggest
from .proto import caffe_pb2

# Where types that no message is named after have their fields: what an error proposes.
_READS = {
    "Deconvolution": "convolution_param",
    "Im2col": "convolution_param",
    "LSTM": "recurrent_param",
    "RNN": "recurrent_param",
    "SoftmaxWithLoss": "softmax_param",
}


class FieldError(SchemaError, AttributeError):
    """A keyword that no field of the layer is called."""


class ValueTypeError(SchemaError, TypeError):
    """A value of a kind that its field does not take."""


class UnknownTopError(UnknownTypeError, AttributeError):
    """A name that nothing in a spec has."""


def param_name_dict() -> dict[str, str]:
    """The types that a message is named after, each with its field: {"InnerProduct": "inner_product",
    ...}."""
    found: dict[str, str] = {}
    for field in caffe_pb2.LayerParameter.DESCRIPTOR.fields:  # Caffe's stand before those of its forks
        if field.name.endswith("_param") and field.message_type:
            name = field.message_type.name.removesuffix("Parameter")
            found.setdefault(name, field.name.removesuffix("_param"))
    return found


def to_proto(*tops: Top) -> Any:
    """The NetParameter of all layers that it takes to compute `tops`; names are made of types:
    Convolution1."""
    layers: dict[Function, Any] = {}
    names: dict[Any, str] = {}
    autonames: Counter[str] = Counter()
    for top in tops:
        top._to_proto(layers, names, autonames)
    return caffe_pb2.NetParameter(layer=layers.values())


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Set field `name` of a message: of a dict a message, of a list or tuple a repeated field; a single value
    for a repeated field is its only element.

    Raises FieldError for a name that is no field, ValueTypeError for a value that the field does not take.
    """
    fields = proto.DESCRIPTOR.fields_by_name
    if name not in fields:
        raise FieldError(f"{proto.DESCRIPTOR.name} has no field {name!r}", hint=suggest(name, fields))
    field = fields[name]
    try:
        if field.is_repeated:
            for item in val if isinstance(val, (list, tuple)) else [val]:
                if field.message_type is None:
                    getattr(proto, name).append(item)
                else:
                    _fill(getattr(proto, name).add(), item)
        elif field.message_type:
            _fill(getattr(proto, name), val)
        else:
            setattr(proto, name, val)
    except (TypeError, ValueError) as error:
        if isinstance(error, SchemaError):
            raise
        what = f"{proto.DESCRIPTOR.name}.{name} does not take {val!r}"
        raise ValueTypeError(what, hint=str(error)) from None


def _fill(message: Any, value: Any) -> None:
    """Set a message to a dict of fields, or to a message of its class."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            assign_proto(message, name, item)
    elif isinstance(value, type(message)):
        message.CopyFrom(value)
    else:
        raise TypeError(f"a {message.DESCRIPTOR.name} is written as a dict of its fields")


class Top:
    """One blob that a layer writes: the n-th top of Function `fn`."""

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """The NetParameter of all layers that it takes to compute this top."""
        return to_proto(self)

    def _update(self, params: Mapping[str, Any]) -> None:
        self.fn._update(params)

    def _to_proto(self, layers: dict[Function, Any], names: dict[Any, str], autonames: Counter[str]) -> None:
        self.fn._to_proto(layers, names, autonames)


class Function:
    """A layer: its type, the Tops it reads (`inputs`), its fields (`params`), and the Tops it writes
    (`tops`).

    Raises TypeError if an input is no Top.
    """

    def __init__(self, type_name: str, inputs: Sequence[Top], params: dict[str, Any]) -> None:
        for i, top in enumerate(inputs):
            if not isinstance(top, Top):
                raise TypeError(f"{type_name} input {i} is not a Top (type is {type(top)})")
        self.type_name = type_name
        self.inputs = inputs
        self.params = params
        self.ntop: int = params.pop("ntop", 1)
        self.in_place: bool = params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _update(self, params: Mapping[str, Any]) -> None:
        self.params.update(params)

    def _to_proto(self, layers: dict[Function, Any], names: dict[Any, str], autonames: Counter[str]) -> None:
        """Add the layers below and this one to `layers`.  They are many in a deep net, so no recursion."""
        open_ends = [self]
        while open_ends:
            fn = open_ends[-1]
            missing = [top.fn for top in fn.inputs if top.fn not in layers]
            if missing:
                open_ends.append(missing[0])
                continue
            open_ends.pop()
            if fn not in layers:
                layers[fn] = fn._layer([layers[top.fn].top[top.n] for top in fn.inputs], names, autonames)

    def _layer(self, bottoms: list[str], names: dict[Any, str], autonames: Counter[str]) -> Any:
        """The LayerParameter.  `names` are of Tops and of Functions without tops; what is missing is
        added."""
        layer = caffe_pb2.LayerParameter(type=self.type_name, bottom=bottoms)
        for key in self.tops or (self,):
            if key not in names and not (self.in_place and key is not self.tops[0]):
                names[key] = self._autoname(set(names.values()), autonames)
        layer.top.extend(bottoms if self.in_place else [names[top] for top in self.tops])
        layer.name = names[self.tops[0] if self.tops else self]
        try:
            for name, value in self.params.items():
                self._assign(layer, name, value)
        except SchemaError as error:
            error.within(Place.of(layer))
            raise
        return layer

    def _autoname(self, taken: set[str], autonames: Counter[str]) -> str:
        while True:
            autonames[self.type_name] += 1
            name = f"{self.type_name}{autonames[self.type_name]}"
            if name not in taken:
                return name

    def _assign(self, layer: Any, name: str, value: Any) -> None:
        own = _param_names.get(self.type_name, "") + "_param"
        fields = layer.DESCRIPTOR.fields_by_name
        in_own = own in fields and name in fields[own].message_type.fields_by_name
        if in_own and not name.endswith("param"):
            assign_proto(getattr(layer, own), name, value)
        elif name in fields:
            assign_proto(layer, name, value)
        elif own in fields:
            known = [*fields[own].message_type.fields_by_name, *fields]
            what = f"neither {fields[own].message_type.name} nor LayerParameter has a field {name!r}"
            raise FieldError(what, hint=suggest(name, known))
        else:
            message = _READS.get(self.type_name)
            fits = message and name in fields[message].message_type.fields_by_name
            hint = f"{message}=dict({name}=...)" if fits else suggest(name, fields)
            what = f"no message is named after the type, and LayerParameter has no {name!r}"
            raise FieldError(what, hint=hint)


class NetSpec:
    """Tops, and Functions without tops, by the names they are to have: attributes or items.

    The name of a layer is that of its first top.  to_proto gives all layers that it takes to compute what
    is in the spec, in the order of assignment, each after those it reads.
    """

    tops: dict[str, Any]

    def __init__(self) -> None:
        super().__setattr__("tops", {})

    def __setattr__(self, name: str, value: Top | Function) -> None:
        self[name] = value

    def __getattr__(self, name: str) -> Any:
        if name == "tops" or name.startswith("__"):  # while a copy is being made, there are none yet
            raise AttributeError(name)
        return self[name]

    def __setitem__(self, name: str, value: Top | Function) -> None:
        if not isinstance(value, (Top, Function)):
            hint = "name every top: n.data, n.label = L.Data(ntop=2)" if isinstance(value, tuple) else ""
            raise ValueTypeError(f"{name} must be a Top or a layer without tops; got {value!r}", hint=hint)
        self.tops[name] = value

    def __getitem__(self, name: str) -> Any:
        if name not in self.tops:
            raise UnknownTopError(f"nothing in the spec is called {name!r}", hint=suggest(name, self.tops))
        return self.tops[name]

    def __delitem__(self, name: str) -> None:
        del self.tops[name]

    def keys(self) -> list[str]:
        return list(self.tops)

    def vals(self) -> list[Any]:
        return list(self.tops.values())

    def update(self, name: str, params: Mapping[str, Any]) -> None:
        """Set more fields of the layer that writes `name`."""
        self[name]._update(params)

    def to_proto(self) -> Any:
        """The NetParameter."""
        names = {value: name for name, value in self.tops.items()}
        layers: dict[Function, Any] = {}
        autonames: Counter[str] = Counter()
        for value in self.tops.values():
            value._to_proto(layers, names, autonames)
        return caffe_pb2.NetParameter(layer=layers.values())


class Layers:
    """caffe.layers: an attribute is a function that makes a layer of that type."""

    def __getattr__(self, name: str) -> Any:
        def layer_fn(*args: Top, **kwargs: Any) -> Any:
            fn = Function(name, args, kwargs)
            return fn if fn.ntop == 0 else fn.tops[0] if fn.ntop == 1 else fn.tops

        return layer_fn


class Parameters:
    """caffe.params: P.Pooling.MAX is the number of MAX among the enums of PoolingParameter."""

    def __getattr__(self, name: str) -> Any:
        return _Enums(f"{name}Parameter")


class _Enums:
    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(caffe_pb2, self._message), name)


_param_names = param_name_dict()
layers = Layers()
params = Parameters()
