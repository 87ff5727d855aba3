"""A saved adapter on its base model, in memory: texts in, labels with probabilities out."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from peft import PeftModel
from pydantic import BaseModel, ConfigDict
from transformers import PreTrainedTokenizerBase

from app.domain.base_models import CATALOG, BaseModelInfo
from app.domain.plan import TrainingPlan
from app.lora.adapter import SavedAdapter, load_saved, read_saved
from app.lora.inference import predict_logits
from app.lora.tokenization import encode, load_tokenizer
from app.models.base_models import LocatedModel, locate
from app.runs.directory import RunDirectory
from app.runs.files import read_json
from app.runs.receipt import check_intact

BATCH_ROWS = 32
DEFAULT_MAX_LENGTH = 512


class Prediction(BaseModel):
    """The answer to one text: id and name of the most probable label, its probability, and all of them by name."""

    model_config = ConfigDict(frozen=True)

    label: int
    label_name: str
    probability: float
    scores: dict[str, float]
    truncated: bool = False


class Predictor:
    """One adapter ready to answer; `predict` may be called from several threads."""

    def __init__(self, name: str, saved: SavedAdapter, base: LocatedModel) -> None:
        self.name = name
        self.labels = saved.labels
        self.base = base.info
        self._model: PeftModel = load_saved(saved, base.directory)
        self._tokenizer: PreTrainedTokenizerBase = load_tokenizer(saved.directory)
        self._max_length = saved.max_length or DEFAULT_MAX_LENGTH
        self._one_at_a_time = threading.Lock()

    @property
    def base_model(self) -> str:
        """The base model's short name, or its hub id; never a path of this machine."""
        return self.base.name if self.base.name in CATALOG else self.base.hub_id

    @property
    def language(self) -> str:
        """The language the base model reads."""
        return self.base.language

    def predict(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> list[Prediction]:
        """Classify `texts`; those longer than in training are cut as they were there, and say so."""
        if not texts:
            return []
        encoded = encode(self._tokenizer, texts, self._max_length)
        with self._one_at_a_time:
            logits_BC = predict_logits(
                self._model,
                encoded.input_ids,
                pad_token_id=int(self._tokenizer.pad_token_id),
                batch_size=BATCH_ROWS,
                progress=progress,
            )
        cut = [len(ids) < full for ids, full in zip(encoded.input_ids, encoded.full_lengths, strict=True)]
        return [self._answer(p_C, was_cut) for p_C, was_cut in zip(_softmax(logits_BC), cut, strict=True)]

    def read_part(self, text: str) -> str:
        """The beginning of a text that the model reads; all of it where its tokenizer cannot tell."""
        if not self._tokenizer.is_fast:
            return text
        encoded = self._tokenizer(text, truncation=True, max_length=self._max_length, return_offsets_mapping=True)
        return text[: max((end for _, end in encoded["offset_mapping"]), default=0)]

    def _answer(self, probabilities_C: np.ndarray, truncated: bool) -> Prediction:
        best = int(probabilities_C.argmax())
        return Prediction(
            label=best,
            label_name=self.labels[best],
            probability=round(float(probabilities_C[best]), 6),
            scores={name: round(float(p), 6) for name, p in zip(self.labels, probabilities_C, strict=True)},
            truncated=truncated,
        )


def _softmax(logits_BC: np.ndarray) -> np.ndarray:
    """Probabilities per row, in float64."""
    exponentials = np.exp(logits_BC.astype(np.float64) - logits_BC.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def load_run(run: RunDirectory) -> Predictor:
    """The final model of a complete run, after checking that its files are those of the receipt."""
    check_intact(run, "artifacts/final_model/")
    plan = TrainingPlan.model_validate(read_json(run.plan))
    base = locate(plan.config.model.name, plan.config.model.revision)
    return Predictor(run.name, read_saved(run.final_model), base)


def load_adapter(directory: Path, base_model: str | None = None) -> Predictor:
    """A PEFT adapter made anywhere, on the base model it names or on another directory of the same weights."""
    saved = read_saved(directory)
    located = locate(base_model or saved.base_model)
    info = BaseModelInfo(name=saved.base_model, hub_id=located.info.hub_id, language=located.info.language)
    return Predictor(directory.name, saved, LocatedModel(info=info, directory=located.directory))
