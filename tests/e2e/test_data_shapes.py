"""Data that are no pictures: sound, joint angles and video, through the tensor endpoint of a real server."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests import tensor_models, tiny_models
from tests.e2e.conftest import Server, started

Values = NDArray[np.float32]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with a network for each shape."""
    root: Path = tmp_path_factory.mktemp("models")
    for name, model in (
        ("waveform", tensor_models.waveform()),
        ("skeleton", tensor_models.skeleton()),
        ("video", tensor_models.video()),
    ):
        tiny_models.publish(root, model, name=name, described=False)
    with started(root) as running:
        yield running


def infer(server: Server, model: str, name: str, values: Values, output: str) -> Values:
    """One output, or one layer, for one input."""
    body = {
        "inputs": [{"name": name, "shape": values.shape, "datatype": "FP32", "data": values.ravel().tolist()}],
        "outputs": [{"name": output}],
    }
    answer = httpx2.post(f"{server.url}/v2/models/{model}/infer", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["outputs"]
    return np.array(found["data"], np.float32).reshape(found["shape"])


def some(*shape: int) -> Values:
    """Random whole numbers, which add up without rounding."""
    return np.random.default_rng(0).integers(-50, 50, shape).astype(np.float32)


@pytest.mark.parametrize("samples", [9, 200])
def test_an_audio_waveform_has_one_axis(server: Server, samples: int) -> None:
    """One channel, and as many samples as there are; the layer before the output can be asked for, too."""
    sound = some(2, 1, samples)
    rise = sound[:, :, 1:] - sound[:, :, :-1]
    np.testing.assert_array_equal(infer(server, "waveform", "sound", sound, "rise"), rise)
    pairs = rise[:, :, : (samples - 1) // 2 * 2].reshape(2, 1, -1, 2)
    np.testing.assert_array_equal(infer(server, "waveform", "sound", sound, "loudest"), pairs.max(axis=3))


def test_what_comes_later_in_comes_later_out(server: Server) -> None:
    """A convolution over time is equivariant: an event that is moved moves in its output."""
    sound = np.zeros((1, 1, 30), np.float32)
    sound[0, 0, 5:8] = 1, 4, 2
    before = infer(server, "waveform", "sound", sound, "rise")
    after = infer(server, "waveform", "sound", np.roll(sound, 7), "rise")
    np.testing.assert_array_equal(after, np.roll(before, 7))


def test_joint_angles_have_one_axis_and_many_channels(server: Server) -> None:
    """A channel for each joint."""
    angles = some(3, 4, 12)
    speed = angles[:, :, 1:] - angles[:, :, :-1]
    np.testing.assert_array_equal(infer(server, "skeleton", "angles", angles, "speed"), speed)
    np.testing.assert_array_equal(infer(server, "skeleton", "angles", angles, "moving")[:, 0], speed.sum(axis=1))


def test_colour_video_has_three_axes(server: Server) -> None:
    """Time beside height and width; what moves is what differs from one frame to the next."""
    clip = some(1, 3, 5, 6, 7)
    motion = (clip[:, :, 1:] - clip[:, :, :-1]).sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(infer(server, "video", "clip", clip, "motion"), motion)


def test_the_layers_of_these_networks_are_listed(server: Server) -> None:
    """With the windows that move along one axis or three."""
    for model, layer, kernel in (("waveform", "rise", [2]), ("video", "motion", [2, 1, 1])):
        rows = httpx2.get(f"{server.url}/v1/models/{model}/layers", timeout=60).json()["layers"]
        assert {row["path"]: row["kernel"] for row in rows}[layer] == kernel
