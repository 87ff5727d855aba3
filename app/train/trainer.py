"""transformers' Trainer with our order of rows, our evaluation, our checkpoints and our reports."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from app.domain.errors import ConfigError, Conflict, TrainingFailed
from app.domain.events import CheckpointRemoved, CheckpointSaved, EvalLogged, StepLogged, Warned
from app.domain.manifest import CheckpointManifest
from app.domain.plan import TrainingPlan
from app.domain.ports import RunContext
from app.domain.retention import better, steps_to_keep
from app.domain.train_config import CheckpointReason, Metric
from app.lora.inference import predict_logits
from app.runs.checkpoints import checkpoint_path, manifests, read_manifest, remove_checkpoint, scored
from app.runs.files import tree_size
from app.train import checkpointing
from app.train.meter import Meter, Pace, pace_of
from app.train.metrics import score
from app.train.preprocess import Collator, EpochSampler, TokenDataset, TokenizedSplit

MAX_STEP_EVENTS = 5_000
"""A run reports at most about this many StepLogged events; longer ones average over several steps."""


def _check_reporters(names: Sequence[str]) -> None:
    """ConfigError when a reporter's package is not installed; the Trainer would say so only after loading."""
    for name in names:
        if find_spec(name) is None:
            raise ConfigError(
                f"training.report_to: the package {name!r} is not installed",
                hint=f"pip install {name}, or leave it out",
            )


