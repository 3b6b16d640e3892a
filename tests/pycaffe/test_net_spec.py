"""caffe.net_spec: LeNet from expressions, names, fields of all kinds, mistakes; and caffe_pb2."""

from __future__ import annotations

import copy

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.errors import MiniCaffeError
from minicaffe.net import Net
from minicaffe.proto import schema
from minicaffe.pycaffe import net_spec
from minicaffe.pycaffe.net_spec import NetSpec, to_proto
from minicaffe.pycaffe.net_spec import layers as L
from minicaffe.pycaffe.net_spec import params as P
from minicaffe.pycaffe.proto import caffe_pb2

XAVIER = {"type": "xavier"}


def lenet(n):
    """LeNet, each layer assigned to n.<name>."""
    shapes = [{"dim": [2, 1, 28, 28]}, {"dim": [2]}]
    n.data, n.label = L.DummyData(shape=shapes, transform_param={"scale": 1 / 255}, ntop=2)
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=XAVIER)
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.ip1 = L.InnerProduct(
        n.pool1, num_output=10, weight_filler=XAVIER, param=[{"lr_mult": 1}, {"lr_mult": 2}]
    )
    n.relu1 = L.ReLU(n.ip1, in_place=True)
    n.loss = L.SoftmaxWithLoss(n.relu1, n.label)
    return n


def test_a_spec_is_a_net_that_can_be_built():
    param = lenet(NetSpec()).to_proto()
    assert [layer.name for layer in param.layer] == ["data", "conv1", "pool1", "ip1", "relu1", "loss"]
    assert list(param.layer[0].top) == ["data", "label"]
    assert param.layer[4].bottom == param.layer[4].top == ["ip1"]
    assert list(param.layer[5].bottom) == ["ip1", "label"]
    assert [spec.lr_mult for spec in param.layer[3].param] == [1, 2]
    assert list(param.layer[1].convolution_param.kernel_size) == [5]
    assert param.layer[1].convolution_param.weight_filler.type == "xavier"
    net = Net(param, phase="TEST", seed=1)
    assert list(net.params) == ["conv1", "ip1"] and list(net.forward()) == ["loss"]


def test_names_are_made_of_types():
    class Names:
        """What a NetSpec would name stays without."""

    param = lenet(Names()).loss.to_proto()
    names = ["DummyData1", "Convolution1", "Pooling1", "InnerProduct1", "ReLU1", "SoftmaxWithLoss1"]
    assert [layer.name for layer in param.layer] == names
    assert list(param.layer[0].top) == ["DummyData1", "DummyData2"]
    assert param.layer[4].top == ["InnerProduct1"]
    a, b = L.Input(shape={"dim": [1]}), L.Input(shape={"dim": [1]})
    assert [layer.name for layer in to_proto(a, b, a).layer] == ["Input1", "Input2"]


def test_made_names_are_not_those_given():
    n = NetSpec()
    n.Power1 = L.Power(L.Power(L.Input(shape={"dim": [1]})))
    assert [layer.name for layer in n.to_proto().layer] == ["Input1", "Power2", "Power1"]


def test_layers_without_tops():
    n = NetSpec()
    n.data, n.data2 = L.DummyData(shape={"dim": 3}, ntop=2)
    n.quiet = L.Silence(n.data, ntop=0)
    n["other"] = L.Silence(n.data2, ntop=0)
    param = n.to_proto()
    assert [layer.name for layer in param.layer] == ["data", "quiet", "other"]
    assert [len(layer.top) for layer in param.layer] == [2, 0, 0]
    assert Net(param, phase="TEST").forward() == {}


def test_fields_of_every_kind():
    n = NetSpec()
    n.a = L.Input(input_param={"shape": {"dim": (1, 2)}}, include=[{"phase": caffe_pb2.TEST}], name="given")
    n.b = L.Deconvolution(n.a, convolution_param={"num_output": 4, "kernel_size": [3, 5]}, loss_weight=1.5)
    n.c = L.Power(n.b, power=2, param=[])
    n.d = L.Python(n.c, module="m", layer="Own", param_str="{}", propagate_down=[True])
    n.e = L.Scale(n.d, filler=caffe_pb2.FillerParameter(type="constant", value=2))
    a, b, c, d, e = n.to_proto().layer
    assert (a.name, list(a.top), a.include[0].phase) == ("given", ["a"], caffe_pb2.TEST)
    assert list(a.input_param.shape[0].dim) == [1, 2]
    assert (b.convolution_param.num_output, list(b.convolution_param.kernel_size)) == (4, [3, 5])
    assert list(b.loss_weight) == [1.5] and c.power_param.power == 2 and not c.param
    assert (d.python_param.module, d.python_param.param_str, list(d.propagate_down)) == ("m", "{}", [True])
    assert e.scale_param.filler.value == 2


