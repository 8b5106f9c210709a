"""The blocks of the README and of the manual's first page run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "python/README.md", "docs/how-to/python.md"]


def first_block(page):
    found = re.search(r"^```python\n(import redline\n.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
    assert found, f"{page} has no block that begins with `import redline`"
    return found[1]


@pytest.mark.parametrize("page", PAGES)
def test_the_block_runs(page, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    exec(compile(first_block(page), page, "exec"), {})
    if page == "README.md":
        slope = float(capsys.readouterr().out.split()[0])
        assert 0 < slope < 0.2
        assert (tmp_path / "vector.gguf").stat().st_size > 0
