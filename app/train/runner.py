"""A run from config.yaml to receipt.json: assemble, train, evaluate, prove, record."""

import resource
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.domain.errors import CheckpointDamaged, Conflict, PlatformError, TrainingFailed
from app.domain.events import Event, RunFinished, StageChanged, Warned
from app.domain.manifest import Proof
from app.domain.retention import choose
from app.domain.task import Stage, TaskState
from app.domain.wording import words
from app.lora.adapter import save_final_model
from app.lora.inference import predict_logits
from app.runs.analysis import analyze
from app.runs.checkpoints import (
    checkpoint_path,
    find_checkpoints,
    latest_verified,
    read_manifest,
    remove_leftovers,
    scored,
)
from app.runs.directory import RunDirectory
from app.runs.event_log import read_events
from app.runs.files import read_json, write_json
from app.runs.lock import read_attempt, run_lock
from app.runs.receipt import write_receipt
from app.train.assembly import Assembly, assemble
from app.train.checkpointing import TRAINER_STATE, restore_adapter
from app.train.context import RunDirectoryContext
from app.train.evaluation import Evaluation
from app.train.evaluator import evaluate
from app.train.meter import Pace, pace_of
from app.train.proof import prove
from app.train.report import write_predictions, write_report
from app.train.trainer import LoraTrainer, apply_retention, stopped_early

SECONDS_TO_LET_GO = 30.0
"""How long the process of an earlier attempt may take to notice that it is stale, and end."""
EXIT_CODES = {TaskState.SUCCESS: 0, TaskState.FAILURE: 1, TaskState.REVOKED: 3}


def run(directory: Path) -> TaskState:
    """Do the whole run in `directory`, or what is left of it, and report how it ended.

    Raises Conflict, and reports nothing, when another process writes to the run or it is complete. Who follows another
    attempt waits for its process to let go.
    """
    run_directory = RunDirectory(directory)
    owner = read_attempt(run_directory)
    patience = SECONDS_TO_LET_GO if owner is not None and owner.number > 1 else 0.0
    with (
        run_lock(run_directory, wait_seconds=patience),
        RunDirectoryContext(run_directory, owner) as context,
    ):
        if run_directory.is_complete:
            raise Conflict(f"run {run_directory.name!r} is complete: it has a receipt", code="run.finished")
        try:
            finished = _run(run_directory, context)
        except PlatformError as error:
            traceback.print_exc()
            finished = _failure(error.code, error.message, error.hint, error.retryable)
        except (MemoryError, torch.OutOfMemoryError) as error:
            traceback.print_exc()
            hint = words("lower training.per_device_train_batch_size or model.max_length")
            finished = _failure("run.out_of_memory", f"out of memory: {error}", hint, retryable=False)
        except Exception as error:  # noqa: BLE001, the last line of defence: a run never ends without a word
            traceback.print_exc()
            where = words("the traceback is in logs.txt")
            finished = _failure("run.failed", f"{type(error).__name__}: {error}", where, False)
        _try_to_report(context, finished)
        return finished.state


def _failure(code: str, message: str, hint: str, retryable: bool) -> RunFinished:
    detail = f"{message} (hint: {hint})" if hint else message
    return RunFinished(state=TaskState.FAILURE, error_code=code, error_detail=detail, retryable=retryable)


def _try_to_report(context: RunDirectoryContext, event: Event) -> None:
    """The last word of a run whose disk may be full: the log has it even when events.jsonl cannot."""
    try:
        context.report(event)
    except PlatformError as error:
        print(f"could not report {event}: {error}", file=sys.stderr)


def _run(run: RunDirectory, context: RunDirectoryContext) -> RunFinished:
    assembly = assemble(run, context)
    if context.should_stop():
        return _stopped(context)
    context.report(StageChanged(stage=Stage.TRAINING))
    pace = _train(run, assembly, context)
    if pace is None or context.should_stop():
        return _stopped(context)
    context.report(StageChanged(stage=Stage.EVALUATING))
    result = _evaluate(run, assembly, context)
    if context.should_stop():
        return _stopped(context)
    _check_turn(context)
    context.report(StageChanged(stage=Stage.PROVING))
    proof = prove(run, assembly.base_directory, num_threads=assembly.plan.num_threads)
    _check_turn(context)
    _record(run, assembly, context, result, pace, proof)
    context.report(StageChanged(stage=Stage.DONE))
    return RunFinished(state=TaskState.SUCCESS, accuracy=result["eval"].accuracy)


def _check_turn(context: RunDirectoryContext) -> None:
    """Conflict when this attempt may write no more."""
    if not context.may_save():
        raise Conflict("another attempt has taken this run over", code="run.superseded")


def _stopped(context: RunDirectoryContext) -> RunFinished:
    """The end of a run that saved and stopped: as somebody wished, or because its supervisor died."""
    _check_turn(context)
    if context.parent_is_gone:
        detail = "the process that started the run died; what was done until then is saved"
        return RunFinished(state=TaskState.FAILURE, error_code="run.lost", error_detail=detail, retryable=True)
    return RunFinished(state=TaskState.REVOKED, error_code="run.stopped", error_detail="stopped on request")


