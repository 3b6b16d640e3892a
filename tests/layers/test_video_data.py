"""VideoData; frames, crops and their places are tested in data/test_videos.py."""

import numpy as np
import pytest
from PIL import Image

from minicaffe.data import images
from minicaffe.data.images import Channels
from minicaffe.errors import ConfigError, DataError, ShapeError
from minicaffe.net import Net
from minicaffe.proto import text
from minicaffe.proto.schema import NetParameter

from ..support.devices import each_device

LENGTHS = (12, 7, 1)  # frames of videos 0, 1 and 2, whose labels are their numbers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Videos with frames in colour and flow, all of different pixels."""
    path, rng = tmp_path_factory.mktemp("videos"), np.random.default_rng(3)
    for video, length in enumerate(LENGTHS):
        (path / f"a video {video}").mkdir()
        for number in range(1, length + 1):
            for name, shape in (("image", (10, 14, 3)), ("flow_x", (10, 14)), ("flow_y", (10, 14))):
                pixels = Image.fromarray(rng.integers(0, 256, shape, np.uint8))
                pixels.save(path / f"a video {video}" / f"{name}_{number:04}.png")
    lines = "".join(f"{path}/a video {i} {length} {i}\n" for i, length in enumerate(LENGTHS))
    (path / "list.txt").write_text(lines)
    return path


def net(folder, conf="", transform="", seed=5, phase="TRAIN", device=None, flow=False, prefetch=2) -> Net:
    kind = "FLOW name_pattern: 'flow_%c_%04d.png'" if flow else "RGB name_pattern: 'image_%04d.png'"
    layer = f"""layer {{ name: "v" type: "VideoData" top: "data" top: "label"
      transform_param {{ {transform} }} data_param {{ prefetch: {prefetch} }}
      video_data_param {{ source: "{folder}/list.txt" modality: {kind} {conf} }} }}"""
    return Net(text.parse(layer, NetParameter), phase=phase, seed=seed, device=device)


def frame(folder, video: int, number: int, flow: bool = False) -> np.ndarray:
    path = folder / f"a video {video}"
    if not flow:
        return images.read(path / f"image_{number:04}.png")
    axes = (images.read(path / f"flow_{axis}_{number:04}.png", Channels.GRAY) for axis in "xy")
    return np.concatenate(list(axes))


@each_device
def test_the_middle_of_every_segment_in_test(folder, device):
    """12 frames in 3 segments of 4: of 2 each the middle ones are frames 2 and 3 of a segment."""
    rig = net(folder, "batch_size: 1 num_segments: 3 new_length: 2", phase="TEST", device=device)
    outputs = rig.forward()
    wanted = np.concatenate([frame(folder, 0, number) for number in (2, 3, 6, 7, 10, 11)])
    np.testing.assert_array_equal(outputs["data"][0], wanted)
    assert outputs["label"] == 0
    wanted = np.concatenate([frame(folder, 1, number) for number in range(1, 7)])  # segments of 2
    np.testing.assert_array_equal(rig.forward()["data"][0], wanted)


@each_device
def test_flow_and_its_mirror_image(folder, device):
    rig = net(folder, "batch_size: 2 new_length: 5", "mirror: true is_flow: true", device=device, flow=True)
    mirrored = 0
    for _ in range(4):
        for pixels, label in zip(*rig.forward().values()):
            assert pixels.shape == (10, 10, 14)
            whole = [frame(folder, int(label), n, True) for n in range(1, LENGTHS[int(label)] + 1)]
            turned = [np.stack([255 - x[:, ::-1], y[:, ::-1]]) for x, y in whole]
            starts = range(len(whole) - 4)
            found = [
                (kind, i)
                for kind in (whole, turned)
                for i in starts
                if (np.concatenate(kind[i : i + 5]) == pixels).all()
            ]
            assert len(found) == 1
            mirrored += found[0][0] is turned
        if mirrored:
            break
    assert mirrored


def test_mean_values_come_in_turns(folder):
    conf = "batch_size: 1 num_segments: 2"
    raw = net(folder, conf, phase="TEST").forward()["data"]
    got = net(folder, conf, "mean_value: 1 mean_value: 20 mean_value: 90 scale: 0.5", phase="TEST").forward()
    np.testing.assert_allclose(got["data"], (raw - np.tile([1, 20, 90], 2)[:, None, None]) / 2)


