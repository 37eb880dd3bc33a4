"""Convolution as a product with a sparse matrix."""

import numpy as np
import torch

from export.blocks.sparse_matrix import SparseMatrixProduct
from tests.export.blocks import definitions
from tests.export.blocks.proof import check, computed, random_maps


def test_the_product_is_the_convolution() -> None:
    """As its definition."""
    kernel = random_maps(2, 3, seed=1)
    check(
        SparseMatrixProduct(torch.from_numpy(kernel), (5, 6)),
        lambda maps: definitions.cross_correlation(maps, kernel[None, None].astype(np.float64)),
        random_maps(3, 1, 5, 6),
    )


def test_the_matrix_is_mostly_zeros_and_its_rows_repeat_the_kernel() -> None:
    """A row for each unit, shifted by one from the one before."""
    matrix = SparseMatrixProduct(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), (3, 3)).dense()
    assert matrix.tolist() == [
        [1, 2, 0, 3, 4, 0, 0, 0, 0],
        [0, 1, 2, 0, 3, 4, 0, 0, 0],
        [0, 0, 0, 1, 2, 0, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]


def test_the_edge_example_has_178640_entries() -> None:
    """320x280 pixels, each minus its left neighbour: a matrix of 8 thousand million numbers, nearly all of them 0."""
    product = SparseMatrixProduct(torch.tensor([[-1.0, 1.0]]), (280, 320))
    assert product.entries.numel() == 178_640
    assert len(product.entries) * 280 * 320 == 8_003_072_000
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, 280, 320)).astype(np.float32)
    edges = computed(product, picture)
    np.testing.assert_array_equal(edges[0, 0], picture[0, 0, :, 1:] - picture[0, 0, :, :-1])
