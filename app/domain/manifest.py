"""Records a run leaves on disk; hashes are sha256 in hex, paths are relative to the file that names them."""

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Attempt(_Record):
    """`attempt.json`: who may write to the run now; a process whose number is lower must stop."""

    number: int
    token: str


class CheckpointManifest(_Record):
    """`manifest.json`, written last into a checkpoint: without it the checkpoint does not exist.

    `train_seconds`, `samples` and `tokens` (real ones, no padding) count from the first step of the first attempt.
    """

    step: int
    epoch: float
    train_seconds: float
    samples: int
    tokens: int
    attempt: int
    metrics: dict[str, float] | None = None
    num_eval_rows: int = 0
    plan_sha256: str
    files: dict[str, str]


class Proof(_Record):
    """What a fresh process found when it scored the saved model; `rows` is how many it compared."""

    passed: bool
    rows: int
    label_agreement: float
    max_abs_logit_diff: float
    detail: str = ""


class Receipt(_Record):
    """`receipt.json`: its presence means the run is complete and every hash in it holds."""

    run: str
    config_sha256: str
    data_version: str
    code_revision: str
    proof: Proof
    files: dict[str, str] = Field(default_factory=dict)
