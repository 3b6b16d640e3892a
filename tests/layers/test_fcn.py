"""The data layers of FCN's modules."""

import numpy as np
import pytest
from PIL import Image

from minicaffe.errors import ConfigError, DataError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter


def built(module: str, name: str, settings: str, tops: str = "data label", **options) -> Net:
    said = " ".join(f'top: "{top}"' for top in tops.split())
    net = f"""layer {{ name: "data" type: "Python" {said} python_param {{ module: "{module}" layer: "{name}"
      param_str: "{settings}" }} }} layer {{ name: "s" type: "Silence" bottom: "data" }}"""
    return Net(text.parse(net, NetParameter), phase="TRAIN", seed=1, **options)


@pytest.fixture
def voc(tmp_path):
    for folder in ("ImageSets/Segmentation", "SegmentationClass", "JPEGImages"):
        (tmp_path / folder).mkdir(parents=True)
    for i, size in enumerate([(6, 4), (5, 7), (3, 3)]):
        Image.new("RGB", size, (10 * i, 50, 90)).save(tmp_path / "JPEGImages" / f"{i}.jpg")
        labels = Image.new("P", size, i)
        labels.putpalette([*range(256)] * 3)
        labels.putpixel((1, 0), 255)
        labels.save(tmp_path / "SegmentationClass" / f"{i}.png")
    for split in ("train", "val"):
        (tmp_path / "ImageSets/Segmentation" / f"{split}.txt").write_text("0\n1\n2\n")
    return tmp_path


def test_images_and_the_classes_of_pixels(voc):
    net = built("voc_layers", "VOCSegDataLayer", f"{{'voc_dir': '{voc}', 'split': 'val', 'mean': (1, 2, 3)}}")
    for i, size in [*enumerate([(6, 4), (5, 7), (3, 3)]), (0, (6, 4))]:
        net.forward()
        data, labels = (net.device.get(net.blobs[name].data) for name in ("data", "label"))
        assert data.shape == (1, 3, *size[::-1]) and labels.shape == (1, 1, *size[::-1])
        np.testing.assert_allclose(data[0, :, 2, 2], [89, 48, 10 * i - 3], atol=3)  # as JPEG keeps them
        wanted = np.full(size[::-1], i)
        wanted[0, 1] = 255
        np.testing.assert_array_equal(labels[0, 0], wanted)


def test_a_split_to_train_on_is_shuffled(voc):
    net = built("voc_layers", "VOCSegDataLayer", f"'voc_dir': '{voc}', 'split': 'train', 'seed': 1337")
    seen = []
    for _ in range(9):
        net.forward()
        seen.append(net.blobs["data"].shape[2])
    epochs = [tuple(seen[i : i + 3]) for i in (0, 3, 6)]
    assert all(sorted(epoch) == [3, 4, 7] for epoch in epochs) and len(set(epochs)) > 1


def test_refuses(voc):
    (voc / "ImageSets/Segmentation/empty.txt").write_text("\n")
    settings = f"'voc_dir': '{voc}', 'split': "
    for said, error, message in [
        ("", ConfigError, "must have voc_dir and split"),
        (f"{settings}'nothing'", DataError, r"nothing\.txt"),
        (f"{settings}'empty'", DataError, r"empty\.txt: the list is empty"),
        (f"{settings}'val', 'mean': [1]", ConfigError, "a mean of 3 numbers"),
    ]:
        with pytest.raises(error, match=message):
            built("voc_layers", "VOCSegDataLayer", said)
    for image, message in [
        (Image.new("RGB", (6, 4)), "an image of mode RGB; labels have one byte"),
        (Image.new("L", (4, 6)), r"has \(6, 4\) pixels; the image has \(4, 6\)"),
    ]:
        image.save(voc / "SegmentationClass" / "0.png")
        with pytest.raises(DataError, match=message):
            built("voc_layers", "VOCSegDataLayer", f"{settings}'val'").forward()
    (voc / "SegmentationClass" / "0.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"0\.png: not a whole image"):
        built("voc_layers", "VOCSegDataLayer", f"{settings}'val'").forward()


@pytest.mark.parametrize(
    ("module", "name", "settings", "tops", "shapes"),
    [
        ("voc_layers", "VOCSegDataLayer", "{'voc_dir': 'd', 'split': 'val'}", "data label", (3, 1)),
        ("voc_layers", "SBDDSegDataLayer", "{'sbdd_dir': 'd', 'seed': 1337}", "data label", (3, 1)),
        ("nyud_layers", "NYUDSegDataLayer", "{'tops': ['hha', 'depth', 'label']}", "data d label", (3, 1, 1)),
        ("siftflow_layers", "SIFTFlowSegDataLayer", "{'siftflow_dir': 'd'}", "data sem geo", (3, 1, 1)),
        ("pascalcontext_layers", "PASCALContextSegDataLayer", "{'split': 'val'}", "data label", (3, 1)),
    ],
)
def test_nets_can_be_looked_at(module, name, settings, tops, shapes):
    net = built(module, name, settings, tops, allocate=False)
    assert tuple(net.blobs[top].shape[1] for top in tops.split()) == shapes
    if name != "VOCSegDataLayer":
        with pytest.raises(
            ConfigError, match=f"can only be looked at.*FCN's {module}.py beside the prototxt"
        ):
            built(module, name, settings, tops)
    with pytest.raises(ConfigError, match=f"there are {len(shapes)} tops; got 1"):
        built(module, name, settings, "data", allocate=False)


def test_tops_of_nyud():
    with pytest.raises(ConfigError, match="tops must be of color, hha, depth, label; got 'colour'"):
        built("nyud_layers", "NYUDSegDataLayer", "'tops': ['colour']", "data", allocate=False)
