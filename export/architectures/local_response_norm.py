"""Local response normalisation: a unit is held down by the units of its neighbouring channels at the same place.

Paper: A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet classification with deep convolutional neural networks",
    NIPS 2012, section 3.3
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.onnx.ops import symbolic

_SIZE: Final = 5
_ALPHA: Final = 1e-4
_BETA: Final = 0.75
_K: Final = 2.0


class LocalResponseNorm(nn.Module):
    """`b = a / (2 + 1e-4 * Σ a²)^0.75`; the sum runs over five channels, the unit's own in the middle.

    PyTorch and ONNX divide the sum by its length, the paper does not: 5e-4 is given to both.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise.

        Shape:
            maps (N, C, H, W) float32, and so the result.
        """
        if torch.onnx.is_in_onnx_export():
            # PyTorch would be exported as a pooling in three dimensions; ONNX has an operator.
            found: Tensor = symbolic(
                "LRN",
                (maps,),
                {"size": _SIZE, "alpha": _ALPHA * _SIZE, "beta": _BETA, "bias": _K},
                dtype=maps.dtype,
                shape=maps.shape,
            )
            return found
        return nn.functional.local_response_norm(maps, _SIZE, alpha=_ALPHA * _SIZE, beta=_BETA, k=_K)
