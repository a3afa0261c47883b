"""The README points at files that are there, and its test command is the one that CI runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_exist(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_commands_name_files_that_exist():
    text = (ROOT / "README.md").read_text()
    for name in re.findall(r"configs/[\w.-]+\.yaml|\b(?:train|evaluate)\.py", text):
        assert (ROOT / name).is_file()
    assert len(re.findall(r"^python3\.11 -m venv .*pytest$", text, re.MULTILINE)) == 1
