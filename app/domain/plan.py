"""TrainConfig + what the data is + what the machine is -> TrainingPlan: pure arithmetic, every choice with its reason.

The plan is all an engine needs. The same `plan.json` on the same kind of CPU gives the same adapter bytes, so
everything that changes a number (threads, precision, batch, steps) is in it.
"""

from math import ceil
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.domain.errors import ConfigError
from app.domain.train_config import AUTO, TrainConfig
from app.domain.wording import SAID, Sentence, Worded, say


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class TokenFacts(_Value):
    """Lengths of the training texts in tokens, special tokens included, before truncation."""

    mean: float
    p50: int
    p99: int
    longest: int


class DatasetProfile(_Value):
    """What the plan needs to know of the data."""

    version: str
    labels: list[str]
    train_label_counts: list[int]
    num_train: int
    num_eval: int
    num_test: int
    tokens: TokenFacts


class BaseModelFacts(_Value):
    """What the plan needs to know of the base model; `fingerprint` is the sha256 of its weights and config."""

    name: str
    hub_id: str
    language: str
    architecture: str
    fingerprint: str
    max_positions: int
    hidden_size: int
    encoder_linears: list[str]
    head_modules: list[str]


class Hardware(_Value):
    """What the run's machine is; `step_seconds` maps each precision the probe measured to seconds a step."""

    device: Literal["cpu", "cuda", "mps"]
    device_name: str
    num_threads: int
    memory_bytes: int
    step_seconds: dict[str, float] = Field(default_factory=dict)


class Decision(_Value, Worded):
    """One `auto`, what became of it, and why."""

    key: str
    value: Any
    reason: str
    said: dict[str, Sentence] = SAID


class TrainingPlan(_Value):
    """Everything resolved. Steps are optimizer steps; `warmup_steps`, `eval_every` count them too."""

    config: TrainConfig
    data: DatasetProfile
    base: BaseModelFacts
    hardware: Hardware
    max_length: int
    target_modules: list[str]
    modules_to_save: list[str]
    device: Literal["cpu", "cuda", "mps"]
    precision: Literal["fp32", "bf16", "fp16"]
    num_threads: int
    train_batch_size: int
    eval_batch_size: int
    gradient_accumulation_steps: int
    num_train_epochs: float
    total_steps: int
    warmup_steps: int
    learning_rate: float
    label_weights: list[float] | None
    eval_every: int
    decisions: list[Decision]


class _Choices:
    """Collects decisions while the plan is made."""

    def __init__(self) -> None:
        self.made: list[Decision] = []

    def resolve(self, key: str, asked: Any, chosen: Any, reason: str) -> Any:
        """Return what was asked for, or, for `auto`, what was chosen, noting why."""
        if asked != AUTO:
            return asked
        self.made.append(Decision(key=key, value=chosen, reason=reason))
        return chosen


MIN_BF16_GAIN = 1.2
"""bf16 is taken when a measured step is at least this many times faster than in fp32."""


def choose_precision(hardware: Hardware) -> tuple[str, str]:
    """Pick a precision from the probe's seconds a step; fp32 unless another is clearly faster."""
    measured, name = hardware.step_seconds, hardware.device_name
    if hardware.device == "mps" or "bf16" not in measured or "fp32" not in measured:
        return "fp32", say("no faster precision was measured on {device}", device=hardware.device_name)
    gain = measured["fp32"] / measured["bf16"]
    if gain >= MIN_BF16_GAIN:
        return "bf16", say("a bf16 step is {gain:.1f}x as fast as fp32 on {device}", gain=gain, device=name)
    return "fp32", say("bf16 is no gain on {device} ({gain:.2f}x the speed of fp32)", gain=gain, device=name)


def choose_max_length(tokens: TokenFacts, max_positions: int) -> tuple[int, str]:
    """Room for 99 % of the training texts, a multiple of 8, at least 32, at most what the model can read."""
    wanted = max(32, ceil(tokens.p99 / 8) * 8)
    if tokens.longest <= 1.5 * wanted:
        wanted = max(wanted, ceil(tokens.longest / 8) * 8)
    if wanted > max_positions:
        return max_positions, say("the model reads no more; 99 % of texts have up to {p99} tokens", p99=tokens.p99)
    return wanted, say(
        "99 % of texts have up to {p99} tokens, the longest {longest}", p99=tokens.p99, longest=tokens.longest
    )


def choose_epochs(num_train: int, num_labels: int) -> tuple[float, str]:
    """More passes over little data and over many labels; see docs/decisions/0005."""
    per_label = num_train / max(1, num_labels)
    if num_train < 1000:
        epochs = 10
    elif per_label < 200:
        epochs = 6
    elif num_train < 6000:
        epochs = 5
    else:
        epochs = 3
    return float(epochs), say(
        "{rows} training rows, about {per_label:.0f} a label", rows=num_train, per_label=per_label
    )


def choose_batch_size(num_train: int) -> tuple[int, str]:
    """Small batches where data is scarce, so that there are enough steps."""
    if num_train < 2000:
        return 16, say("{rows} training rows: a small batch gives enough steps", rows=num_train)
    return 32, say("{rows} training rows", rows=num_train)


def choose_learning_rate(num_labels: int) -> tuple[float, str]:
    """A rate at which LoRA on all linear layers learns fast; see docs/decisions/0005."""
    if num_labels > 20:
        return 2e-3, say("{labels} labels: the head has much to learn", labels=num_labels)
    return 1e-3, say("high, as LoRA wants it; it falls linearly to zero")


