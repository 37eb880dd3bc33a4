"""Everything proven in a row."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from torch import nn
from typer.testing import CliRunner

from export import conversion, proofs, stages
from export.architectures import ARCHITECTURES
from export.command_line import app
from export.conversion import Converted
from export.errors import ExportError
from export.proofs import Subject, Verdict
from export.recipes import UNTRAINED
from export.stages import Step
from export.verification import Parity


@contextmanager
def silent(what: str) -> Iterator[None]:
    """Tells nobody."""
    del what
    yield


def good(step: Step) -> tuple[int, tuple[Parity, ...]]:
    """Proves at once."""
    with step("Comparing"):
        return 61_706, (Parity("conv1", (6, 28, 28), 2e-7), Parity("fc3", (10,), 3e-6))


def broken(step: Step) -> tuple[int, tuple[Parity, ...]]:
    """Fails in a way that nobody thought of."""
    del step
    raise ZeroDivisionError


def test_every_architecture_is_proven() -> None:
    """With random weights, or with those that are written down; none is left out."""
    assert [subject.name for subject in proofs.subjects([])] == sorted(ARCHITECTURES)


def test_a_failure_of_whatever_kind_is_a_verdict() -> None:
    """The next ones are proven all the same."""
    verdict = proofs.prove(Subject("net", broken), silent)
    assert (verdict.name, verdict.parity, verdict.failure) == ("net", (), "ZeroDivisionError")


def test_the_table_tells_of_each() -> None:
    """Parameters, layers, the largest difference, and how it went; and the sums."""
    verdicts = [proofs.prove(Subject(name, prove), silent) for name, prove in (("lenet5/1", good), ("net", broken))]
    text = StringIO()
    Console(file=text, width=100).print(proofs.table(verdicts))
    rows = [line.split() for line in text.getvalue().splitlines() if line.strip(" ─")][1:]
    assert rows[1] == ["lenet5/1", "61,706", "2", "3.0e-06", "0.0", "passed"]
    assert rows[2] == ["net", "0.0", "failed"]
    assert rows[3] == ["2", "in", "all", "2", "0.0", "1", "passed"]


def test_nothing_of_the_table_is_cut_off_in_a_file() -> None:
    """There a line has 80 columns."""
    parity = tuple(Parity(f"layer{i}", (1,), 9.5e-2) for i in range(2_894))
    verdict = Verdict("resnet20-fashion-int8/1", 1234.5, 138_357_544, parity, None)
    text = StringIO()
    Console(file=text, width=80).print(proofs.table([verdict] * 29))
    assert "…" not in text.getvalue()


def test_an_architecture_is_drawn_converted_and_compared() -> None:
    """Nothing is published."""
    [lenet] = [subject for subject in proofs.subjects([]) if subject.name == "lenet5"]
    verdict = proofs.prove(lenet, silent)
    assert (verdict.failure, verdict.parameters, len(verdict.parity)) == (None, 61_706, 12)


def test_the_command_proves_versions_and_architectures_and_fails_where_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here one is converted wrongly: the table says so, and the error names its first layer that differs."""
    chosen = {name: UNTRAINED[name] for name in ("all_conv", "lenet5")}
    monkeypatch.setattr(proofs, "ARCHITECTURES", chosen)
    folder = stages.random(chosen["lenet5"], stages.Destination(tmp_path), name="net", seed=0, command="x", step=silent)
    result = CliRunner().invoke(app, ["verify", "--all", "--models", str(tmp_path)])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines() if "passed" in line] == [
        *("net/1", "all_conv", "lenet5"),
        "3",
    ]
    (folder / "model.onnx").write_bytes(b"nothing")
    honest = conversion.convert

    def wrong(network: nn.Module, *given: Any, **options: Any) -> Converted:  # noqa: ANN401  (passed on)
        copy = deepcopy(network)
        for name in ("conv2", "conv3"):
            if (layer := getattr(copy, name, None)) is not None:
                layer.bias.data += 1
        return honest(copy, *given, **options)

    monkeypatch.setattr(conversion, "convert", wrong)
    with pytest.raises(ExportError) as caught:
        CliRunner().invoke(app, ["verify", "--all", "--models", str(tmp_path)], catch_exceptions=False)
    text = str(caught.value)
    assert text.startswith("3 of 3 failed\nnet/1: ")
    assert text.count("the first: conv2 at batch 1 differs by") == 2
