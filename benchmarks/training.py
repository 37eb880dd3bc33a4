"""What the training costs beside a bare PyTorch loop: images a second, and their ratio.

Both train the same network from the same weights on the same batches of random pictures, in turning order, in one
process; what is timed are the steps between the first batch of an epoch and its last one.  The bare loop is below:
forward, backward, a step of the optimiser and of its schedule, nothing else.

    bare     images a second in the bare loop, the median of all rounds
    ours     images a second of `export.training.fit`, the median of all rounds
    ratio    the median of the ratios of the rounds; the goal is 0.95
"""

import dataclasses
import statistics
import time
from typing import Annotated, Final

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cross_entropy

from export import training
from export.architectures import ARCHITECTURES
from export.data import Batches
from export.images import Images, Splits
from export.recipes import RECIPES, Recipe
from export.training import Surroundings

GOAL: Final = 0.95
# Of each recipe, so many that a round takes about a second on two cores: what else the machine does meets both alike.
BATCHES: Final = {"lenet5": 100, "resnet20-fashion": 8}


@dataclasses.dataclass(frozen=True)
class Timed(Images):
    """Pictures that note when each batch is taken."""

    times: list[float] = dataclasses.field(default_factory=list)

    def take(self, indices: Tensor) -> Images:
        """Some of the pictures."""
        self.times.append(time.perf_counter())
        return super().take(indices)

    def per_second(self, batch_size: int) -> float:
        """Images a second, from the first batch to the last one."""
        return batch_size * (len(self.times) - 1) / (self.times[-1] - self.times[0])


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each of both is timed.")] = 11,
    names: Annotated[list[str] | None, typer.Argument(help=f"Of: {', '.join(BATCHES)}.", metavar="RECIPE…")] = None,
) -> None:
    """Time both, and fail where the ratio is below the goal."""
    table = Table("recipe", "batches", "bare, images/s", "ours, images/s", "ratio", box=None)
    worst = 1.0
    for name in names or BATCHES:
        recipe = dataclasses.replace(RECIPES[name], epochs=1, precision="32-true")
        measure(recipe, batches=3)  # what runs for the first time is slower
        pairs = [measure(recipe, batches=BATCHES[name], ours_first=bool(turn % 2)) for turn in range(rounds)]
        ratio = statistics.median(ours / bare for bare, ours in pairs)
        bare, ours = (statistics.median(values) for values in zip(*pairs, strict=True))
        table.add_row(name, str(BATCHES[name]), f"{bare:,.0f}", f"{ours:,.0f}", f"{ratio:.3f}")
        worst = min(worst, ratio)
    Console().print(table)
    if worst < GOAL:
        raise typer.Exit(1)


def measure(recipe: Recipe, *, batches: int, ours_first: bool = False) -> tuple[float, float]:
    """Images a second, bare and ours."""
    first, second = (fit, bare_loop) if ours_first else (bare_loop, fit)
    one, other = first(recipe, pictures(recipe, batches)), second(recipe, pictures(recipe, batches))
    return (other, one) if ours_first else (one, other)


def pictures(recipe: Recipe, batches: int) -> Timed:
    """Random ones, the same each time."""
    random = torch.Generator().manual_seed(0)
    shape = (batches * recipe.batch_size, recipe.input.height, recipe.input.width, recipe.input.channels)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
    return Timed(pixels, torch.randint(0, 10, shape[:1], generator=random))


def bare_loop(recipe: Recipe, images: Timed) -> float:
    """Images a second of the shortest loop that does the same."""
    torch.manual_seed(recipe.seed)
    network = ARCHITECTURES[recipe.architecture].build()
    batches = Batches(images, recipe, learn=True)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=len(batches))
    for inputs, labels in batches:
        loss = cross_entropy(network(inputs), labels, label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return images.per_second(recipe.batch_size)


def fit(recipe: Recipe, images: Timed) -> float:
    """Images a second of the training that is published."""
    few = Images(images.pixels[: recipe.batch_size], images.labels[: recipe.batch_size])
    splits = Splits(images, few, few, tuple("0123456789"), "random")
    training.fit(recipe, splits, Surroundings(progress=False))
    return images.per_second(recipe.batch_size)


if __name__ == "__main__":
    typer.run(main)
