"""The three stages of a layer."""

import numpy as np
from torch import nn

from export.blocks.three_stages import ThreeStages
from service import graph
from tests import reach
from tests.export.blocks import definitions
from tests.export.blocks.proof import exported, numbers, random_maps


def test_each_stage_is_a_map_of_its_own() -> None:
    """Affine, detector and pooling, each as its definition of the one before it."""
    convolution = nn.Conv2d(3, 4, 3)
    made = exported(nn.Sequential(ThreeStages(convolution, nn.ReLU(), nn.MaxPool2d(2))), (3, 8, 8))
    paths = ["0.affine", "0.detector", "0.pooling"]
    assert [entry.path for entry in made.layers] == paths
    maps = random_maps(1, 3, 8, 8)
    cut = graph.cut(made.model, [entry.tensor for entry in made.layers])
    fetched = reach.session(cut).run({"images": maps})
    affine, detector, pooled = (fetched[entry.tensor][0] for entry in made.layers)
    kernels, bias = numbers(convolution.weight), numbers(convolution.bias)
    expected = definitions.cross_correlation(maps[0].astype(np.float64), kernels, bias=bias)
    np.testing.assert_allclose(affine, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(detector, definitions.each(lambda x: max(x, 0))(affine))
    np.testing.assert_array_equal(
        pooled, definitions.pooling(detector, lambda values: float(values.max()), (2, 2), stride=2)
    )
