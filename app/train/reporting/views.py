"""What the template shows of one evaluation, ready to print: pictures, orders, words."""

from math import floor

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict

from app.train.calibration import Calibration
from app.train.evaluation import Evaluation, LabelScore
from app.train.reporting.matrices import MAX_NAMED, Confusion, draw_heat_map, draw_reliability, most_confused
from app.train.slices import Slice

MAX_LABELS_SHOWN = 16
MAX_LABELS_IN_ORDER = 8
MAX_LABEL_SLICES = 8
WELL_CALIBRATED_ECE = 0.03
MEANINGLESS_TEMPERATURE = 10.0
SPLIT_TITLES = {"eval": "Evaluation rows", "test": "Test rows"}
ROWS_WORDS = {"eval": "evaluation rows", "test": "test rows, scored once after training"}
SPLIT_NOTES = {
    "eval": "The best checkpoint was chosen on these rows, which flatters it a little.",
    "test": "Scored once, after training.",
}


class SliceGroup(BaseModel):
    """Slices under one heading."""

    model_config = ConfigDict(frozen=True)

    title: str
    slices: list[Slice]


class EvaluationView(BaseModel):
    """One split of rows as the page shows it."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    split: str
    title: str
    note: str
    rows_words: str
    evaluation: Evaluation
    tone: str
    claim: str
    claim_range: str
    heat_map: Markup
    compact: bool
    confused: list[Confusion]
    label_order: str
    labels_shown: list[LabelScore]
    labels_more: list[LabelScore]
    reliability: Markup
    calibration_legend: list[tuple[str, str]]
    calibration_words: dict[str, str]
    slice_groups: list[SliceGroup]
    slices_from: float


def _tone(evaluation: Evaluation) -> str:
    if evaluation.collapsed or evaluation.gain_ci95.high < 0:
        return "bad"
    return "good" if evaluation.gain_ci95.low > 0 else "warn"


def _claim(evaluation: Evaluation) -> tuple[str, str]:
    """The verdict as a large sentence, and what stands below it."""
    verdict = evaluation.headline.verdict
    claim, comma, interval = verdict.partition(", 95 % interval ")
    on = f"accuracy {100 * evaluation.accuracy:.1f} % on {evaluation.rows:,} rows"
    below = f"95 % interval of the gain {interval.removesuffix(' of the gain')} points; {on}" if comma else on
    return claim[:1].upper() + claim[1:] + ".", below[:1].upper() + below[1:] + "."


def _calibration_words(calibration: Calibration) -> dict[str, str]:
    apart = f"Confidence and the share of rows right are {100 * calibration.ece:.1f} points apart"
    temperature = calibration.temperature
    if calibration.ece <= WELL_CALIBRATED_ECE:
        return {"title": "Yes, as they are", "text": f"{apart} on average; use the probabilities as they are."}
    if temperature == 1.0:
        text = f"{apart}; a temperature can be fitted only where some rows are right and some wrong."
        return {"title": "Hard to tell", "text": text}
    if temperature > MEANINGLESS_TEMPERATURE:
        return {"title": "No", "text": f"{apart}; how sure the model is says nothing about whether it is right."}
    sure = "too sure of itself" if temperature > 1 else "not sure enough of itself"
    text = (
        f"The model is {sure}. {apart}; dividing the logits by {temperature:.2f} before the softmax makes it"
        f" {100 * calibration.ece_after_temperature:.1f}. No prediction changes."
    )
    return {"title": f"Better at temperature {temperature:.2f}", "text": text}


def _labels(evaluation: Evaluation) -> tuple[str, list[LabelScore], list[LabelScore]]:
    scores = evaluation.per_label
    if len(scores) <= MAX_LABELS_IN_ORDER:
        return "In the order of the label ids.", scores, []
    weakest_first = sorted(scores, key=lambda score: (score.support == 0, score.f1))
    return "The lowest F1 first.", weakest_first[:MAX_LABELS_SHOWN], weakest_first[MAX_LABELS_SHOWN:]


def _slice_groups(evaluation: Evaluation) -> list[SliceGroup]:
    titles = {"length": "By length", "language": "By language", "label": "By given label"}
    groups = []
    for kind, title in titles.items():
        slices = [group for group in evaluation.slices if group.kind == kind]
        few = len(slices) <= MAX_LABEL_SLICES or kind != "label"
        weakest = slices if few else sorted(slices, key=lambda group: group.accuracy)[:MAX_LABEL_SLICES]
        groups.append(SliceGroup(title=title if few else f"{title}: the {len(weakest)} weakest", slices=weakest))
    return groups


def make_view(split: str, evaluation: Evaluation) -> EvaluationView:
    """Draw and word one evaluation."""
    claim, claim_range = _claim(evaluation)
    order, shown, more = _labels(evaluation)
    legend = [("as trained", "first")]
    if evaluation.calibration.temperature != 1.0:
        legend.append((f"temperature {evaluation.calibration.temperature:.2f}", "second"))
    return EvaluationView(
        split=split,
        title=SPLIT_TITLES.get(split, split),
        note=SPLIT_NOTES.get(split, ""),
        rows_words=ROWS_WORDS.get(split, split),
        evaluation=evaluation,
        tone=_tone(evaluation),
        claim=claim,
        claim_range=claim_range,
        heat_map=draw_heat_map(evaluation),
        compact=len(evaluation.labels) > MAX_NAMED,
        confused=most_confused(evaluation),
        label_order=order,
        labels_shown=shown,
        labels_more=more,
        reliability=draw_reliability(evaluation.calibration),
        calibration_legend=[*legend, ("perfect", "ideal"), ("rows", "bin")],
        calibration_words=_calibration_words(evaluation.calibration),
        slice_groups=_slice_groups(evaluation),
        slices_from=floor(10 * min(group.accuracy_ci95.low for group in evaluation.slices)) / 10,
    )
