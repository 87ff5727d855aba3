"""`finetune data profile` on a real file."""

import json
from pathlib import Path

from typer.testing import CliRunner

from app.cli.data import app


def test_profile_as_json_counts_the_two_to_one_labels_of_the_chinese_reviews(assets: Path) -> None:
    file = assets / "data" / "zh_waimai_10k" / "waimai_10k.csv"
    result = CliRunner().invoke(app, ["profile", str(file), "--json"])
    found = json.loads(result.stdout)
    assert {c["label"]: c["rows"] for c in found["classes"]} == {"0": 7987, "1": 4000}
    assert found["characters"]["max"] == 463


def test_profile_prints_control_characters_of_labels_escaped(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [{"text": f"text {n}", "label": "a\x1b[31m" if n % 2 else "b"} for n in range(20)]
    file.write_text("\n".join(map(json.dumps, rows)))
    result = CliRunner().invoke(app, ["profile", str(file)])
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "x1b" in result.stdout
