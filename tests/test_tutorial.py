"""The tutorial's commands, as they are printed, find and mend every planted mistake; its training is shorter here."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

WRONG_LABELS = {"The worst pancakes": "negative", "Terrible shoes": "negative", "I adore this lamp": "positive"}
GONE = ("Long queue, loud music", "garden centre", "We booked the canal boat", "這家店", "the guide was very funny")


def _commands(page: Path) -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def test_the_tutorial_finds_and_mends_every_planted_mistake(repository: Path, tmp_path: Path) -> None:
    english = _commands(repository / "examples" / "TUTORIAL.md")
    assert english == _commands(repository / "examples" / "TUTORIAL.zh-TW.md")
    (tmp_path / "examples").symlink_to(repository / "examples")
    environment = os.environ | {"PYTHONPATH": str(repository), "RESULTS_DIR": "results"}

    def run(words: list[str], typed: str = "") -> subprocess.CompletedProcess[str]:
        assert words[0] == ".venv/bin/finetune"
        command = [sys.executable, "-m", "app.cli", *words[1:]]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, input=typed, capture_output=True, text=True, check=False
        )

    said = []
    for words in english:
        typed = ""
        if "--review" in words:
            listed = json.loads(run([*words[:-1], "--json"]).stdout)["suspects"]
            answers = [any(one["text"].startswith(start) for start in WRONG_LABELS) for one in listed]
            assert sum(answers) == 3
            typed = "".join("r\n" if is_wrong else "k\n" for is_wrong in answers)
        done = run([*words, "--set", "training.max_steps=60"] if "train" in words else words, typed)
        blocks = "validate" in words
        assert done.returncode == (1 if blocks else 0), done.stdout + done.stderr
        said.append(done.stdout)
    assert "not ready for training: empty_text, missing_label, label_variant" in said[0]
    assert "stored as reviews@1" in said[3]
    assert "stored as reviews@2" in said[5]
    assert "3 relabelled" in said[6]

    run([".venv/bin/finetune", "data", "export", "reviews@2", "--out", "mended.jsonl"])
    lines = (tmp_path / "mended.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {row["text"]: row["label"] for row in map(json.loads, lines)}
    assert len(lines) == len(rows) == 29
    assert set(rows.values()) == {"positive", "negative"}
    for start, label in WRONG_LABELS.items():
        assert [rows[text] for text in rows if text.startswith(start)] == [label]
    content = "\n".join(rows)
    assert not any(part in content for part in (*GONE, "\ufffd", "â€™", "<p>", "&amp;", "@example.com"))
    report = json.loads(run([".venv/bin/finetune", "data", "validate", "mended.jsonl", "--json"]).stdout)
    assert report["ok"]
    assert [finding["code"] for finding in report["findings"]] == []