def test_crops_of_many_scales_have_one_size(folder):
    transform = "crop_size: 6 multi_scale: true fix_crop: true mirror: true"
    rig = net(folder, "batch_size: 2 num_segments: 2 shuffle: true", transform)
    assert all(rig.forward()["data"].shape == (2, 6, 6, 6) for _ in range(4))
    rig = net(folder, "batch_size: 1 new_height: 5 new_width: 7", phase="TEST")
    assert rig.forward()["data"].shape == (1, 3, 5, 7)


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_pass_is_a_function_of_the_seed(folder, prefetch):
    conf = "batch_size: 2 num_segments: 2 shuffle: true rand_skip: 3"
    options = {"transform": "crop_size: 5 mirror: true multi_scale: true", "prefetch": prefetch}
    rig = net(folder, conf, **options)
    whole = [rig.forward()["data"] for _ in range(7)]
    other = net(folder, conf, **options, seed=1)
    assert (other.forward()["data"] != whole[0]).any()
    other.reseed(5)
    for passes in (6, 2):
        other.passes = passes
        np.testing.assert_array_equal(other.forward()["data"], whole[passes])


@pytest.mark.parametrize(
    ("conf", "transform", "message"),
    [
        ("", "", "video_data_param.batch_size must be at least 1"),
        ("batch_size: 1 device_id: 0", "", "device_id: reading a camera or a video file, as SSD's fork does"),
        ("batch_size: 1 video_file: 'a.avi' skip_frames: 2", "", "skip_frames.*list those for ImageData"),
        ("batch_size: 1 crop_size: 3", "", "crop_size has no effect; hint: set crop_size in transform_param"),
        ("batch_size: 1 encoded: true", "", "video_data_param.encoded is not supported"),
        ("batch_size: 1 new_length: 0", "", "num_segments and new_length of at least 1; got 1 and 0"),
        ("batch_size: 1 new_height: 3", "", "both new_height and new_width, or neither; got 3 and 0"),
        ("batch_size: 1", "crop_size: 11", "crop_size 11 is larger than the frames, 10 x 14"),
        ("batch_size: 1", "multi_scale: true", "multi_scale needs a crop_size"),
        ("batch_size: 1", "scale_ratios: 1.5", "scale_ratios above 0 and at most 1; got 1 and 1.5"),
        (
            "batch_size: 1",
            "mean_value: 1 mean_value: 2",
            "the 3 channels are a multiple of that; got 2 values",
        ),
        ("batch_size: 1", "resize { height: 3 width: 3 }", "resize has no effect here; hint: set new_height"),
    ],
)
def test_fields_that_do_not_fit(folder, conf, transform, message):
    with pytest.raises(ConfigError, match=rf"'v' \(VideoData\): .*{message}"):
        net(folder, conf, transform)


def test_ssd_reads_a_camera_and_names_no_source():
    layer = 'layer { name: "v" type: "VideoData" top: "x" top: "y" video_data_param { video_type: WEBCAM } }'
    with pytest.raises(ConfigError, match="video_type: reading a camera"):
        Net(text.parse(layer, NetParameter))
    with pytest.raises(ConfigError, match=r"video_data_param.source must be set"):
        Net(text.parse(layer.replace("video_type: WEBCAM", ""), NetParameter))


def test_what_is_missing(folder, tmp_path):
    rig = net(folder, "batch_size: 1 new_length: 2", phase="TEST")
    rig.forward(), rig.forward()
    with pytest.raises(DataError, match=r"list.txt:3: new_length is 2; the video has 1 frames"):
        rig.forward()
    (tmp_path / "list.txt").write_text(f"{folder}/a video 0 13 0\n")
    with pytest.raises(DataError, match=r"list.txt:1: cannot read .*image_0013.png"):
        net(tmp_path, "batch_size: 1 num_segments: 13", phase="TEST")


def test_frames_of_other_sizes(folder, tmp_path):
    for name, size in (("a", (4, 5)), ("b", (4, 6))):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(tmp_path / name / "image_0001.png")
    (tmp_path / "list.txt").write_text(f"{tmp_path}/a 1 0\n{tmp_path}/b 1 1\n")
    with pytest.raises(ShapeError, match=r"list.txt:2: all videos of a batch .*\(4, 5\); got \(4, 6\)"):
        net(tmp_path, "batch_size: 2").forward()
    assert net(tmp_path, "batch_size: 2", "crop_size: 3").forward()["data"].shape == (2, 3, 3, 3)
