"""Measurements -> the one sentence on top of the report: rules, no numbers of its own making."""

from app.runs.analysis import RunAnalysis
from app.train.evaluation import Headline, Measurements
from app.train.slices import Slice

FEW_ROWS = 200
MAX_NAME = 60
LAST_GAIN = 0.01
NOTABLE_ECE = 0.05
NOTABLE_TEMPERATURE = 1.1


def _quote(label: str) -> str:
    return f"“{label if len(label) <= MAX_NAME else label[: MAX_NAME - 1] + '…'}”"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _verdict(found: Measurements) -> str:
    interval = f"95 % interval [{_points(found.gain_ci95.low)}, {_points(found.gain_ci95.high)}]"
    guess = f"always guessing {_quote(found.majority_label)}"
    if found.majority_baseline == 1:
        return (
            f"every row here is labelled {_quote(found.majority_label)}, so nothing is shown about telling labels apart"
        )
    if found.gain_ci95.low > 0:
        return f"better than {guess} by {_points(found.gain)} points, {interval}"
    if found.gain_ci95.high < 0:
        return f"worse than {guess} by {_points(-found.gain)} points, {interval} of the gain"
    return f"not shown to be better than {guess}: {100 * found.gain:+.1f} points, {interval}"


def find_weakest(found: Measurements) -> Slice | None:
    """The group of rows most surely worse than the whole: lowest upper end of its interval, below the accuracy.

    The upper end, so that three unlucky rows do not beat three hundred bad ones.
    """
    kinds = [group.kind for group in found.slices]
    candidates = [group for group in found.slices if kinds.count(group.kind) > 1]
    if not candidates:
        return None
    weakest = min(candidates, key=lambda group: (group.accuracy_ci95.high, group.accuracy))
    return weakest if weakest.accuracy_ci95.high < found.accuracy else None


def _describe(group: Slice | None) -> str:
    if group is None:
        return "no label, length or language stands out as worse"
    what = {
        "label": f"label {_quote(group.name)}",
        "length": f"texts of {group.name}",
        "language": f"{group.name} texts",
    }
    return f"worst on {what[group.kind]} ({_percent(group.accuracy)} of {group.rows} rows right)"


def _suggest_when_useless(found: Measurements) -> str | None:
    if found.majority_baseline == 1:
        return "evaluate on rows of every label"
    if found.collapsed:
        top = max(found.per_label, key=lambda label: label.predicted)
        return (
            f"it answers {_quote(top.label)} to nearly everything; lower training.learning_rate to a third,"
            " or set training.label_weights to balanced"
        )
    if found.gain_ci95.low > 0:
        return None
    if found.rows < FEW_ROWS:
        return f"evaluate on more rows: {found.rows} are too few to tell"
    return "check the labels, then add training rows or epochs"


def _still_learning(analysis: RunAnalysis) -> bool:
    """Whether the last evaluation was the best by more than a point."""
    scores = [point.metrics[analysis.metric] for point in analysis.evaluations if analysis.metric in point.metrics]
    return analysis.metric != "loss" and len(scores) > 1 and scores[-1] > max(scores[:-1]) + LAST_GAIN


def _suggest(found: Measurements, weakest: Slice | None, analysis: RunAnalysis | None) -> str:
    useless = _suggest_when_useless(found)
    if useless:
        return useless
    if analysis and analysis.overfitting and analysis.best_step != analysis.evaluations[-1].step:
        return f"train fewer epochs: the evaluation loss rose after step {analysis.overfitting.step}"
    if analysis and _still_learning(analysis):
        return f"train more epochs: {analysis.metric.replace('_', ' ')} was still rising at the last evaluation"
    unheard = [label.label for label in found.per_label if label.support and not label.predicted]
    if unheard:
        return (
            f"it never answers {_quote(unheard[0])}; add training rows of it, or set training.label_weights to balanced"
        )
    present = sum(label.support > 0 for label in found.per_label)
    if weakest and weakest.kind == "label" and weakest.rows < found.rows / present / 2:
        return (
            f"add training rows labelled {_quote(weakest.name)}: only {weakest.rows} of {found.rows} rows here have it"
        )
    calibration = found.calibration
    if calibration.ece > NOTABLE_ECE and calibration.temperature > NOTABLE_TEMPERATURE:
        return (
            f"it is too sure of itself; divide logits by the temperature {calibration.temperature:.2f}"
            " before trusting a probability"
        )
    if not found.mistakes:
        return "nothing is wrong on these rows; try harder or newer texts"
    return "read the most confident mistakes: rows with a wrong label show up there first"


def make_headline(found: Measurements, analysis: RunAnalysis | None = None) -> Headline:
    """Draw the conclusion; with the run's analysis it also sees over-fitting."""
    weakest = find_weakest(found)
    return Headline(verdict=_verdict(found), weakest=_describe(weakest), next=_suggest(found, weakest, analysis))