def test_a_spec_is_a_mapping():
    n = NetSpec()
    n.a = L.Input(shape={"dim": [1]})
    n["b"] = L.Power(n.a)
    n.update("b", {"scale": 3})
    assert n.keys() == ["a", "b"] and n.vals() == [n.a, n["b"]]
    assert n.to_proto().layer[1].power_param.scale == 3
    copied = copy.deepcopy(n)
    assert copied.to_proto() == n.to_proto() and copied.b is not n.b
    del n["a"]  # it stays below b, under a made name
    assert [layer.name for layer in n.to_proto().layer] == ["Input1", "b"]
    assert not hasattr(n, "a")


def test_deep_nets_need_no_deep_stack():
    top = L.Input(shape={"dim": [1]})
    for _ in range(3000):
        top = L.Power(top)
    assert len(top.to_proto().layer) == 3001


@given(st.lists(st.integers(0, 20), max_size=20))
def test_layers_come_after_what_they_read_and_once(reads):
    tops = [L.Input(shape={"dim": [1]})]
    for which in reads:
        tops.append(L.Eltwise(tops[which % len(tops)], tops[-1]))
    param = to_proto(*reversed(tops))
    known = set()
    for layer in param.layer:
        assert known.issuperset(layer.bottom) and known.isdisjoint(layer.top)
        known.update(layer.top)
    assert len(param.layer) == len(tops)


def test_an_input_that_is_no_top():
    data = L.DummyData(ntop=2)
    with pytest.raises(TypeError, match=r"^Silence input 0 is not a Top \(type is <class 'tuple'>\)$"):
        L.Silence(data, ntop=0)
    L.Silence(*data, ntop=0)


@pytest.mark.parametrize(
    "top, kind, complaint",
    [
        (
            lambda: L.Convolution(kernel_sise=3),
            AttributeError,
            "layer 'x' (Convolution): neither ConvolutionParameter nor LayerParameter has a field"
            " 'kernel_sise'; hint: did you mean 'kernel_size'",
        ),
        (
            lambda: L.Deconvolution(num_output=3),
            AttributeError,
            "layer 'x' (Deconvolution): no message is named after the type, and LayerParameter has no"
            " 'num_output'; hint: convolution_param=dict(num_output=...)",
        ),
        (lambda: L.Silence(nam="y"), AttributeError, "did you mean 'name'"),
        (
            lambda: L.Power(power_param={"pow": 1}),
            AttributeError,
            "PowerParameter has no field 'pow'; hint: did",
        ),
        (
            lambda: L.Power(power="two"),
            TypeError,
            "layer 'x' (Power): PowerParameter.power does not take 'two'",
        ),
        (lambda: L.Pooling(pool="MOST"), TypeError, "PoolingParameter.pool does not take 'MOST'"),
        (lambda: L.Power(param=[3]), TypeError, "a ParamSpec is written as a dict of its fields"),
        (lambda: L.Power(power_param=3), TypeError, "a PowerParameter is written as a dict of its fields"),
    ],
)
def test_wrong_fields(top, kind, complaint):
    n = NetSpec()
    n.x = top()
    with pytest.raises(kind) as error:
        n.to_proto()
    assert isinstance(error.value, MiniCaffeError) and complaint in str(error.value)


def test_wrong_names():
    n = NetSpec()
    n.data = L.Input()
    with pytest.raises(
        AttributeError, match="nothing in the spec is called 'date'; hint: did you mean 'data'"
    ):
        _ = n.date
    with pytest.raises(KeyError):
        _ = n["date"]
    with pytest.raises(TypeError, match=r"x must be a Top .* hint: name every top: n.data, n.label"):
        n.x = L.Data(ntop=2)
    with pytest.raises(TypeError, match="x must be a Top or a layer without tops; got 3"):
        n.x = 3
    with pytest.raises(AttributeError, match="MOST"):
        _ = P.Pooling.MOST


def test_types_by_message():
    names = net_spec.param_name_dict()
    assert (names["InnerProduct"], names["LRN"], names["HDF5Data"]) == ("inner_product", "lrn", "hdf5_data")
    assert "Deconvolution" not in names


def test_caffe_pb2():
    assert caffe_pb2.NetParameter is schema.NetParameter
    assert (caffe_pb2.TRAIN, caffe_pb2.TEST, caffe_pb2.Phase.Name(1)) == (0, 1, "TEST")
    assert caffe_pb2.PoolingParameter.AVE == caffe_pb2.PoolingParameter.PoolMethod.Value("AVE") == 1
    assert caffe_pb2.DESCRIPTOR.package == "caffe" and "Datum" in dir(caffe_pb2)
    net = text_format.Merge(
        'layer { name: "x" type: "Power" power_param { power: 2 } }', caffe_pb2.NetParameter()
    )
    assert net.layer[0].power_param.power == 2 and 'name: "x"' in str(net)
    with pytest.raises(AttributeError, match=r"caffe\.proto has no message, enum or value 'NetParam'"):
        _ = caffe_pb2.NetParam


def test_fields_of_forks_do_not_stand_in_front_of_caffes():
    from minicaffe.pycaffe.net_spec import param_name_dict

    names = param_name_dict()
    assert names["ReLU"] == "relu" and names["Recurrent"] == "recurrent"
    assert names["PriorBox"] == "prior_box" and names["Normalize"] == "norm"
