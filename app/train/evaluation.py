"""The values an evaluation consists of; how they are computed is `evaluator.py`'s, how they are drawn `report.py`'s."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from app.domain.wording import SAID, Said, Sentence, Worded, say
from app.train.calibration import Calibration
from app.train.intervals import Interval
from app.train.slices import Slice


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class LabelScore(_Value):
    """One row of the per-class table; `support` rows were given this label, `predicted` were predicted it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


class Mistake(_Value):
    """A wrong prediction; `row` counts from 1 in the order of the evaluation rows."""

    row: int
    text: str
    label: str
    predicted: str
    probability: float


class Measurements(_Value):
    """Everything measured on one set of rows; `confusion[given][predicted]` counts rows by label id."""

    rows: int
    labels: list[str]
    accuracy: float
    accuracy_ci95: Interval
    macro_f1: float
    macro_f1_ci95: Interval
    weighted_f1: float
    loss: float
    majority_label: str
    majority_baseline: float
    gain: float
    gain_ci95: Interval
    per_label: list[LabelScore]
    confusion: list[list[int]]
    calibration: Calibration
    slices: list[Slice]
    mistakes: list[Mistake]
    collapsed: bool


class Headline(_Value, Worded):
    """What a reader should take home: is it any good, where is it worst, what to do next."""

    verdict: str
    weakest: str
    next: str
    said: dict[str, Sentence] = SAID

    @property
    def sentence(self) -> Said:
        """All three in one line."""
        parts = {part: self.told(part) for part in ("verdict", "weakest", "next")}
        return say("{verdict}; {weakest}; next: {next}", **parts)


class Evaluation(Measurements):
    """Measurements with their conclusion."""

    headline: Headline

    def summary(self) -> dict[str, Any]:
        """The `eval` or `test` part of metrics.json."""
        return {
            "accuracy": self.accuracy,
            "accuracy_ci95": self.accuracy_ci95.as_list(),
            "macro_f1": self.macro_f1,
            "macro_f1_ci95": self.macro_f1_ci95.as_list(),
            "weighted_f1": self.weighted_f1,
            "majority_baseline": self.majority_baseline,
            "majority_label": self.majority_label,
            "gain": round(self.gain, 6),
            "gain_ci95": self.gain_ci95.as_list(),
            "loss": self.loss,
            "ece": self.calibration.ece,
            "temperature": self.calibration.temperature,
            "ece_after_temperature": self.calibration.ece_after_temperature,
            "collapsed": self.collapsed,
            "rows": self.rows,
            "f1_by_label": {label.label: label.f1 for label in self.per_label},
            "headline": str(self.headline.sentence),
            "headline_said": self.headline.sentence.sentence.model_dump(),
        }
