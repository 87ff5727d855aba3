"""What is known of a model from its logits on labelled rows: scores, intervals, calibration, slices, mistakes.

No model, no torch, no files: the engine computes logits, `report.py` draws. Shape suffixes: N rows, C labels.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.domain.errors import TrainingFailed
from app.runs.analysis import RunAnalysis
from app.train.calibration import calibrate
from app.train.evaluation import Evaluation, LabelScore, Measurements, Mistake
from app.train.headline import make_headline
from app.train.intervals import bootstrap
from app.train.metrics import Floats, Integers, confusion_matrix, log_softmax, ratio, score
from app.train.slices import make_slices

MAX_MISTAKES = 20
COLLAPSED_SHARE = 0.98
COLLAPSED_RECALL = 0.1


def _per_label(matrix: npt.NDArray[np.int64], labels: Sequence[str]) -> list[LabelScore]:
    hits, given, predicted = (v.astype(np.float64) for v in (matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)))
    precision, recall, f1 = ratio(hits, predicted), ratio(hits, given), ratio(2 * hits, given + predicted)
    return [
        LabelScore(
            label=name,
            precision=float(precision[k]),
            recall=float(recall[k]),
            f1=float(f1[k]),
            support=int(given[k]),
            predicted=int(predicted[k]),
        )
        for k, name in enumerate(labels)
    ]


def _has_collapsed(matrix: npt.NDArray[np.int64]) -> bool:
    """Nearly every row gets one label, and of the rows that bear another label nearly none is recognised."""
    top = int(matrix.sum(axis=0).argmax())
    others = np.arange(len(matrix)) != top
    num_others = int(matrix[others].sum())
    if num_others == 0 or matrix[:, top].sum() < COLLAPSED_SHARE * matrix.sum():
        return False
    return bool(matrix.diagonal()[others].sum() < COLLAPSED_RECALL * num_others)


def _most_confident_mistakes(
    texts: Sequence[str], label_ids_N: Integers, probabilities_NC: Floats, labels: Sequence[str]
) -> list[Mistake]:
    predicted_N, confidence_N = probabilities_NC.argmax(axis=1), probabilities_NC.max(axis=1)
    wrong = np.flatnonzero(predicted_N != label_ids_N)
    worst = wrong[np.argsort(-confidence_N[wrong], kind="stable")][:MAX_MISTAKES]
    return [
        Mistake(
            row=row + 1,
            text=texts[row],
            label=labels[int(label_ids_N[row])],
            predicted=labels[int(predicted_N[row])],
            probability=float(confidence_N[row]),
        )
        for row in worst.tolist()
    ]


def _check(logits_NC: Floats, label_ids_N: Integers, texts: Sequence[str], labels: Sequence[str]) -> None:
    if logits_NC.shape != (len(texts), len(labels)) or len(texts) != len(label_ids_N) or not len(texts):
        raise ValueError(
            f"{logits_NC.shape} logits, {len(label_ids_N)} label ids, {len(texts)} texts and {len(labels)} labels"
            " do not belong together"
        )
    broken = np.flatnonzero(~np.isfinite(logits_NC).all(axis=1))
    if len(broken):
        raise TrainingFailed(
            f"the model's output is not a number on {len(broken)} of {len(texts)} rows, first on row {broken[0] + 1}",
            hint="lower training.learning_rate, or set training.precision to fp32",
        )


def _measure(
    logits_NC: Floats, label_ids_N: Integers, texts: Sequence[str], labels: list[str], seed: int
) -> Measurements:
    scores = score(logits_NC, label_ids_N)
    predicted_N = logits_NC.argmax(axis=1)
    matrix = confusion_matrix(label_ids_N, predicted_N, len(labels))
    intervals = bootstrap(matrix, seed)
    given_C = matrix.sum(axis=1)
    majority = int(given_C.argmax())
    baseline = float(given_C[majority] / len(texts))
    return Measurements(
        rows=len(texts),
        labels=labels,
        accuracy=scores["accuracy"],
        accuracy_ci95=intervals.accuracy,
        macro_f1=scores["macro_f1"],
        macro_f1_ci95=intervals.macro_f1,
        weighted_f1=scores["weighted_f1"],
        loss=scores["loss"],
        majority_label=labels[majority],
        majority_baseline=baseline,
        gain=scores["accuracy"] - baseline,
        gain_ci95=intervals.gain,
        per_label=_per_label(matrix, labels),
        confusion=matrix.tolist(),
        calibration=calibrate(logits_NC, label_ids_N),
        slices=make_slices(texts, label_ids_N, labels, predicted_N == label_ids_N),
        mistakes=_most_confident_mistakes(texts, label_ids_N, np.exp(log_softmax(logits_NC)), labels),
        collapsed=_has_collapsed(matrix),
    )


def evaluate(
    logits_NC: Floats,
    label_ids_N: Integers,
    texts: Sequence[str],
    labels: list[str],
    seed: int,
    analysis: RunAnalysis | None = None,
) -> Evaluation:
    """Measure everything on at least one row; equal arguments give equal results.

    Logits as the model gives them, label ids from 0 in the order of `labels`, `seed` for the bootstrap; with the
    analysis of the run the headline also sees over-fitting. Raises TrainingFailed when a logit is not finite.
    """
    logits_NC, label_ids_N = np.asarray(logits_NC), np.asarray(label_ids_N)
    _check(logits_NC, label_ids_N, texts, labels)
    found = _measure(logits_NC, label_ids_N, texts, labels, seed)
    return Evaluation(**dict(found), headline=make_headline(found, analysis))
