"""What the README says is true."""

import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def tracked() -> set[str]:
    """The first part of the path of every file of the project."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return {line.split("/")[0] for line in listed.stdout.splitlines()}


def test_the_tree_is_the_tree() -> None:
    """It shows every folder and file at the top, but for hidden ones and itself."""
    tree = README.split("## What is where")[1].split("\n\n")[1]
    shown = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    assert shown == {name for name in tracked() if not name.startswith(".")} - {"README.md"}


def test_every_link_leads_somewhere() -> None:
    """To a file of the project."""
    links = re.findall(r"\]\((?!http)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_models_are_those_that_are_shipped() -> None:
    """With the accuracies or other figures that their metadata give, where they give any."""
    for path in (ROOT / "models").glob("*/*/metadata.json"):
        facts = json.loads(path.read_text())
        (row,) = (line for line in README.splitlines() if line.startswith(f"| [{facts['name']}]"))
        for figure in (facts["measured"] or facts["reported"])[:1]:
            value = f"{100 * figure['value']:.4g} %" if "accuracy" in figure["metric"] else f"{figure['value']:.4g}"
            assert value in row
