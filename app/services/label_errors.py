"""Labels that are probably wrong in a file or stored version: find them, and write down what a person decided."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.data import catalogue, cleaning, label_review, personal_data, stored, versioning
from app.data.chunks import Example
from app.data.findings import BLOCKING, FATAL, Rules
from app.data.label_errors import STRONG_ODDS, LabelProbabilities, suspects
from app.data.label_review import Labelled
from app.data.labels import label_order
from app.data.out_of_fold import out_of_fold
from app.data.prepare import raise_if_blocked
from app.data.progress import report
from app.data.store_files import store_lock
from app.data.validation import validate
from app.domain.data_report import DataReport
from app.domain.data_version import NamedVersion, Origin
from app.domain.errors import DataUnreadable, InvalidInput, ModelUnusable
from app.domain.label_doubts import LabelDoubts, Review, SuspectedLabel
from app.domain.train_config import DataConfig
from app.domain.wording import say
from app.runs.directory import RunDirectory, choose_run
from app.runs.files import read_json, storage_errors
from app.services import data_sets
from app.services.embeddings import embed
from app.services.profiles import DEFAULT_BASE_MODEL, NO_BASE_MODEL, as_stored, can_read, profile_checked
from app.services.reporting_child import run_reporting, write_texts
from app.services.training import base_tokenizer

MAX_EMBEDDED = 50_000
"""Rows up to which an encoder is asked unless it is named: at some hundred texts a second, about two minutes."""

Floats = NDArray[np.float64]
Embeddings = NDArray[np.float32]


def find(
    labelled: Labelled, results_dir: Path, *, run: str | None = None, base_model: str | None = None
) -> LabelDoubts:
    """Suspects among the rows, by cross-validation or by what a finished run says.

    `base_model` is the frozen encoder beside TF-IDF: a name, "none", or None for the default where it can read the
    texts and they are not too many. With a `run`, cross-validation counts only for rows it was trained on: there it has
    learnt the wrong labels too. Raises DataUnreadable where there are fewer than two labels, InvalidInput where the run
    knows none of them, ModelUnusable where the encoder or the run cannot be used.
    """
    names = label_order(labelled.labels)
    if len(names) < 2:
        raise DataUnreadable(
            say("{source} has fewer than two labels", source=labelled.source),
            hint=say("finetune data validate {source}", source=labelled.source),
        )
    learnt = np.zeros(len(labelled.texts), bool)
    if run is None:
        evidence, probabilities = _by_cross_validation(labelled, names, results_dir, base_model)
    else:
        evidence, probabilities, names, learnt = _by_run(labelled, names, results_dir, run, base_model)
    given = _ids(labelled, names)
    found = [
        SuspectedLabel(
            row=labelled.numbers[one.row],
            given=names[one.given],
            suggested=names[one.suggested],
            confidence=one.confidence,
            given_probability=one.score,
            strong=one.odds <= STRONG_ODDS,
            learnt=bool(learnt[one.row]),
            text=labelled.texts[one.row],
        )
        for one in suspects(given, probabilities, len(names))
    ]
    return LabelDoubts(
        source=labelled.source,
        sha256=labelled.sha256,
        rows=len(labelled.texts),
        judged=int(probabilities.judged.sum()),
        evidence=evidence,
        labels=label_order(labelled.labels),
        suspects=found,
    )


def masked(doubts: LabelDoubts) -> LabelDoubts:
    """The same with personal data in the texts masked, as in every finding."""
    found = [one.model_copy(update={"text": personal_data.mask(one.text)}) for one in doubts.suspects]
    return doubts.model_copy(update={"suspects": found})


def _ids(labelled: Labelled, names: list[str]) -> NDArray[np.int64]:
    ids = {name: number for number, name in enumerate(names)}
    return np.array([ids[label] for label in labelled.labels], np.int64)


def _by_cross_validation(
    labelled: Labelled, names: list[str], results_dir: Path, base_model: str | None
) -> tuple[str, LabelProbabilities]:
    embeddings = _embeddings(labelled, results_dir, base_model)
    evidence = "cross-validation on TF-IDF"
    if embeddings is not None:
        evidence += f" and embeddings of {base_model or DEFAULT_BASE_MODEL}"
    return evidence, out_of_fold(labelled.texts, _ids(labelled, names), len(names), embeddings)


def _embeddings(labelled: Labelled, results_dir: Path, base_model: str | None) -> Embeddings | None:
    """None where no encoder is to be asked, or the default one cannot help."""
    if base_model == NO_BASE_MODEL or (base_model is None and len(labelled.texts) > MAX_EMBEDDED):
        return None
    name = base_model or DEFAULT_BASE_MODEL
    try:
        tokenizer = base_tokenizer(name)
        if base_model is None and (tokenizer is None or not can_read(tokenizer, labelled.texts)):
            return None
    except ModelUnusable:
        if base_model is not None:
            raise
        return None
    return embed(labelled.texts, name, results_dir, _told("embeddings"))


def _told(what: str) -> Callable[[int, int], None]:
    return lambda done, total: report(what, done, total)


def _by_run(
    labelled: Labelled, names: list[str], results_dir: Path, run_name: str, base_model: str | None
) -> tuple[str, LabelProbabilities, list[str], NDArray[np.bool_]]:
    """What a run says; the labels are its own, then those it does not know, whose rows cannot be judged."""
    run = choose_run(results_dir, run_name)
    identity = DataReport.model_validate(read_json(run.data_report)).identity
    if not set(identity.labels) & set(names):
        raise InvalidInput(
            say("run {name!r} knows none of the labels of {source}", name=run.name, source=labelled.source),
            hint=say(
                "it knows {labels}; the rows have {names}",
                labels=", ".join(identity.labels[:5]),
                names=", ".join(names[:5]),
            ),
        )
    all_names = [*identity.labels, *(name for name in names if name not in set(identity.labels))]
    given = _ids(labelled, all_names)
    scores_NC = np.zeros((len(given), len(all_names)))
    scores_NC[:, : len(identity.labels)] = _scores(labelled, run, results_dir)
    trained_on = {
        label_review.key(row.text, row.label)
        for row in versioning.load(identity.version, results_dir)
        if row.split == "train"
    }
    learnt = np.array(
        [label_review.key(t, y) in trained_on for t, y in zip(labelled.texts, labelled.labels, strict=True)]
    )
    evidence = f"the answers of run {run.name}"
    if learnt.any():
        evidence += f"; on the {learnt.sum():,} rows it was trained on, cross-validation as well"
        embeddings = _embeddings(labelled, results_dir, base_model)
        crossed = out_of_fold(labelled.texts, given, len(all_names), embeddings)
        _multiply(scores_NC, crossed, learnt)
    scores_NC[given >= len(identity.labels)] = np.nan
    return evidence, LabelProbabilities.of(given, scores_NC), all_names, learnt


def _multiply(scores_NC: Floats, crossed: LabelProbabilities, where_N: NDArray[np.bool_]) -> None:
    """Put the geometric mean of both in place of the scores of these rows, where cross-validation judged them."""
    rows = np.flatnonzero(where_N & crossed.judged)
    other_NC = np.zeros((len(rows), scores_NC.shape[1]))
    np.put_along_axis(other_NC, crossed.labels[rows], crossed.probs[rows], axis=1)
    means_NC = np.sqrt((scores_NC[rows] + 1e-6) * (other_NC + 1e-6))
    scores_NC[rows] = means_NC / means_NC.sum(axis=1, keepdims=True)


def _scores(labelled: Labelled, run: RunDirectory, results_dir: Path) -> Floats:
    cache = results_dir / "cache"
    with storage_errors(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="scores-", dir=cache) as folder:
            source, out = write_texts(labelled.texts, Path(folder) / "texts.jsonl"), Path(folder) / "scores.npy"
            command = ["-m", "app.serving.score_texts", str(source), str(out), str(run.path)]
            run_reporting(command, _told(f"answers of {run.name}"), otherwise=f"run {run.name} could not be used")
            found: Floats = np.load(out).astype(np.float64)
    return found


def write_file(labelled: Labelled, review: Review, out: Path) -> Path:
    """Write the rows after the decisions to a new file; the changes are listed beside it, at the path returned."""
    rows = label_review.reviewed_rows(labelled.rows, review.decisions)
    cells = dict(zip(rows.numbers, zip(rows.texts, rows.labels, strict=True), strict=True))
    return cleaning.write(cleaning.Cleaned(rows, cells, label_review.changes(labelled, review.decisions)), out)


def write_version(
    labelled: Labelled, review: Review, results_dir: Path, name: str | None, allow: Sequence[str] = ()
) -> tuple[NamedVersion, bool]:
    """Store the rows after the decisions as a version; False with the one there is already for this content.

    `allow` are codes of findings that shall not block, beside those that were allowed when a stored version was added.

    Of a stored version it is the next of its name, every row in the split it had; of a file, the next of `name`, by
    default the file's. DataBlocked where a finding blocks: nothing is stored then, and the decisions are kept.
    """
    rows = label_review.reviewed_rows(labelled.rows, review.decisions)
    if labelled.entry is None:
        checked = {"train": validate(rows, Rules.of(allow, []), to_split=True)}
        data = DataConfig(train=labelled.source, allow=list(allow))
        entry, is_new = data_sets.add(
            results_dir, name or default_name(labelled.source), data, seed=42, checked=checked
        )
    else:
        entry, is_new = _next_version(labelled, labelled.entry, review, results_dir, name, allow)
    label_review.write_review(
        results_dir,
        entry.version,
        Review(source=str(entry), decisions=label_review.carried_over(review.decisions, labelled)),
    )
    return entry, is_new


def _allowed_before(origin: Origin) -> set[str]:
    """Codes that block and did not, so they were allowed when the version was added."""
    findings = [one for report in origin.reports.values() for one in report.findings]
    return {one.code for one in findings if one.severity == "warning" and one.code in BLOCKING - FATAL}


def default_name(source: str) -> str:
    """A data set's name made of a file's."""
    stem = Path(source).name.split(".")[0]
    name = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in stem).strip("._-")
    return name or "reviewed"


def _next_version(
    labelled: Labelled, entry: NamedVersion, review: Review, results_dir: Path, name: str | None, allow: Sequence[str]
) -> tuple[NamedVersion, bool]:
    examples = [
        Example(split, text, new)
        for split, text, label in zip(labelled.splits or (), labelled.texts, labelled.labels, strict=True)
        if (new := label_review.outcome(review.decisions, text, label)) is not None
    ]
    origin = versioning.read_manifest(entry.version, results_dir).origin
    training = ("train", "eval") if origin.split_seed is not None else ("train",)
    given = [row for row in examples if row.split in training]
    rules = Rules.of({*allow, *_allowed_before(origin)}, [])
    checked = validate(stored.as_rows(str(entry), "", given), rules)
    raise_if_blocked({"train": checked.report})
    origin = origin.model_copy(
        update={
            "reports": {**origin.reports, "train": checked.report},
            "profile": as_stored(profile_checked(checked)),
        }
    )
    before = catalogue.entries(results_dir, name or entry.name)
    with store_lock(results_dir):
        version = versioning.store_in_lock(examples, results_dir, origin)
        found = catalogue.add(results_dir, name or entry.name, version, entry.version)
    return found, found.number not in {known.number for known in before}
