"""What a run reports while it lives: one JSON object a line in `events.jsonl`, read by every interface.

Times are Unix seconds, steps count optimizer steps from 1, epochs are fractions of passes over the training rows.
A resumed run repeats the steps after its last checkpoint under a higher `attempt`; readers keep the highest.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.domain.task import Stage, TaskState


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    time: float = 0.0
    attempt: int = 1


class StageChanged(_Event):
    """The stepper moved."""

    type: Literal["stage"] = "stage"
    stage: Stage


class Planned(_Event):
    """Every `auto` is resolved; `plan` is the content of plan.json."""

    type: Literal["plan"] = "plan"
    plan: dict[str, Any]


class ParametersCounted(_Event):
    """The model is assembled: its parameter table, one row a group of modules."""

    type: Literal["parameters"] = "parameters"
    total: int
    trainable: int
    groups: list[dict[str, Any]]


class StepLogged(_Event):
    """Averages since the previous StepLogged; rates count real tokens, never padding."""

    type: Literal["step"] = "step"
    step: int
    total_steps: int
    epoch: float
    loss: float
    learning_rate: float
    grad_norm: float | None = None
    samples_per_second: float
    tokens_per_second: float
    eta_seconds: float


class SystemSampled(_Event):
    """Machine readings of the training process; bytes, percent of one core, percent of the device."""

    type: Literal["system"] = "system"
    cpu_percent: float
    memory_bytes: int
    gpu_percent: float | None = None
    gpu_memory_bytes: int | None = None


class EvalLogged(_Event):
    """Scores on the evaluation rows after `step` steps."""

    type: Literal["eval"] = "eval"
    step: int
    epoch: float
    train_seconds: float
    metrics: dict[str, float]


class CheckpointSaved(_Event):
    """A checkpoint's manifest is on disk."""

    type: Literal["checkpoint"] = "checkpoint"
    step: int
    path: str
    size_bytes: int


class CheckpointRemoved(_Event):
    """Retention removed a checkpoint."""

    type: Literal["checkpoint_removed"] = "checkpoint_removed"
    step: int


class Warned(_Event):
    """Something the user should know that does not stop the run."""

    type: Literal["warning"] = "warning"
    code: str
    message: str
    hint: str = ""


class Progressed(_Event):
    """How far work that is no training has come; `done` and `total` count rows, `share` goes from 0 to 1."""

    type: Literal["progress"] = "progress"
    done: int
    total: int | None = None
    share: float
    eta_seconds: float | None = None


class ResultGiven(_Event):
    """What work that is no training gives, said before it ends."""

    type: Literal["result"] = "result"
    result: dict[str, Any]


class RunFinished(_Event):
    """The last line of an attempt that ended by itself."""

    type: Literal["finished"] = "finished"
    state: TaskState
    error_code: str | None = None
    error_detail: str | None = None
    retryable: bool = False
    accuracy: float | None = None


Event = Annotated[
    StageChanged
    | Planned
    | ParametersCounted
    | StepLogged
    | SystemSampled
    | EvalLogged
    | CheckpointSaved
    | CheckpointRemoved
    | Warned
    | Progressed
    | ResultGiven
    | RunFinished,
    Field(discriminator="type"),
]

EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)
