"""Fuzzes for some minutes: `python -m tests.fuzz --minutes 10 --seed 7`."""

import argparse
import logging
import tempfile
from pathlib import Path
from random import Random

from tests.fuzz.targets import ImageTarget, RequestTarget, fuzz

parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Feed damaged images and requests.")
parser.add_argument("--minutes", type=float, default=2.0, help="How long, half of it for each; 2 if not given.")
parser.add_argument("--seed", type=int, help="Of the cases; a random one if not given.")
chosen = parser.parse_args()
seed = Random().randrange(2**32) if chosen.seed is None else chosen.seed  # noqa: S311  (nothing is kept secret)
logging.disable()  # a line for each request
print(f"seed {seed}")  # noqa: T201
with tempfile.TemporaryDirectory() as folder:
    for target in (ImageTarget(seed), RequestTarget(seed, Path(folder))):
        tally = fuzz(target, seconds=30 * chosen.minutes)
        print(f"{type(target).__name__}: {tally}")  # noqa: T201
        if isinstance(target, RequestTarget):
            target.close()
