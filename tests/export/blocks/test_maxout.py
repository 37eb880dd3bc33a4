"""Pooling over channels."""

import numpy as np
import torch
from torch import nn

from export.blocks.maxout import Maxout
from tests.export.blocks import definitions
from tests.export.blocks.proof import check, computed, numbers, random_maps


def test_maxout_takes_the_largest_of_several_channels() -> None:
    """As its definition; the size stays."""
    front = nn.Conv2d(3, 6, 1)
    kernels, bias = numbers(front.weight), numbers(front.bias)
    check(
        nn.Sequential(front, Maxout(2)),
        lambda maps: definitions.maxout(definitions.cross_correlation(maps, kernels, bias=bias), 2),
        random_maps(2, 3, 5, 4),
    )
    assert Maxout(3)(torch.tensor([[1.0, 5, 2, -3, -1, -2]])).tolist() == [[5, -1]]


def test_it_does_not_tell_a_picture_from_a_turned_one_once_its_channels_know_both() -> None:
    """Detectors of an L that is turned by four angles: each gives another answer, the largest is the same."""
    corner = np.zeros((5, 5), np.float32)
    corner[:, 0] = corner[-1, :] = 1
    turned = np.array([np.rot90(corner, turn) for turn in range(4)])
    detectors = nn.Conv2d(1, 4, 5, bias=False)
    with torch.no_grad():
        detectors.weight[:, 0] = torch.from_numpy(turned)
    detected = computed(detectors, turned[:, None])[:, :, 0, 0]  # (picture, detector)
    assert len(set(map(tuple, detected.tolist()))) == 4
    pooled = computed(nn.Sequential(detectors, Maxout(4)), turned[:, None])[:, 0, 0, 0]
    assert pooled.tolist() == [9, 9, 9, 9]
