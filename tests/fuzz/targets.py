"""What is fed with bytes, and what may come of it: a valid answer, or an error that says what was wrong."""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final, get_args

from service.encoded_image import prepare_decoders
from service.engine import open_engine
from service.errors import ImageDecodeError, ImageTypeError, MalformedRequestError, RequestTooLargeError
from service.http.app import create_app
from service.image import decode
from service.settings import Decoding, Settings
from tests import tiny_models
from tests.asgi import Caller
from tests.fuzz.mutation import mutate
from tests.fuzz.seeds import Request, pictures, requests

MAX_PIXELS: Final = 1_000_000
MAX_SECONDS: Final = 5.0  # of one case, on a machine that does other things too; most take a millisecond
MAX_GROWTH: Final = 400_000_000  # bytes, for all cases: a picture of a million pixels takes some 20 million
_REFUSED: Final = (ImageTypeError, ImageDecodeError, MalformedRequestError, RequestTooLargeError)
_STATUSES: Final = frozenset((200, 304, 400, 401, 403, 404, 405, 406, 413, 415, 422))
_SPECS: Final = (
    tiny_models.image_input(channels=1, size=8),
    tiny_models.image_input(channels=3, size=30).model_copy(update={"interpolation": "bilinear"}),
)


class Found(Exception):  # noqa: N818  (it is what was looked for)
    """Something that must not happen."""


@dataclass
class Tally:
    """How cases went."""

    cases: int = 0
    answered: int = 0
    slowest: float = 0.0


class ImageTarget:
    """Decodes pictures that were changed."""

    def __init__(self, seed: int) -> None:
        prepare_decoders()
        self._random = Random(seed)  # noqa: S311  (the same cases at each run, and no secrets)
        self._seeds = tuple(pictures())

    def make(self) -> bytes:
        """The next case."""
        return mutate(self._random.choice(self._seeds), self._random, self._seeds)

    def run(self, case: bytes) -> bool:
        """Decode it both ways; whether it is a picture still."""
        spec = self._random.choice(_SPECS)
        try:
            for way in get_args(Decoding):
                pixels = decode(case, spec, max_pixels=MAX_PIXELS, decoding=way)
                if pixels.shape != (spec.height, spec.width, spec.channels):
                    raise Found(f"the shape is {pixels.shape}")
        except _REFUSED as error:
            if not str(error) or len(str(error)) > 1_000:
                raise Found(f"the message has {len(str(error))} characters") from error
            return False
        return True


class RequestTarget:
    """Sends requests that were changed to an application with a tiny network."""

    def __init__(self, seed: int, models: Path) -> None:
        tiny_models.publish(models)
        self._engine = open_engine(Settings(models=models, device="cpu", threads=1, max_body_bytes=300_000))
        self._engine.registry.load_all()
        self._caller = Caller(create_app(self._engine))
        self._random = Random(seed)  # noqa: S311  (the same cases at each run, and no secrets)
        self._seeds = tuple(requests())
        self._pieces = tuple(piece for seed in self._seeds for piece in (seed.body, seed.query) if piece)

    def close(self) -> None:
        """End the application."""
        self._caller.close()
        self._engine.close()

    def make(self) -> Request:
        """The next case: mostly one part of it is changed."""
        random, case = self._random, self._random.choice(self._seeds)
        parts = random.choices(
            ("body", "query", "path", "headers", "method"), (6, 4, 2, 2, 1), k=random.choice((1, 1, 2))
        )
        for part in parts:
            case = _CHANGES[part](case, self._change)
        return case

    def run(self, case: Request) -> bool:
        """Send it; whether it was answered with what it asked for."""
        status, body = self._caller(case.method, case.path, case.body, case.headers, case.query)
        if status not in _STATUSES:
            raise Found(f"status {status}: {body[:300]!r}")
        if status >= 400 and case.method != "HEAD":
            problem = json.loads(body)
            if not isinstance(problem.get("error" if case.path.startswith("/v2") else "detail"), str):
                raise Found(f"no message: {body[:300]!r}")
        return status < 400

    def _change(self, data: bytes) -> bytes:
        return mutate(data, self._random, self._pieces)


Changer = Callable[[bytes], bytes]


def _text(data: bytes) -> str:
    return data.decode("latin-1")


_CHANGES: Final[dict[str, Callable[[Request, Changer], Request]]] = {
    "body": lambda case, change: replace(case, body=change(case.body)),
    "query": lambda case, change: replace(case, query=change(case.query)),
    "path": lambda case, change: replace(case, path="/" + _text(change(case.path.encode()))),
    "headers": lambda case, change: replace(
        case, headers={name: _text(change(value.encode("latin-1"))) for name, value in case.headers.items()}
    ),
    "method": lambda case, change: replace(case, method=_text(change(case.method.encode())) or "GET"),
}


def fuzz(target: ImageTarget | RequestTarget, *, cases: int | None = None, seconds: float | None = None) -> Tally:
    """Run a number of cases, or for some seconds.

    Raises:
        Found: A case took too long, or all of them too much memory; or what else must not happen, with the case.
    """
    tally, start, before = Tally(), time.monotonic(), _peak_bytes()
    while (cases is None or tally.cases < cases) and (seconds is None or time.monotonic() - start < seconds):
        case = target.make()
        begun = time.process_time()
        try:
            tally.answered += target.run(case)  # type: ignore[arg-type]  # each makes what it runs
        except Exception as error:
            raise Found(f"case {tally.cases}, {type(error).__name__}: {error}; {case!r:.4000}") from error
        took = time.process_time() - begun
        tally.cases, tally.slowest = tally.cases + 1, max(tally.slowest, took)
        if took > MAX_SECONDS:
            raise Found(f"case {tally.cases} took {took:.1f} s: {case!r:.4000}")
    grown = _peak_bytes() - before
    if grown > MAX_GROWTH:
        raise Found(f"the memory has grown by {grown:,} bytes")
    return tally


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
