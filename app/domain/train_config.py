"""TrainConfig: what a user asks for, declared once.

YAML files, `--set`, API bodies, the UI's form and the database all read these classes. Words are peft's and
transformers' own wherever they have one. `auto` stays `auto` here; `plan.py` resolves it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.domain.data_reading import Reading

AUTO: Literal["auto"] = "auto"
Auto = Literal["auto"]

RUN_NAME_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$"

LoraVariant = Literal["lora", "rslora", "dora", "pissa", "olora", "gaussian", "orthogonal"]
Metric = Literal["accuracy", "macro_f1", "weighted_f1", "loss"]
CheckpointReason = Literal["best", "last", "fastest"]

PositiveInt = Annotated[int, Field(gt=0, strict=True)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelConfig(_Part):
    """The frozen base model and how it reads text."""

    name: str = Field("minilm", min_length=1, description="short name, hub id, or directory of an encoder")
    revision: str | None = Field(None, description="hub revision: branch, tag or commit")
    max_length: Auto | Annotated[int, Field(ge=8, le=8192, strict=True)] = Field(
        AUTO, description="longest text in tokens; longer ones are truncated and counted"
    )


class LoraConfig(_Part):
    """The adapter; names as in peft."""

    r: PositiveInt = Field(8, le=1024, description="rank of the update")
    lora_alpha: Annotated[Number, Field(gt=0)] = Field(16, description="the update is scaled by lora_alpha / r")
    lora_dropout: Annotated[Number, Field(ge=0, lt=1)] = Field(0.0, description="dropout before the adapter")
    target_modules: Auto | Literal["all-linear"] | Annotated[list[str], Field(min_length=1)] = Field(
        AUTO, description="which linear layers of the encoder get an adapter: auto, all-linear, or names"
    )
    variant: LoraVariant = Field("lora", description="kind of low-rank update, by peft's name")
    modules_to_save: Auto | list[str] = Field(AUTO, description="modules trained in full; auto is the classifier head")


class DataConfig(_Part):
    """Where examples come from and how they are read."""

    train: str | None = Field(None, description="file, NAME@VERSION, or hub:ID")
    eval: str | None = Field(None, description="as train; null splits eval_fraction off the training data")
    test: str | None = Field(None, description="as train; scored once, after training")
    text_column: str = Field(AUTO, description="column name, 1-based number for files without a header, or auto")
    label_column: str = Field(AUTO, description="as text_column")
    reading: Reading = Reading()
    eval_fraction: Annotated[Number, Field(gt=0, le=0.5)] = Field(0.1, description="share of train held out")
    max_row_bytes: PositiveInt = Field(8_000_000, description="a longer row is a finding, never read whole")
    allow: list[str] = Field(default_factory=list, description="finding codes that shall not block")
    block: list[str] = Field(default_factory=list, description="finding codes that shall block")

    @field_validator("text_column", "label_column", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class TrainingConfig(_Part):
    """The optimisation; names as in transformers' TrainingArguments."""

    num_train_epochs: Auto | Annotated[Number, Field(gt=0, le=1000)] = AUTO
    max_steps: PositiveInt | None = Field(None, description="optimizer steps; overrides num_train_epochs")
    per_device_train_batch_size: Auto | PositiveInt = AUTO
    per_device_eval_batch_size: Auto | PositiveInt = AUTO
    gradient_accumulation_steps: PositiveInt = 1
    learning_rate: Auto | Annotated[Number, Field(gt=0, le=1)] = AUTO
    lr_scheduler_type: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    warmup_steps: Annotated[Number, Field(ge=0)] = Field(
        0.06, description="optimizer steps when 1 or more, share of all steps when below 1"
    )
    weight_decay: Annotated[Number, Field(ge=0, le=1)] = 0.01
    max_grad_norm: Annotated[Number, Field(gt=0)] = 1.0
    label_weights: Literal["none", "balanced"] | dict[str, Annotated[Number, Field(gt=0)]] = Field(
        "none", description="weight of each label in the loss: none, balanced (inverse frequency), or by name"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = 42
    device: Literal["auto", "cpu", "cuda", "mps"] = AUTO
    precision: Literal["auto", "fp32", "bf16", "fp16"] = AUTO
    num_threads: Auto | PositiveInt = Field(AUTO, description="CPU threads; part of what makes a run repeatable")
    length_buckets: bool = Field(True, description="batch texts of like length together, so little padding is computed")
    fast_path: bool = Field(True, description="use our faster kernels where the architecture has them")
    early_stopping_patience: PositiveInt | None = Field(None, description="evaluations without gain before stopping")
    report_to: list[Literal["tensorboard", "wandb", "mlflow"]] = Field(default_factory=list)


def _all_reasons() -> list[CheckpointReason]:
    return ["best", "last", "fastest"]


class CheckpointConfig(_Part):
    """How often to evaluate and save, and what stays."""

    every: Auto | PositiveInt | Annotated[str, Field(pattern=r"^(\d+(\.\d+)? )?epochs?$")] = Field(
        AUTO, description="auto, a number of optimizer steps, 'epoch', or 'N epochs'"
    )
    keep: list[CheckpointReason] = Field(default_factory=_all_reasons, min_length=1)
    metric: Metric = Field("accuracy", description="what 'best' is measured by")


class TrainConfig(_Part):
    """One training run as the user asks for it; frozen, every key known, every value checked."""

    experiment_name: str = Field(
        "experiment", pattern=RUN_NAME_PATTERN, max_length=94, description="runs are named NAME-001, ..."
    )
    task: Literal["sequence-classification"] = "sequence-classification"
    model: ModelConfig = ModelConfig()
    lora: LoraConfig = LoraConfig()
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()
    checkpoints: CheckpointConfig = CheckpointConfig()

    @model_validator(mode="after")
    def _settings_take_effect(self) -> "TrainConfig":
        if self.data.eval == self.data.train and self.data.train is not None:
            raise ValueError("data.eval is the same source as data.train; leave it out to split some off")
        if "last" not in self.checkpoints.keep:
            raise ValueError("checkpoints.keep must contain 'last': a stopped run resumes from it")
        return self

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys in declared order."""
        return self.model_dump(mode="json")
