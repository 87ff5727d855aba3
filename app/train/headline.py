"""Measurements -> the one sentence on top of the report: rules, no numbers of its own making."""

from app.domain.wording import say
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


def _verdict(found: Measurements) -> str:
    numbers = {
        "label": _quote(found.majority_label),
        "points": 100 * found.gain,
        "low": 100 * found.gain_ci95.low,
        "high": 100 * found.gain_ci95.high,
    }
    if found.majority_baseline == 1:
        return say(
            "every row here is labelled {label}, so nothing is shown about telling labels apart", label=numbers["label"]
        )
    if found.gain_ci95.low > 0:
        return say(
            "better than always guessing {label} by {points:.1f} points, 95 % interval [{low:.1f}, {high:.1f}]",
            **numbers,
        )
    if found.gain_ci95.high < 0:
        return say(
            "worse than always guessing {label} by {points:.1f} points, 95 % interval [{low:.1f}, {high:.1f}] of the "
            "gain",
            **numbers | {"points": -100 * found.gain},
        )
    return say(
        "not shown to be better than always guessing {label}: {points:+.1f} points, "
        "95 % interval [{low:.1f}, {high:.1f}]",
        **numbers,
    )


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
        return say("no label, length or language stands out as worse")
    what = {
        "label": say("label {name}", name=_quote(group.name)),
        "length": say("texts of {name}", name=group.told("name")),
        "language": say("{name} texts", name=group.told("name")),
    }
    return say(
        "worst on {what} ({share} of {rows} rows right)",
        what=what[group.kind],
        share=_percent(group.accuracy),
        rows=group.rows,
    )


def _suggest_when_useless(found: Measurements) -> str | None:
    if found.majority_baseline == 1:
        return say("evaluate on rows of every label")
    if found.collapsed:
        top = max(found.per_label, key=lambda label: label.predicted)
        return say(
            "it answers {label} to nearly everything; lower training.learning_rate to a third, or set "
            "training.label_weights to balanced",
            label=_quote(top.label),
        )
    if found.gain_ci95.low > 0:
        return None
    if found.rows < FEW_ROWS:
        return say("evaluate on more rows: {rows} are too few to tell", rows=found.rows)
    return say("check the labels, then add training rows or epochs")


def _still_learning(analysis: RunAnalysis) -> bool:
    """Whether the last evaluation was the best by more than a point."""
    scores = [point.metrics[analysis.metric] for point in analysis.evaluations if analysis.metric in point.metrics]
    return analysis.metric != "loss" and len(scores) > 1 and scores[-1] > max(scores[:-1]) + LAST_GAIN


def _suggest(found: Measurements, weakest: Slice | None, analysis: RunAnalysis | None) -> str:
    useless = _suggest_when_useless(found)
    if useless:
        return useless
    if analysis and analysis.overfitting and analysis.best_step != analysis.evaluations[-1].step:
        return say("train fewer epochs: the evaluation loss rose after step {step}", step=analysis.overfitting.step)
    if analysis and _still_learning(analysis):
        return say(
            "train more epochs: {metric} was still rising at the last evaluation",
            metric=analysis.metric.replace("_", " "),
        )
    unheard = [label.label for label in found.per_label if label.support and not label.predicted]
    if unheard:
        return say(
            "it never answers {label}; add training rows of it, or set training.label_weights to balanced",
            label=_quote(unheard[0]),
        )
    present = sum(label.support > 0 for label in found.per_label)
    if weakest and weakest.kind == "label" and weakest.rows < found.rows / present / 2:
        return say(
            "add training rows labelled {label}: only {count} of {rows} rows here have it",
            label=_quote(weakest.name),
            count=weakest.rows,
            rows=found.rows,
        )
    calibration = found.calibration
    if calibration.ece > NOTABLE_ECE and calibration.temperature > NOTABLE_TEMPERATURE:
        return say(
            "it is too sure of itself; divide logits by the temperature {temperature:.2f} before trusting a "
            "probability",
            temperature=calibration.temperature,
        )
    if not found.mistakes:
        return say("nothing is wrong on these rows; try harder or newer texts")
    return say("read the most confident mistakes: rows with a wrong label show up there first")


def make_headline(found: Measurements, analysis: RunAnalysis | None = None) -> Headline:
    """Draw the conclusion; with the run's analysis it also sees over-fitting."""
    weakest = find_weakest(found)
    return Headline(verdict=_verdict(found), weakest=_describe(weakest), next=_suggest(found, weakest, analysis))
