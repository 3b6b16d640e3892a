"""Nets that name py-faster-rcnn's modules: found or built in, looked at, and trained on a folder of
images."""

import json
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minicaffe.errors import ConfigError, DataError, UnknownTypeError
from minicaffe.layers.user.module import forgetting
from minicaffe.layers.user.param_str import read
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter, SolverParameter
from minicaffe.solvers.solver import Solver

HEAD = """
layer { name: "input-data" type: "Python" top: "data" top: "im_info" top: "gt_boxes" python_param {
  module: "roi_data_layer.layer" layer: "RoIDataLayer" param_str: "'num_classes': 21%s" } }"""
CONV = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
  num_output: 4 kernel_size: 16 stride: 16 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "rpn_cls_score" type: "Convolution" bottom: "conv" top: "rpn_cls_score" convolution_param {
  num_output: 18 kernel_size: 1 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "rpn_bbox_pred" type: "Convolution" bottom: "conv" top: "rpn_bbox_pred" convolution_param {
  num_output: 36 kernel_size: 1 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "two" type: "Reshape" bottom: "rpn_cls_score" top: "two" reshape_param {
  shape { dim: 0 dim: 2 dim: -1 dim: 0 } } }
layer { name: "prob" type: "Softmax" bottom: "two" top: "two_prob" }
layer { name: "back" type: "Reshape" bottom: "two_prob" top: "prob" reshape_param {
  shape { dim: 0 dim: 18 dim: -1 dim: 0 } } }
layer { name: "proposal" type: "Python" bottom: "prob" bottom: "rpn_bbox_pred" bottom: "im_info"
  top: "rpn_rois" python_param { module: "rpn.proposal_layer"
  layer: "ProposalLayer" param_str: "'feat_stride': 16" } }"""
TARGETS = """
layer { name: "rpn-data" type: "Python" bottom: "rpn_cls_score" bottom: "gt_boxes" bottom: "im_info"
  bottom: "data" top: "rpn_labels" top: "rpn_targets" top: "rpn_inside" top: "rpn_outside" python_param {
  module: "rpn.anchor_target_layer" layer: "AnchorTargetLayer" param_str: "'feat_stride': 16%s" } }
layer { name: "rpn_loss_cls" type: "SoftmaxWithLoss" bottom: "two" bottom: "rpn_labels" top: "rpn_loss_cls"
  propagate_down: 1 propagate_down: 0 loss_weight: 1 loss_param { ignore_label: -1 normalize: true } }
layer { name: "rpn_loss_bbox" type: "SmoothL1Loss" bottom: "rpn_bbox_pred" bottom: "rpn_targets"
  bottom: "rpn_inside" bottom: "rpn_outside" top: "rpn_loss_bbox" loss_weight: 1
  smooth_l1_loss_param { sigma: 3 } }
layer { name: "roi-data" type: "Python" bottom: "rpn_rois" bottom: "gt_boxes" top: "rois" top: "labels"
  top: "targets" top: "inside" top: "outside" python_param { module: "rpn.proposal_target_layer"
  layer: "ProposalTargetLayer" param_str: "'num_classes': %d, 'BATCH_SIZE': %d" } }"""
FASTER = """
layer { name: "pool" type: "ROIPooling" bottom: "conv" bottom: "rois" top: "pool" roi_pooling_param {
  pooled_w: 2 pooled_h: 2 spatial_scale: 0.0625 } }
layer { name: "cls_score" type: "InnerProduct" bottom: "pool" top: "cls_score" inner_product_param {
  num_output: 21 weight_filler { type: "xavier" } } }
layer { name: "bbox_pred" type: "InnerProduct" bottom: "pool" top: "bbox_pred" inner_product_param {
  num_output: 84 weight_filler { type: "xavier" } } }
layer { name: "loss_cls" type: "SoftmaxWithLoss" bottom: "cls_score" bottom: "labels" top: "loss_cls"
  propagate_down: 1 propagate_down: 0 loss_weight: 1 }
layer { name: "loss_bbox" type: "SmoothL1Loss" bottom: "bbox_pred" bottom: "targets" bottom: "inside"
  bottom: "outside" top: "loss_bbox" loss_weight: 1 }"""
RFCN = """
layer { name: "rfcn_cls" type: "Convolution" bottom: "conv" top: "rfcn_cls" convolution_param {
  num_output: 84 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "rfcn_bbox" type: "Convolution" bottom: "conv" top: "rfcn_bbox" convolution_param {
  num_output: 32 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "pool_cls" type: "PSROIPooling" bottom: "rfcn_cls" bottom: "rois" top: "pool_cls"
  psroi_pooling_param { spatial_scale: 0.0625 output_dim: 21 group_size: 2 } }
layer { name: "cls_score" type: "Pooling" bottom: "pool_cls" top: "cls_score" pooling_param {
  pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "pool_bbox" type: "PSROIPooling" bottom: "rfcn_bbox" bottom: "rois" top: "pool_bbox"
  psroi_pooling_param { spatial_scale: 0.0625 output_dim: 8 group_size: 2 } }
layer { name: "bbox_pred" type: "Pooling" bottom: "pool_bbox" top: "bbox_pred" pooling_param {
  pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "per_roi_loss_cls" type: "SoftmaxWithLossOHEM" bottom: "cls_score" bottom: "labels" top: "l"
  top: "p" top: "per_cls" loss_weight: 0 loss_weight: 0 loss_weight: 0 propagate_down: 0 propagate_down: 0 }
layer { name: "per_roi_loss_bbox" type: "SmoothL1LossOHEM" bottom: "bbox_pred" bottom: "targets"
  bottom: "inside" top: "b" top: "per_bbox" loss_weight: 0 loss_weight: 0
  propagate_down: 0 propagate_down: 0 propagate_down: 0 }
layer { name: "per_roi_loss" type: "Eltwise" bottom: "per_cls" bottom: "per_bbox" top: "per_roi"
  propagate_down: 0 propagate_down: 0 }
layer { name: "annotator" type: "BoxAnnotatorOHEM" bottom: "rois" bottom: "per_roi" bottom: "labels"
  bottom: "inside" top: "labels_ohem" top: "weights_ohem" box_annotator_ohem_param { roi_per_img: 8 }
  propagate_down: 0 propagate_down: 0 propagate_down: 0 propagate_down: 0 }
layer { name: "silence" type: "Silence" bottom: "outside" bottom: "l" bottom: "p" bottom: "b" }
layer { name: "loss_cls" type: "SoftmaxWithLoss" bottom: "cls_score" bottom: "labels_ohem" top: "loss_cls"
  loss_weight: 1 loss_param { ignore_label: -1 } propagate_down: 1 propagate_down: 0 }
layer { name: "accuracy" type: "Accuracy" bottom: "cls_score" bottom: "labels_ohem" top: "accuracy"
  accuracy_param { ignore_label: -1 } propagate_down: 0 propagate_down: 0 }
layer { name: "loss_bbox" type: "SmoothL1LossOHEM" bottom: "bbox_pred" bottom: "targets"
  bottom: "weights_ohem" top: "loss_bbox" loss_weight: 1
  loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 8 }
  propagate_down: 1 propagate_down: 0 propagate_down: 0 }"""
NETS = {
    "faster": CONV + TARGETS % ("", 21, 16) + FASTER,
    "rfcn": CONV + TARGETS % ("", 2, -1) + RFCN,
}


def built(net: str, **options) -> Net:
    return Net(text.parse(net, NetParameter), **{"phase": "TRAIN", "seed": 1, **options})


@pytest.fixture
def voc(tmp_path):
    """Two images with objects, one without any, one with difficult ones alone."""
    for folder in ("ImageSets/Main", "Annotations", "JPEGImages"):
        (tmp_path / folder).mkdir(parents=True)
    for name, (w, h), objects in [
        ("a", (120, 80), [("cat", 0, (11, 21, 60, 70)), ("person", 0, (71, 1, 120, 80)), ("dog", 1, (1, 1, 9,
        9))]), ("b", (60, 90), [("aeroplane", 0, (1, 1, 60, 90))]),
        ("empty", (50, 50), []),
        ("hard", (50, 50), [("dog", 1, (1, 1, 9, 9))]),
    ]:  # fmt: skip
        pixels = np.random.default_rng(h).integers(0, 255, (h, w, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "JPEGImages" / f"{name}.jpg")
        said = "".join(
            f"<object><name>{kind}</name><difficult>{hard}</difficult><bndbox><xmin>{box[0]}</xmin>"
            f"<ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
            for kind, hard, box in objects
        )
        (tmp_path / "Annotations" / f"{name}.xml").write_text(f"<annotation>{said}</annotation>")
    (tmp_path / "ImageSets/Main/trainval.txt").write_text("a\nb\nempty\nhard\n")
    return tmp_path


def named(folder, more: str = "") -> str:
    return HEAD % f", 'voc': '{folder}', 'SCALE': 160, 'MAX_SIZE': 200{more}"


def batches(net: Net, count: int) -> list[list[np.ndarray]]:
    found = []
    for _ in range(count):
        net.forward()
        found.append([net.device.get(net.blobs[name].data) for name in ("data", "im_info", "gt_boxes")])
    return found


# -- the images


def test_an_image_and_its_objects(voc):
    net = built(named(voc, ", 'USE_FLIPPED': false") + 'layer { name: "s" type: "Silence" bottom: "data" }')
    found = batches(net, 2)
    wide, high = sorted(found, key=lambda batch: batch[0].shape[2])
    data, info, objects = wide  # 120 by 80: the longer side would be 240 pixels, of 200 allowed
    assert data.shape == (1, 3, 133, 200)
    np.testing.assert_allclose(info, [[133, 200, 200 / 120]], rtol=1e-6)
    wanted = np.array([[10, 20, 59, 69, 8], [70, 0, 119, 79, 15]], float)
    wanted[:, :4] *= 200 / 120
    np.testing.assert_allclose(objects, wanted, rtol=1e-6)
    data, info, objects = high
    assert data.shape == (1, 3, 200, 133)
    np.testing.assert_allclose(objects[0, 4], 1)
    pixels = np.asarray(Image.open(voc / "JPEGImages" / "b.jpg"), float)[..., ::-1].mean((0, 1))
    np.testing.assert_allclose(
        data.mean((0, 2, 3)), pixels - [102.9801, 115.9465, 122.7717], atol=1.5
    )  # fmt: skip


def test_every_image_comes_mirrored_too(voc):
    net = built(named(voc) + 'layer { name: "s" type: "Silence" bottom: "data" }')
    of_a = [batch for batch in batches(net, 4) if batch[0].shape[3] == 200]
    assert len(of_a) == 2
    (one, _, boxes), (other, _, mirrored) = of_a
    np.testing.assert_allclose(one, other[..., ::-1], atol=0.01)
    width = 119 * 200 / 120
    np.testing.assert_allclose(mirrored[:, [0, 2]], width - boxes[:, [2, 0]], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(mirrored[:, [1, 3, 4]], boxes[:, [1, 3, 4]])


def test_images_of_coco(tmp_path):
    Image.new("RGB", (40, 30), (10, 20, 30)).save(tmp_path / "one.png")
    said = {
        "categories": [{"id": 3, "name": "car"}, {"id": 18, "name": "dog"}],
        "images": [
            {"id": 7, "file_name": "one.png", "width": 40, "height": 30},
            {"id": 8, "file_name": "gone.png", "width": 40, "height": 30},
        ],
        "annotations": [
            {"image_id": 7, "category_id": 18, "bbox": [4, 5, 10, 20], "iscrowd": 0},
            {"image_id": 7, "category_id": 3, "bbox": [30, 20, 100, 100]},
            {"image_id": 7, "category_id": 3, "bbox": [50, 2, 5, 5]},
            {"image_id": 8, "category_id": 3, "bbox": [0, 0, 9, 9], "iscrowd": 1},
        ],
    }
    (tmp_path / "said.json").write_text(json.dumps(said))
    where = f", 'coco': '{tmp_path}/said.json', 'images': '{tmp_path}', 'SCALE': 30, 'USE_FLIPPED': false"
    net = built(HEAD % where + 'layer { name: "s" type: "Silence" bottom: "data" }')
    ((data, _, objects),) = batches(net, 1)
    np.testing.assert_array_equal(objects, [[4, 5, 13, 24, 2], [30, 20, 39, 29, 1]])
    np.testing.assert_allclose(data[0, :, 0, 0], [30 - 102.9801, 20 - 115.9465, 10 - 122.7717], rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ("", ConfigError, "names no images, or two kinds; hint: add 'voc'"),
        (", 'voc': '{0}', 'coco': 'x'", ConfigError, "or two kinds"),
        (", 'voc': '{0}', 'image_set': 'test'", DataError, "test.txt"),
        (
            ", 'voc': '{0}', 'classes': [car, cow]",
            ConfigError,
            "num_classes is 21, with ground; there are 2 classes",
        ),
        (", 'coco': '{0}/no.json'", DataError, "no.json"),
        (", 'coco': '{0}/ImageSets/Main/trainval.txt'", DataError, "trainval.txt: no JSON"),
        (", 'SCALE': 0", ConfigError, "SCALE and MAX_SIZE greater than 0"),
    ],
)
def test_refuses_images(voc, settings, error, message):
    with pytest.raises(error, match=message):
        built(HEAD % settings.format(voc))


def test_refuses_damaged_annotations(voc):
    (voc / "Annotations" / "a.xml").write_text("<annotation><object><name>cat</name></object></annotation>")
    with pytest.raises(
        DataError, match=r"trainval\.txt:1: .*a\.xml: an object 'cat' without <bndbox>"
    ) as raised:
        built(named(voc))
    assert "\n" not in str(raised.value)


def test_regions_chosen_beforehand_can_be_looked_at_only():
    net = """layer { name: "data" type: "Python" top: "data" top: "rois" top: "labels" top: "bbox_targets"
      top: "bbox_inside_weights" top: "bbox_outside_weights" python_param { module: "roi_data_layer.layer"
      layer: "RoIDataLayer" param_str: "'num_classes': 21" } }"""
    shapes = [blob.shape for blob in built(net, allocate=False).tops[0]]
    assert shapes == [(1, 3, 600, 1000), (128, 5), (128,), *[(128, 84)] * 3]
    with pytest.raises(ConfigError, match="regions that were chosen beforehand cannot be read"):
        built(net)


# -- nets


@pytest.mark.parametrize("kind", NETS)
def test_trains_and_goes_on_bit_by_bit(kind, voc, tmp_path):
    """Where a solver goes on from a snapshot, the same examples are chosen."""
    param = text.parse("base_lr: 0.001 momentum: 0.9 lr_policy: 'fixed' random_seed: 3", SolverParameter)
    param.net_param.CopyFrom(text.parse(named(voc) + NETS[kind], NetParameter))
    param.snapshot_prefix = str(tmp_path / "s")

    def weights(solver):
        return [solver.device.get(p.data) for layer in solver.net.layers for p in layer.params]

    whole = Solver.create(param)
    whole.step(4)
    begun = Solver.create(param)
    begun.step(2)
    begun.snapshot()
    resumed = Solver.create(param)
    resumed.restore(str(tmp_path / "s_iter_2.solverstate"))
    resumed.step(2)
    for one, other in zip(weights(whole), weights(resumed), strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", NETS)
def test_looked_at_without_images(kind):
    net = built(HEAD % "" + NETS[kind], allocate=False)
    shapes = {name: blob.shape for name, blob in net.blobs.items()}
    assert shapes["data"] == (1, 3, 600, 1000) and shapes["rpn_labels"] == (1, 1, 9 * 37, 62)
    assert shapes["rois"] == ((16 if kind == "faster" else 2001), 5, 1, 1)


def test_a_test_net_proposes():
    inputs = """layer { name: "in" type: "Input" top: "data" top: "im_info" input_param {
      shape { dim: 1 dim: 3 dim: 64 dim: 96 } shape { dim: 1 dim: 3 } } }"""
    net = built(inputs + CONV, phase="TEST")
    rois = net.forward(data=np.random.default_rng(0).normal(size=(1, 3, 64, 96)), im_info=[[64, 96, 1]])[
        "rpn_rois"
    ]
    assert 0 < len(rois) <= 300 and (rois[:, 0] == 0).all() and (rois[:, 3] <= 95).all()


# -- whose module it is


def test_a_module_that_is_there_is_used(tmp_path, caplog):
    (tmp_path / "rpn").mkdir()
    (tmp_path / "rpn" / "__init__.py").write_text("")
    (tmp_path / "rpn" / "proposal_layer.py").write_text(
        """import caffe
class ProposalLayer(caffe.Layer):
    def reshape(self, bottom, top):
        top[0].reshape(1, 5)
    def forward(self, bottom, top):
        top[0].data[...] = 7
"""
    )
    file = tmp_path / "net.prototxt"
    file.write_text("""layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 1 } } }
      layer { name: "p" type: "Python" bottom: "x" top: "y" python_param {
        module: "rpn.proposal_layer" layer: "ProposalLayer" } }""")
    with caplog.at_level(logging.INFO, "minicaffe"), forgetting(tmp_path):
        assert (Net(file, phase="TEST").forward(x=[0])["y"] == 7).all()
    assert "built-in" not in caplog.text


def test_the_log_says_what_is_built_in(caplog):
    with caplog.at_level(logging.INFO, "minicaffe"):
        built(HEAD % "", allocate=False)
    said = "layer 'input-data' (Python): module roi_data_layer.layer is not installed: RoIDataLayer is the"
    assert caplog.text.count(f"{said} built-in one") == 1


def test_another_class_of_the_module_is_not_there():
    with pytest.raises((ConfigError, UnknownTypeError), match="cannot be found"):
        built("""layer { name: "p" type: "Python" top: "y" python_param {
          module: "rpn.proposal_layer" layer: "Proposals" } }""")


# -- param_str


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("'feat_stride': 16", {"feat_stride": 16}),
        ("'feat_stride': 16 \n's': !!python/tuple [4, 8]", {"feat_stride": 16, "s": [4, 8]}),
        ("{'a': 1, \"b\": -2.5e-1, 'c': true, d: (1, 2,), 'e': {x: [1, [2]]}, f: null}",
         {"a": 1, "b": -0.25, "c": True, "d": [1, 2], "e": {"x": [1, [2]]}, "f": None}),
        ("a: C:/x/y.txt  # a path\n\nb: 'it''".replace("it''", "it\\'s'"), {"a": "C:/x/y.txt", "b": "it's"}),
        ("", {}),
        ("{}", {}),
        ("a:\n", None),
        ("16", None),
        ("a: 1 b: 2", None),
        ("{a: 1", None),
        ("a: [1, 2", None),
        ("a: 1}", None),
        ("{a: 1} b", None),
        ("a: 1\na: 2", None),
        ("a: 'x", None),
        ("[1]: 2", None),
        ("a: " + "[" * 200 + "]" * 200, None),
        ("a: nan, b: inf, c: 1e999", {"a": "nan", "b": "inf", "c": "1e999"}),
    ],
)  # fmt: skip
def test_settings(text, settings):
    if settings is not None:
        assert read(text) == settings
    else:
        with pytest.raises(ConfigError, match="param_str cannot be read"):
            read(text)


@given(st.text(alphabet="'\"{}[]():,\n #!a1.-\\", max_size=30))
def test_any_text_is_settings_or_refused(text):
    try:
        assert isinstance(read(text), dict)
    except ConfigError:
        pass
