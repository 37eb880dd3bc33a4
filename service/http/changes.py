"""Loading and unloading models while the service runs: here, or in every process of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from service.registry import Registry

Verb = Literal["load", "unload"]

# Returns when it is done everywhere; raises what `Registry.reload` and `Registry.unload` raise.
Change = Callable[[Verb, str], Awaitable[None]]


def changes_of(registry: Registry) -> Change:
    """The changes of one registry, in threads."""

    async def change(verb: Verb, model: str) -> None:
        await asyncio.to_thread(registry.reload if verb == "load" else registry.unload, model)

    return change
