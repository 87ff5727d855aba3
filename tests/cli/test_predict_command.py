"""`finetune predict` with texts and files."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.domain.errors import InvalidInput, NotFound
from tests.api_server import ApiServer
from tests.cli.test_remote_train import Worker, there, worker  # noqa: F401 - fixtures

TEXTS = ["I loved it", "never again, 太糟了"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path], repository: Path) -> Path:
    """A results directory with one finished run of a tiny model."""
    import yaml

    from app.runs.directory import create_run
    from tests.engine import trained

    run = create_run(tmp_path_factory.mktemp("predict") / "results", "tiny-001")
    config = {
        "experiment_name": "tiny",
        "model": {"name": str(tiny_model("bert"))},
        "data": {"train": str(repository / "examples" / "reviews_train.csv")},
        "training": {"max_steps": 2, "num_threads": 1, "device": "cpu", "precision": "fp32"},
    }
    run.config.write_text(yaml.safe_dump(config), encoding="utf-8")
    return trained(run).results_dir


@pytest.fixture
def predict(results: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run the command in this process; its output."""
    from app.settings import get_settings

    monkeypatch.setenv("RESULTS_DIR", str(results))
    get_settings.cache_clear()

    def go(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["predict", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return go


def test_json_gives_a_list_in_the_promised_shape(predict: Callable[..., str]) -> None:
    answers = json.loads(predict("--run", "tiny-001", "--json", *TEXTS))
    assert [set(a) for a in answers] == [{"label", "label_name", "probability", "scores"}] * 2


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_file_is_classified_row_by_row(suffix: str, predict: Callable[..., str], tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / f"out{suffix}"
    with source.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([n, t] for n, t in enumerate(TEXTS * 20))])
    predict("--file", str(source), "--out", str(out))
    if suffix == ".csv":
        rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    else:
        rows = pq.read_table(out).to_pylist()
    assert [row["text"] for row in rows] == TEXTS * 20
    assert {row["label_name"] for row in rows} <= {"negative", "positive"}


def test_a_text_of_a_million_characters_is_classified(predict: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "long.txt"
    source.write_text("word " * 200_000 + "\nshort one\n", encoding="utf-8")
    answers = json.loads(predict("--file", str(source), "--json"))
    assert len(answers) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to classify"),
        (["--out", "x.csv", "a text"], "--out goes with --file"),
        (["   "], "text 1 is empty"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], words: str, predict: Callable[..., str]) -> None:
    with pytest.raises(InvalidInput, match=words):
        predict(*arguments)


def test_an_unknown_output_format_is_refused_before_the_work(predict: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="no such format"):
        predict("--file", str(source), "--out", str(tmp_path / "out.xlsx"))


def test_an_unknown_run_names_the_nearest(predict: Callable[..., str]) -> None:
    with pytest.raises(NotFound) as caught:
        predict("--run", "tiny-01", "text")
    assert "tiny-001" in caught.value.hint


def test_a_text_with_brackets_is_shown_as_written(predict: Callable[..., str]) -> None:
    assert "the [/INST] is [red] :smile:" in predict("the [/INST] is [red] :smile:")


def test_a_text_file_of_sentences_is_classified_line_by_line(predict: Callable[..., str], tmp_path: Path) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    lines = [f"{'Good' if n % 2 else 'Bad'}, it was visit {n}" for n in range(30)]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    predict("--file", str(source), "--out", str(out))
    assert [json.loads(line)["text"] for line in out.read_text(encoding="utf-8").splitlines()] == lines


def test_a_file_with_columns_like_labels_asks_for_none(predict: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    rows = [f"it was visit {n},{'ab'[n % 2]},{n % 3}" for n in range(12)]
    source.write_text("text,category,rating\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert len(json.loads(predict("--file", str(source), "--json"))) == 12


def test_rows_without_a_text_are_named(predict: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,text\n1,I loved it\n2,\n3,  \n4,so so\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"in\.csv: rows 2, 3 have no text \(2 rows\)"):
        predict("--file", str(source))
    (tmp_path / "in.txt").write_text("one\n\nthree\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"in\.txt: row 2 has no text"):
        predict("--file", str(tmp_path / "in.txt"))


def test_a_file_without_texts_says_which_columns_there_are(predict: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("a,b,c\n1,2,3\n4,5,6\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="looks like texts") as caught:
        predict("--file", str(source))
    assert "--text-column is one of" in caught.value.hint


def test_a_file_that_exists_is_never_overwritten(predict: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text,label\nI loved it,good\nnever again,bad\n", encoding="utf-8")
    before = source.read_bytes()
    with pytest.raises(InvalidInput, match=r"in\.csv exists already"):
        predict("--file", str(source), "--out", str(source))
    assert source.read_bytes() == before


def test_texts_and_a_file_are_not_mixed(predict: Callable[..., str], tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("one\ntwo\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="texts or --file, not both"):
        predict("a text", "--file", str(source))


def test_a_text_that_is_not_utf8_is_named(predict: Callable[..., str]) -> None:
    with pytest.raises(InvalidInput, match="text 2 is not valid UTF-8"):
        predict("I loved it", b"caf\xe9".decode("utf-8", "surrogateescape"))


def test_a_file_is_classified_the_same_on_a_server(
    results: Path,
    finetune: Callable[..., Any],
    api_server: ApiServer,
    there: Callable[..., Any],  # noqa: F811
    worker: Worker,  # noqa: F811
    tmp_path: Path,
) -> None:
    finetune("experiments", "import", str(results / "tiny-001"))
    finetune("experiments", "assign", "tiny-001", "ada")
    source = tmp_path / "texts.csv"
    source.write_text('id,text\n1,I loved it\n2,再也不去\n3,"never, ever again"\n', encoding="utf-8")
    written = {}
    for place, run in (("here", finetune), ("there", there)):
        out = tmp_path / f"{place}.csv"
        answer = run("predict", "--file", str(source), "--out", str(out), "--run", "tiny")
        assert answer.status == 0, answer.err
        assert answer.err == f"3 predictions written to {out}\n"
        written[place] = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    for here, over_http in zip(written["here"], written["there"], strict=True):
        assert float(over_http.pop("probability")) == pytest.approx(float(here.pop("probability")), abs=1e-4)
        assert over_http == here
    answer = there("predict", "some words")
    assert answer.status == 2
    assert "a server classifies files" in answer.err
