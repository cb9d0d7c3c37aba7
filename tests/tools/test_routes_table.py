"""The tables of docs/routes.md are those that the routes declare, and a stale one is found."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The tool, on a copy of the document, and without the folder that it looks for sources in."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location(
        "it", ROOT / "tools" / "release" / "routes_table.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    copy = tmp_path / "routes.md"
    copy.write_text((ROOT / "docs" / "routes.md").read_text())
    monkeypatch.setattr(module, "DOCUMENT", copy)
    return module


@pytest.mark.parametrize("change", [("common_utils.hash_file", "x"), (" | other types |", " |")])
def test_a_stale_table_is_found_and_written(tool, change, monkeypatch, capsys):
    before = tool.DOCUMENT.read_text()
    tool.DOCUMENT.write_text(before.replace(*change))
    monkeypatch.setattr(sys, "argv", ["routes_table.py", "--check"])
    assert tool.main() == 1
    assert "run python tools/release/routes_table.py" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["routes_table.py"])
    assert tool.main() == 0
    assert tool.DOCUMENT.read_text() == before


def test_a_document_without_a_place_for_the_table(tool):
    with pytest.raises(ValueError, match="no single place"):
        tool.written("# The routes\n")