def _warmup(asked: float, total_steps: int) -> int:
    steps = int(asked) if asked >= 1 else ceil(asked * total_steps)
    if asked >= 1 and steps >= total_steps:
        raise ConfigError.at(
            "training.warmup_steps",
            say("{steps} is not below the {total} steps of the run", steps=steps, total=total_steps),
            say("give fewer, or a share below 1, as in 0.06"),
        )
    return min(steps, total_steps - 1)


MAX_EVALUATIONS = 12
EVALUATION_SHARE = 0.1
"""Share of the training time that evaluations may take by default; a forward pass costs a third of a training step."""


def _evaluations(data: DatasetProfile, epochs: float) -> int:
    """How often to evaluate in a run: at least once an epoch where that stays within bounds."""
    affordable = int(EVALUATION_SHARE * 3 * data.num_train * epochs / max(1, data.num_eval))
    return max(1, min(MAX_EVALUATIONS, max(affordable, round(epochs))))


def _eval_every(asked: Any, data: DatasetProfile, steps_per_epoch: int, total_steps: int) -> tuple[int, str]:
    """Optimizer steps between evaluations, and why."""
    if isinstance(asked, int):
        return min(asked, total_steps), ""
    if asked != AUTO:
        number = asked.split()[0]
        epochs = 1.0 if number.startswith("epoch") else float(number)
        return max(1, min(total_steps, round(epochs * steps_per_epoch))), ""
    times = _evaluations(data, total_steps / steps_per_epoch)
    return ceil(total_steps / times), say(
        "{times} evaluations find the best step and take about a tenth of the time", times=times
    )


def _label_weights(config: TrainConfig, data: DatasetProfile) -> list[float] | None:
    """Weights in label-id order; `balanced` is n / (num_labels * count), as in scikit-learn."""
    asked = config.training.label_weights
    if asked == "none":
        return None
    if asked == "balanced":
        total = sum(data.train_label_counts)
        return [total / (len(data.labels) * max(1, count)) for count in data.train_label_counts]
    unknown = sorted(set(asked) - set(data.labels))
    if unknown:
        raise ConfigError.at(
            "training.label_weights",
            say("there is no label {labels} in the data", labels=", ".join(map(repr, unknown))),
            say("the labels are {labels}", labels=", ".join(data.labels[:20])),
        )
    return [float(asked.get(name, 1.0)) for name in data.labels]


def make_plan(config: TrainConfig, data: DatasetProfile, base: BaseModelFacts, hardware: Hardware) -> TrainingPlan:
    """Resolve every `auto` of `config`; what was asked for is taken as it stands."""
    training, choices = config.training, _Choices()
    max_length = choices.resolve(
        "model.max_length", config.model.max_length, *choose_max_length(data.tokens, base.max_positions)
    )
    if max_length > base.max_positions:
        raise ConfigError.at(
            "model.max_length",
            say("{max_length} is more than {name} can read", max_length=max_length, name=base.name),
            say("its longest input has {longest} tokens; 'auto' chooses for you", longest=base.max_positions),
        )
    linears = say("every linear layer of the encoder: most to gain where data is rich")
    targets = config.lora.target_modules
    if targets == "all-linear":
        targets = base.encoder_linears
    targets = choices.resolve("lora.target_modules", targets, base.encoder_linears, linears)
    heads = choices.resolve(
        "lora.modules_to_save", config.lora.modules_to_save, base.head_modules, say("layers without pretrained weights")
    )
    choices.resolve(
        "training.device", training.device, hardware.device, say("{device} is at hand", device=hardware.device_name)
    )
    precision = choices.resolve("training.precision", training.precision, *choose_precision(hardware))
    if precision == "fp16" and hardware.device != "cuda":
        raise ConfigError.at(
            "training.precision",
            say("fp16 needs an NVIDIA GPU, this run uses {device}", device=hardware.device_name),
            say("take bf16 or fp32, or leave it at 'auto'"),
        )
    threads = choices.resolve("training.num_threads", training.num_threads, hardware.num_threads, say("physical cores"))
    batch = choices.resolve(
        "training.per_device_train_batch_size", training.per_device_train_batch_size, *choose_batch_size(data.num_train)
    )
    eval_batch = choices.resolve(
        "training.per_device_eval_batch_size",
        training.per_device_eval_batch_size,
        32,
        say("larger ones gain little and pad more"),
    )
    rate = choices.resolve("training.learning_rate", training.learning_rate, *choose_learning_rate(len(data.labels)))
    per_epoch = max(1, ceil(ceil(data.num_train / batch) / training.gradient_accumulation_steps))
    if training.max_steps is not None:
        total, epochs = training.max_steps, training.max_steps / per_epoch
    else:
        epochs = choices.resolve(
            "training.num_train_epochs",
            training.num_train_epochs,
            *choose_epochs(data.num_train, len(data.labels)),
        )
        total = max(1, ceil(epochs * per_epoch))
    every, why = _eval_every(config.checkpoints.every, data, per_epoch, total)
    choices.resolve("checkpoints.every", config.checkpoints.every, every, why)
    return TrainingPlan(
        config=config,
        data=data,
        base=base,
        hardware=hardware,
        max_length=max_length,
        target_modules=list(targets),
        modules_to_save=list(heads),
        device=hardware.device,
        precision=precision,
        num_threads=threads,
        train_batch_size=batch,
        eval_batch_size=eval_batch,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        num_train_epochs=float(epochs),
        total_steps=total,
        warmup_steps=_warmup(training.warmup_steps, total),
        learning_rate=rate,
        label_weights=_label_weights(config, data),
        eval_every=every,
        decisions=choices.made,
    )