def _train(run: RunDirectory, assembly: Assembly, context: RunDirectoryContext) -> Pace | None:
    """Train from the last good checkpoint to the end; None when asked to stop before it."""
    remove_leftovers(run.checkpoints)
    latest, damaged = latest_verified(run.checkpoints, assembly.plan_sha256)
    onward = f"training goes on from {latest.name}" if latest else "none is left: training starts again from step 0"
    for error in damaged:
        context.report(Warned(code=error.code, message=error.message, hint=onward))
    if latest is not None and _is_trained(latest, assembly):
        return pace_of(latest)
    trainer = LoraTrainer(
        assembly.model,
        assembly.plan,
        train=assembly.splits["train"],
        evaluation=assembly.splits["eval"],
        pad_token_id=assembly.tokenizer.pad_token_id,
        checkpoints=run.checkpoints,
        plan_sha256=assembly.plan_sha256,
        context=context,
        attempt=context.attempt,
    )
    pace = trainer.run(resume_from=latest)
    latest, _ = latest_verified(run.checkpoints, assembly.plan_sha256)
    if latest is None or not _is_trained(latest, assembly):
        return None
    return pace


def _is_trained(checkpoint: Path, assembly: Assembly) -> bool:
    """Whether training ends with this checkpoint: the planned steps are done, or patience ran out."""
    if read_manifest(checkpoint).step >= assembly.plan.total_steps:
        return True
    history = read_json(checkpoint / TRAINER_STATE)["log_history"]
    return stopped_early(history, assembly.plan)


def _evaluate(run: RunDirectory, assembly: Assembly, context: RunDirectoryContext) -> dict[str, Evaluation]:
    """Score the best checkpoint in fp32, save it as the final model and keep every prediction."""
    _restore_best(run, assembly, context)
    plan, labels = assembly.plan, assembly.report.identity.labels
    logits = {
        name: predict_logits(
            assembly.model,
            split.encoded.input_ids,
            pad_token_id=assembly.tokenizer.pad_token_id,
            batch_size=plan.eval_batch_size,
        )
        for name, split in assembly.splits.items()
        if name != "train"
    }
    _check_turn(context)
    _prune(run, assembly, context)
    save_final_model(assembly.model, assembly.tokenizer, run.final_model, labels=labels, max_length=plan.max_length)
    held_out = {name: assembly.splits[name].examples for name in logits}
    write_predictions(
        run.evaluation / "predictions.parquet",
        [text for examples in held_out.values() for text in examples.texts],
        np.concatenate([np.asarray(examples.label_ids) for examples in held_out.values()]),
        np.concatenate(list(logits.values())),
        labels,
        [name for name, examples in held_out.items() for _ in examples.texts],
    )
    analysis = analyze(read_events(run.events))
    result = {
        name: evaluate(
            logits[name], np.asarray(part.label_ids), part.texts, labels, plan.config.training.seed, analysis
        )
        for name, part in held_out.items()
    }
    if result["eval"].collapsed:
        context.report(
            Warned(
                code="collapsed",
                message="the model answers nearly every text with the same label",
                hint=f"lower training.learning_rate (now {plan.learning_rate:g}), or balance training.label_weights",
            )
        )
    return result


def _prune(run: RunDirectory, assembly: Assembly, context: RunDirectoryContext) -> None:
    """Training keeps the best checkpoint for the final model; from here on only what was asked for stays."""
    config = assembly.plan.config.checkpoints
    apply_retention(run.checkpoints, config.metric, config.keep, context)


def _restore_best(run: RunDirectory, assembly: Assembly, context: RunDirectoryContext) -> None:
    """Load the best of the intact checkpoints into the model, the last where none has a score."""
    metric = assembly.plan.config.checkpoints.metric
    intact = []
    for checkpoint in find_checkpoints(run.checkpoints):
        if checkpoint.manifest is not None:
            intact.append(checkpoint.manifest)
        else:
            context.report(Warned(code=CheckpointDamaged.code, message=checkpoint.damage or ""))
    chosen = choose(scored(intact, metric), metric)
    step = chosen.get("best", chosen.get("last"))
    if step is None:
        raise TrainingFailed("no intact checkpoint is left to evaluate", hint="resume the run")
    restore_adapter(assembly.model, checkpoint_path(run.checkpoints, step))


def _record(
    run: RunDirectory,
    assembly: Assembly,
    context: RunDirectoryContext,
    result: dict[str, Evaluation],
    pace: Pace,
    proof: Proof,
) -> None:
    """Write metrics.json, the report, and last of all the receipt."""
    train = _train_summary(assembly, context, pace)
    metrics = {name: evaluation.summary() for name, evaluation in result.items()}
    write_json(run.metrics, {**metrics, "train": train})
    write_report(run, assembly.plan, result, read_events(run.events), train, assembly.report, proof)
    revision = str(read_json(run.environment)["code_revision"])
    write_receipt(run, data_version=assembly.report.identity.version, code_revision=revision, proof=proof)


def _train_summary(assembly: Assembly, context: RunDirectoryContext, pace: Pace) -> dict[str, Any]:
    seconds = max(pace.train_seconds, 1e-9)
    readings = [reading.cpu_percent for reading in context.readings]
    return {
        "steps": pace.steps,
        "runtime_seconds": round(pace.train_seconds, 3),
        "samples_per_second": round(pace.samples / seconds, 2),
        "tokens_per_second": round(pace.tokens / seconds, 1),
        "peak_memory_bytes": _peak_memory_bytes(assembly.plan.device),
        "cpu_percent_mean": round(sum(readings) / len(readings), 1) if readings else None,
        "device": assembly.plan.device,
        "precision": assembly.plan.precision,
    }


def _peak_memory_bytes(device: str) -> int:
    """Peak of the device's allocations on CUDA, else peak resident memory of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
