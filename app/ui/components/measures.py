"""What the scores of a run are called, and how their values and intervals are written."""

from collections.abc import Mapping
from typing import Any

from app.schemas.experiments import ExperimentView
from app.ui.words import N_, Words

SPLITS = {"test": N_("Test rows"), "eval": N_("Evaluation rows")}
"""The ones to be believed most come first: nothing was chosen by looking at them."""
SCORES = {
    "accuracy": (N_("Accuracy"), N_("Share of the rows whose label was found.")),
    "macro_f1": (N_("Macro F1"), N_("Every label counts the same, however rare: low where one label is done badly.")),
    "weighted_f1": (N_("Weighted F1"), N_("As macro F1, but frequent labels count more.")),
    "gain": (N_("Gain over the baseline"), N_("How much better than always guessing the most frequent label.")),
    "ece": (N_("Calibration error"), N_("How far the probabilities are from the truth; less is better.")),
}
LOSS = N_("Loss")


def splits_of(view: ExperimentView) -> list[str]:
    """The splits a run was measured on."""
    return [split for split in SPLITS if view.metrics.get(split)]


def score(scores: Mapping[str, Any], name: str, t: Words) -> str:
    """One score as people read it; a dash where it was not measured."""
    value = scores.get(name)
    return "–" if not isinstance(value, int | float) else t.percent(value)


def interval(scores: Mapping[str, Any], name: str, t: Words) -> str:
    """Between what the true value lies, 19 times out of 20; empty where that was not measured."""
    ends = scores.get(f"{name}_ci95")
    return t("{low} to {high}", low=t.percent(ends[0]), high=t.percent(ends[1])) if ends else ""


def ends_of(scores: Mapping[str, Any], name: str) -> tuple[float, float, float] | None:
    """A score with the ends of its interval, which are the score itself where there is none."""
    value = scores.get(name)
    if not isinstance(value, int | float):
        return None
    low, high = scores.get(f"{name}_ci95") or (value, value)
    return float(value), float(low), float(high)