def training_arguments(plan: TrainingPlan, output_dir: Path) -> TrainingArguments:
    """The plan in transformers' words; saving and evaluating are decided by our callback."""
    training = plan.config.training
    _check_reporters(training.report_to)
    return TrainingArguments(
        output_dir=str(output_dir),
        max_steps=plan.total_steps,
        per_device_train_batch_size=plan.train_batch_size,
        per_device_eval_batch_size=plan.eval_batch_size,
        gradient_accumulation_steps=plan.gradient_accumulation_steps,
        learning_rate=plan.learning_rate,
        lr_scheduler_type=training.lr_scheduler_type,
        warmup_steps=plan.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        use_cpu=plan.device == "cpu",
        bf16=plan.precision == "bf16",
        fp16=plan.precision == "fp16",
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=max(1, plan.total_steps // MAX_STEP_EVENTS),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=list(training.report_to) or "none",
        remove_unused_columns=False,
        dataloader_pin_memory=plan.device == "cuda",
    )


class LoraTrainer(Trainer):
    """Trains an adapter as planned.

    `train_seconds` of an earlier attempt count on. After `train`, `pace` says what the loop did.
    """

    def __init__(
        self,
        model: PeftModel,
        plan: TrainingPlan,
        *,
        train: TokenizedSplit,
        evaluation: TokenizedSplit,
        pad_token_id: int,
        checkpoints: Path,
        plan_sha256: str,
        context: RunContext,
        attempt: int,
    ) -> None:
        dataset = TokenDataset(train)
        self.plan = plan
        self._peft_model = model
        self.context = context
        self._evaluation = evaluation
        self._pad_token_id = pad_token_id
        self._checkpoints = checkpoints
        self._plan_sha256 = plan_sha256
        self._attempt = attempt
        self._sampler = EpochSampler(
            dataset.lengths,
            plan.train_batch_size,
            plan.config.training.seed,
            bucket=plan.config.training.length_buckets,
        )
        self._weights = None if plan.label_weights is None else torch.tensor(plan.label_weights)
        self._meter = Meter(Pace())
        self._step_logged = 0
        self._last_metrics: tuple[int, dict[str, float]] | None = None
        super().__init__(
            model=model,
            args=training_arguments(plan, checkpoints),
            train_dataset=dataset,
            data_collator=Collator(pad_token_id),
            callbacks=[_Conductor(self)],
        )
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = False

    def run(self, resume_from: Path | None) -> Pace:
        """Train to the planned step, an early stop, or a request to stop; returns the pace."""
        self._step_logged = read_manifest(resume_from).step if resume_from else 0
        self._meter = Meter(pace_of(resume_from) if resume_from else Pace())
        try:
            self.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
        finally:
            # accelerate leaves its autocast around `forward`; what follows training is scored in fp32
            self.accelerator.unwrap_model(self._peft_model, keep_fp32_wrapper=False)
        return self._meter.pace()

    # --- what the Trainer asks of its subclasses ---

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self._sampler

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the coming pass."""
        self._sampler.set_epoch(epoch)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Mean cross entropy over the device batch, weighted by label where the plan says so."""
        labels_B = inputs["labels"]
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        weights = None if self._weights is None else self._weights.to(outputs.logits.device)
        loss = F.cross_entropy(outputs.logits.float(), labels_B, weight=weights)
        self._meter.count(len(labels_B), int(inputs["attention_mask"].sum()))
        return (loss, outputs) if return_outputs else loss

    def floating_point_ops(self, inputs: dict[str, Tensor | Any]) -> int:
        """Not counted: the Trainer would walk every module at every step for a figure nobody reads."""
        return 0

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Score the evaluation rows, tell the context, and return the metrics by name; touches no generator."""
        logits_NC = predict_logits(
            self._peft_model,
            self._evaluation.encoded.input_ids,
            pad_token_id=self._pad_token_id,
            batch_size=self.plan.eval_batch_size,
            precision=self.plan.precision,
        )
        metrics = score(logits_NC, np.asarray(self._evaluation.examples.label_ids))
        step, epoch = self.state.global_step, float(self.state.epoch or 0.0)
        self.state.log_history.append({"step": step, "epoch": epoch, **{f"eval_{k}": v for k, v in metrics.items()}})
        self._last_metrics = (step, metrics)
        self.context.report(
            EvalLogged(step=step, epoch=epoch, train_seconds=self._meter.pace().train_seconds, metrics=metrics)
        )
        self._meter.skip()
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        return False

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Report one StepLogged; the summary that the Trainer logs at its end is left out."""
        super().log(logs, start_time)
        if "loss" not in logs:
            return
        if not torch.isfinite(torch.tensor(logs["loss"])):
            raise TrainingFailed(
                f"the loss is {logs['loss']} at step {self.state.global_step}",
                hint=f"lower training.learning_rate (now {self.plan.learning_rate:g}), or train in fp32",
                code="run.loss_not_finite",
            )
        step = self.state.global_step
        lap = self._meter.lap(step, self.plan.total_steps, step - self._step_logged)
        self._step_logged = step
        self.context.report(
            StepLogged(
                step=self.state.global_step,
                total_steps=self.plan.total_steps,
                epoch=float(self.state.epoch or 0.0),
                loss=logs["loss"],
                learning_rate=logs["learning_rate"],
                grad_norm=logs.get("grad_norm"),
                samples_per_second=lap.samples_per_second,
                tokens_per_second=lap.tokens_per_second,
                eta_seconds=lap.eta_seconds,
            )
        )

    # --- checkpoints ---

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Save, report, and remove what retention no longer wants."""
        if not self.context.may_save():
            raise Conflict(
                "another attempt has taken this run over; nothing more is written by this one", code="run.superseded"
            )
        step, pace = self.state.global_step, self._meter.pace()
        metrics = self._last_metrics[1] if self._last_metrics and self._last_metrics[0] == step else None
        manifest = CheckpointManifest(
            step=step,
            epoch=float(self.state.epoch or 0.0),
            train_seconds=pace.train_seconds,
            samples=pace.samples,
            tokens=pace.tokens,
            attempt=self._attempt,
            metrics=metrics,
            num_eval_rows=len(self._evaluation.examples.label_ids),
            plan_sha256=self._plan_sha256,
            files={},
        )
        assert self.optimizer is not None
        assert self.lr_scheduler is not None
        path = checkpointing.save_checkpoint(
            self._checkpoints,
            manifest,
            model=self._peft_model,
            optimizer=self.optimizer,
            scheduler=self.lr_scheduler,
            state=self.state,
        )
        self.context.report(CheckpointSaved(step=step, path=_relative(path), size_bytes=tree_size(path)))
        config = self.plan.config.checkpoints
        apply_retention(self._checkpoints, config.metric, ["best", *config.keep], self.context)
        self._meter.skip()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        checkpointing.restore_adapter(self._peft_model, Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None and self.optimizer is not None and self.lr_scheduler is not None:
            checkpointing.restore_optimizer(self.optimizer, self.lr_scheduler, Path(checkpoint))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpointing.restore_rng(Path(checkpoint))


def _relative(checkpoint: Path) -> str:
    """A checkpoint's path below its run directory."""
    return checkpoint.relative_to(checkpoint.parents[2]).as_posix()


def apply_retention(folder: Path, metric: Metric, keep: Sequence[CheckpointReason], context: RunContext) -> None:
    """Remove the checkpoints that no reason in `keep` names, and say so."""
    found = manifests(folder)
    steps = steps_to_keep(scored(found, metric), metric, keep)
    for manifest in found:
        if manifest.step not in steps:
            remove_checkpoint(checkpoint_path(folder, manifest.step))
            context.report(CheckpointRemoved(step=manifest.step))


def stopped_early(history: list[dict[str, Any]], plan: TrainingPlan) -> bool:
    """Whether the last `patience` evaluations brought no gain; judged from the trainer's own log history."""
    patience, metric = plan.config.training.early_stopping_patience, plan.config.checkpoints.metric
    scores = [entry[f"eval_{metric}"] for entry in history if f"eval_{metric}" in entry]
    if patience is None or not scores:
        return False
    best = 0
    for index, value in enumerate(scores):
        if better(metric, value, scores[best]):
            best = index
    return len(scores) - 1 - best >= patience


class _Conductor(TrainerCallback):
    """Decides after each step whether to evaluate, save or stop."""

    def __init__(self, trainer: LoraTrainer) -> None:
        self._trainer = trainer

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Order the rows of the pass that begins."""
        self._trainer.set_epoch(int(state.epoch or 0))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Evaluate and save where planned and at the end; save and stop where asked."""
        plan = self._trainer.plan
        last = state.global_step >= plan.total_steps
        if state.global_step % plan.eval_every == 0 or last:
            control.should_evaluate = control.should_save = control.should_log = True
        if self._trainer.context.should_stop() and not last:
            control.should_save = control.should_training_stop = control.should_log = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop when patience has run out; after saving, so that the decision can be repeated on resume."""
        if not control.should_training_stop and stopped_early(state.log_history, self._trainer.plan):
            control.should_training_stop = True
            self._trainer.context.report(
                Warned(
                    code="early_stop",
                    message=f"no gain for {self._trainer.plan.config.training.early_stopping_patience}"
                    f" evaluations: training stopped at step {state.global_step}",
                )
            )
