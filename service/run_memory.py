"""How much memory a run takes, told before it is tried."""

import math
from collections.abc import Iterator
from typing import Final

from onnx import ModelProto, NodeProto

from service import graph
from service.operators import Tensors

_MAPS: Final = 4  # axes: batch, channels, height, width


def bytes_at_once(model: ModelProto, tensors: Tensors, *, channel_block: int = 1) -> int:
    """The most bytes that tensors take at the same time, for one image; weights are not counted.

    A tensor is there from the node that computes it to the last one that reads it.  A size of which nothing is known
    counts as 1, so that this is what a run takes at least.

    Args:
        model: The graph.
        tensors: Their shapes and types.
        channel_block: What the channels of maps are filled up to a multiple of.
    """

    def size(name: str) -> int:
        shape = [each or 1 for each in tensors.shape(name) or ()]
        if len(shape) == _MAPS:
            shape[1] = -(-shape[1] // channel_block) * channel_block
        return math.prod(shape) * (tensors.element_bytes(name) or 1)

    kept = {value.name for value in model.graph.output}
    last = {name: i for i, node in enumerate(model.graph.node) for name in graph.reads(node)}
    here = {value.name: size(value.name) for value in graph.inputs(model)}
    now = most = sum(here.values())
    for i, node in enumerate(model.graph.node):
        made = {name: size(name) for name in node.output if name}
        now += sum(made.values())
        here |= made
        most = max(most, now + sum(map(size, _within(node))))
        for name in (*graph.reads(node), *made):
            if name in here and name not in kept and last.get(name, i) == i:
                now -= here.pop(name)
    return most


def _within(node: NodeProto) -> Iterator[str]:
    """The tensors of the branches and loop bodies of a node."""
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                yield from inner.output
                yield from _within(inner)
