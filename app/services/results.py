"""What a finished run says about itself, in one sentence and a few rows: read from its files."""

from typing import Any

from app.domain.errors import PlatformError
from app.runs.directory import RunDirectory
from app.runs.files import read_json
from app.runs.receipt import read_receipt


def result_sentence(run: RunDirectory) -> str:
    """How good the run is, against always guessing the most frequent label."""
    metrics = read_json(run.metrics)
    scores = metrics.get("test") or metrics["eval"]
    if scores.get("headline"):
        return str(scores["headline"])
    gain = 100 * (scores["accuracy"] - scores["majority_baseline"])
    low, high = scores["accuracy_ci95"]
    return (
        f"{100 * scores['accuracy']:.1f} % of the rows are right (95 % interval {100 * low:.1f} to "
        f"{100 * high:.1f}), {abs(gain):.1f} points {'more' if gain >= 0 else 'less'} than always guessing"
    )


def result_rows(run: RunDirectory) -> list[tuple[str, str]]:
    """Names and values of what a person wants to know first."""
    metrics = read_json(run.metrics)
    rows = []
    for split, title in (("eval", "evaluation"), ("test", "test")):
        if scores := metrics.get(split):
            low, high = scores["accuracy_ci95"]
            rows += [
                (f"{title} accuracy", f"{100 * scores['accuracy']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"),
                (f"{title} macro F1", f"{100 * scores['macro_f1']:.1f} %"),
                (f"{title} baseline", f"{100 * scores['majority_baseline']:.1f} % (always the most frequent label)"),
            ]
    train = metrics.get("train") or {}
    rows += [
        ("runtime", f"{train.get('runtime_seconds', 0.0):.1f} s, {train.get('steps', 0)} steps"),
        ("speed", f"{train.get('samples_per_second', 0.0):.1f} samples/s, {_tokens(train)} tokens/s"),
        ("proof", _proof(run)),
    ]
    return rows


def _tokens(train: dict[str, Any]) -> str:
    return f"{train.get('tokens_per_second', 0.0):,.0f}"


def _proof(run: RunDirectory) -> str:
    try:
        proof = read_receipt(run).proof
    except PlatformError as error:
        return error.message
    return (
        f"{'passed' if proof.passed else 'FAILED'}: {100 * proof.label_agreement:.2f} % equal labels over {proof.rows} "
        f"rows, largest logit difference {proof.max_abs_logit_diff:.1e}"
    )
