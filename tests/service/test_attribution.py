"""Promises of service.attribution."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.attribution import (
    Windows,
    class_activation_map,
    eigen_cam,
    occlusion,
    resized,
    score_cam,
    strongest,
)

BLACK = np.zeros(1)


def mean_brightness(pixels: NDArray[np.uint8]) -> NDArray[np.floating]:
    """A score: (n, height, width, C) to (n,)."""
    scores: NDArray[np.floating] = pixels.mean(axis=(1, 2, 3)) / 255
    return scores


def test_a_class_activation_map_is_a_weighted_sum() -> None:
    """Twice the first map, less the second."""
    maps = np.array([[[1, 2]], [[0, 5]]], np.float32)
    assert class_activation_map(maps, np.array([2, -1], np.float32)).tolist() == [[2, -1]]


@pytest.mark.parametrize("shape", [(3, 2, 2), (5, 1, 2)], ids=["more places than channels", "more channels"])
def test_eigen_cam_is_the_projection_on_the_first_singular_vector(shape: tuple[int, int, int]) -> None:
    """As NumPy's singular value decomposition gives it, with the sign that makes the mean positive."""
    maps = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    matrix = maps.reshape(shape[0], -1).T  # (places, channels)
    projection = matrix @ np.linalg.svd(matrix, full_matrices=False)[2][0]
    expected = projection * np.sign(projection.sum())
    np.testing.assert_allclose(eigen_cam(maps).ravel(), expected, rtol=1e-4, atol=1e-5)


def test_eigen_cam_of_one_channel_is_that_channel() -> None:
    """And of a negative one its opposite, since the sign is free."""
    maps = np.array([[[0, 3], [1, 2]]], np.float32)
    np.testing.assert_allclose(eigen_cam(maps), maps[0], atol=1e-6)
    np.testing.assert_allclose(eigen_cam(-maps), maps[0], atol=1e-6)


def test_eigen_cam_of_nothing_is_nothing() -> None:
    """Zeros stay zeros, and NaN counts as zero."""
    maps = np.array([[[0, np.nan]]], np.float32)
    assert eigen_cam(maps).tolist() == [[0, 0]]


def test_the_strongest_channels_come_first() -> None:
    """By their means; of equal ones the first."""
    maps = np.array([[[1, 1]], [[0, 4]], [[2, 0]], [[np.nan, 9]]], np.float32)
    assert strongest(maps, 3).tolist() == [3, 1, 0]
    assert strongest(maps, 9).tolist() == [3, 1, 0, 2]


def test_score_cam_is_its_definition() -> None:
    """Masks from 0 to 1 on the image, softmax of the scores, weighted sum of the maps."""
    random = np.random.default_rng(2)
    image = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    maps = random.normal(size=(20, 2, 2)).astype(np.float32)
    colour = np.array([10.0, 20.0, 30.0])
    scores = []
    for one in maps:
        mask = np.asarray(Image.fromarray(one).resize((4, 4), Image.Resampling.BILINEAR), np.float64)
        mask = ((mask - mask.min()) / (mask.max() - mask.min()))[..., np.newaxis]
        seen = np.rint(colour + mask * (image - colour)).astype(np.uint8)
        scores.append(8 * mean_brightness(seen[np.newaxis])[0])
    powers = np.exp(scores)
    expected = np.tensordot(powers / powers.sum(), maps, axes=1)
    found = score_cam(image, maps, lambda pixels: 8 * mean_brightness(pixels), colour)
    np.testing.assert_allclose(found, expected, atol=1e-3)  # a byte may be rounded the other way


def test_a_map_that_is_the_same_everywhere_shows_nothing() -> None:
    """It scores as the baseline does: here the other map, which shows the white pixel, gets all the weight."""
    image = np.array([[[0], [255]]], np.uint8)
    maps = np.array([[[5, 5]], [[0, 1]]], np.float32)
    found = score_cam(image, maps, lambda pixels: 1000 * mean_brightness(pixels), BLACK)
    np.testing.assert_allclose(found, [[0, 1]], atol=1e-6)


def test_windows_cover_an_image() -> None:
    """The last of a row is moved in, up to the edge."""
    windows = Windows(height=2, width=5, side=2, stride=2)
    assert [(columns.start, columns.stop) for _, columns in windows] == [(0, 2), (2, 4), (3, 5)]
    assert len(windows) == 3


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_pixel_is_covered(stride: int) -> None:
    """Whatever the sizes."""
    covered = np.zeros((7, 10))
    windows = Windows(height=7, width=10, side=3, stride=stride)
    for window in windows:
        covered[window] += 1
    assert covered.min() > 0
    assert len(list(windows)) == len(windows)


def test_occlusion_is_the_fall_of_the_score() -> None:
    """Hiding a white pixel of three costs a third, and a black one nothing."""
    image = np.array([[[0], [255], [255]]], np.uint8)
    found = occlusion(image, Windows(height=1, width=3, side=1, stride=1), mean_brightness, BLACK)
    np.testing.assert_allclose(found, [[0, 1 / 3, 1 / 3]], atol=1e-6)


def test_occlusion_is_averaged_over_the_windows_of_a_pixel() -> None:
    """Two windows of two columns: the middle one is under both, with falls of 1/3 and 2/3."""
    image = np.repeat(np.array([[[0], [255], [255]]], np.uint8), 2, axis=0)
    found = occlusion(image, Windows(height=2, width=3, side=2, stride=1), mean_brightness, BLACK)
    np.testing.assert_allclose(found, [[1 / 3, 1 / 2, 2 / 3]] * 2, atol=1e-6)


def test_what_is_hidden_has_the_colour_of_the_baseline() -> None:
    """Seen through the score: white hides black, and the score rises."""
    image = np.zeros((1, 2, 1), np.uint8)
    found = occlusion(image, Windows(height=1, width=2, side=1, stride=1), mean_brightness, np.array([255.0]))
    np.testing.assert_allclose(found, [[-1 / 2, -1 / 2]])


def test_a_few_images_run_at_once() -> None:
    """At most 8, however many windows there are."""
    counts = []

    def score(pixels: NDArray[np.uint8]) -> NDArray[np.floating]:
        counts.append(len(pixels))
        return mean_brightness(pixels)

    occlusion(np.zeros((1, 20, 1), np.uint8), Windows(height=1, width=20, side=1, stride=1), score, BLACK)
    assert counts == [1, 8, 8, 4]


def test_resizing_interpolates_between_centres() -> None:
    """From two cells to four: the ends stay, what is between is a quarter and three quarters."""
    found = resized(np.array([[0.0, 1.0]]), 1, 4, Image.Resampling.BILINEAR)
    np.testing.assert_allclose(found, [[0, 0.25, 0.75, 1]])
