"""The page of settings is that of the settings there are."""

from pathlib import Path

from service.command_line.settings import page
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    """It is what the command prints."""
    advice = "docs/settings.md is out of date: run `make settings` (or `python -m service settings > docs/settings.md`)"
    assert (ROOT / "docs" / "settings.md").read_text() == page(), advice


def test_every_setting_is_on_it() -> None:
    """Under some heading."""
    sections = page().split("\n## ")[1:]
    for name in Settings.model_fields:
        assert sum(f"\n| `{name}`<br>" in section for section in sections) == 1
