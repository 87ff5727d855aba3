"""Training speed on this machine: ours with shipped settings beside the stock recipe, in one run, taking turns.

Stock is what the documentation of peft and transformers shows: `Trainer`, a peft adapter, dynamic padding, default
precision, rows in random order. Both train the same base model on the same rows with the same LoRA configuration,
batch size, learning rate, dropout and number of steps; only the steps are timed. Quote the ratios: absolute speed
depends on the machine and on what else it does.

    .venv/bin/python benchmarks/train_speed.py [--data FILE] [--steps 40] [--rounds 3] [--threads N] [--all-linear]
                                           [--precision auto|fp32|bf16]
"""

import argparse
import gc
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.utils import logging as transformers_logging

from app.data.prepare import Examples, PreparedData, prepare
from app.domain.plan import DatasetProfile, TrainingPlan, make_plan
from app.domain.train_config import TrainConfig
from app.lora import fast
from app.lora.adapter import attach
from app.lora.base_model import load_base
from app.lora.hardware import detect
from app.lora.tokenization import Encoded, encode, load_tokenizer
from app.models.base_models import LocatedModel, locate
from app.train.preprocess import Collator, EpochSampler, TokenDataset, TokenizedSplit, token_facts
from app.train.trainer import LoraTrainer

BATCH = 16
WARM_UP_STEPS = 4


class StepClock(TrainerCallback):
    """Times the steps after the warm-up."""

    def __init__(self) -> None:
        self.start = self.seconds = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start when the warm-up is over."""
        if state.global_step == WARM_UP_STEPS:
            self.start = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop at the latest step."""
        if state.global_step > WARM_UP_STEPS:
            self.seconds = time.perf_counter() - self.start


class Silence:
    """A RunContext that keeps nothing."""

    def report(self, event: Any) -> None:
        """Drop the event."""

    def may_save(self) -> bool:
        """Saving is allowed, though nothing is saved here."""
        return True

    def should_stop(self) -> bool:
        """Nobody asks."""
        return False


def make_shared_plan(
    data: PreparedData, tokens: Encoded, located: LocatedModel, options: argparse.Namespace
) -> TrainingPlan:
    """The plan both sides follow."""
    identity = data.report.identity
    config = TrainConfig.model_validate(
        {
            "model": {"name": "minilm"},
            "lora": {"target_modules": "all-linear" if options.all_linear else ["query", "value"]},
            "training": {
                "max_steps": WARM_UP_STEPS + options.steps,
                "per_device_train_batch_size": BATCH,
                "num_threads": options.threads or "auto",
                "precision": options.precision,
            },
            "checkpoints": {"every": 10**6},
        }
    )
    profile = DatasetProfile(
        version=identity.version,
        labels=identity.labels,
        train_label_counts=identity.train_label_counts,
        num_train=identity.num_train,
        num_eval=identity.num_eval,
        num_test=0,
        tokens=token_facts(tokens),
    )
    facts = load_base(located, identity.labels, 0).facts
    with tempfile.TemporaryDirectory() as cache:
        hardware = detect("auto", facts.hidden_size, Path(cache), probe=True)
    return make_plan(config, profile, facts, hardware)


def train_stock(plan: TrainingPlan, split: TokenizedSplit, located: LocatedModel, seed: int, where: str) -> float:
    """Seconds for the timed steps of the documented recipe."""
    torch.manual_seed(seed)
    base = AutoModelForSequenceClassification.from_pretrained(located.directory, num_labels=len(plan.data.labels))
    model = get_peft_model(
        base,
        LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=plan.config.lora.r,
            lora_alpha=int(plan.config.lora.lora_alpha),
            lora_dropout=plan.config.lora.lora_dropout,
            target_modules=plan.target_modules,
        ),
    )
    clock = StepClock()
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=where,
            max_steps=plan.total_steps,
            per_device_train_batch_size=plan.train_batch_size,
            learning_rate=plan.learning_rate,
            seed=seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=plan.device == "cpu",
            dataloader_pin_memory=False,
        ),
        train_dataset=TokenDataset(split),
        data_collator=DataCollatorWithPadding(load_tokenizer(located.directory)),
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return clock.seconds


def train_ours(plan: TrainingPlan, split: TokenizedSplit, located: LocatedModel, seed: int, where: str) -> float:
    """Seconds for the timed steps of the engine's own trainer."""
    model = attach(load_base(located, plan.data.labels, seed).model, plan)
    model.to(plan.device)
    fast.enable(model)
    clock = StepClock()
    trainer = LoraTrainer(
        model,
        plan,
        train=split,
        evaluation=split,
        pad_token_id=0,
        checkpoints=Path(where),
        plan_sha256="",
        context=Silence(),
        attempt=1,
    )
    trainer.add_callback(clock)
    trainer.add_callback(_NothingElse())
    trainer.run(resume_from=None)
    return clock.seconds


class _NothingElse(TrainerCallback):
    """Keeps evaluation and saving, which stock does not do here, out of the run."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take both back."""
        control.should_evaluate = control.should_save = False


def padded_share(plan: TrainingPlan, split: TokenizedSplit, *, bucket: bool) -> float:
    """Share of the computed positions that are padding, over one pass."""
    dataset = TokenDataset(split)
    sampler = EpochSampler(dataset.lengths, plan.train_batch_size, 0, bucket=bucket)
    rows = list(sampler)
    collate, real, total = Collator(0), 0, 0
    for start in range(0, len(rows), plan.train_batch_size):
        mask = collate([dataset[row] for row in rows[start : start + plan.train_batch_size]])["attention_mask"]
        real, total = real + int(mask.sum()), total + mask.numel()
    return 1 - real / total


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="examples/reviews_train.csv", help="labelled file (default: the examples)")
    parser.add_argument("--steps", type=int, default=40, help="timed steps of each cell")
    parser.add_argument("--rounds", type=int, default=3, help="times both sides take their turn")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: physical cores)")
    parser.add_argument("--all-linear", action="store_true", help="adapt every linear layer, not query and value alone")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="ours; stock is fp32")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()

    with tempfile.TemporaryDirectory() as where:
        config = TrainConfig.model_validate({"data": {"train": options.data}})
        data = prepare(config.data, 0, Path(where))
        located = locate("minilm")
        examples: Examples = data.splits["train"]
        tokens = encode(load_tokenizer(located.directory), examples.texts, None)
        plan = make_shared_plan(data, tokens, located, options)
        split = TokenizedSplit(examples, encode(load_tokenizer(located.directory), examples.texts, plan.max_length))
        torch.set_num_threads(plan.num_threads)
        print(
            f"{plan.hardware.device_name}, {plan.num_threads} threads, {plan.precision}; minilm on {options.data}, "
            f"mean {plan.data.tokens.mean:.0f} tokens; r={plan.config.lora.r} on {', '.join(plan.target_modules)}; "
            f"batch {BATCH}, {options.steps} timed steps a cell"
        )
        print(
            f"padding: {padded_share(plan, split, bucket=False):.0%} in random order, "
            f"{padded_share(plan, split, bucket=True):.0%} in length buckets"
        )
        sides: dict[str, Callable[..., float]] = {"stock": train_stock, "ours": train_ours}
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for seed in range(options.rounds):
            for name, train in sides.items():
                seconds = train(plan, split, located, seed, where)
                rates[name].append(BATCH * options.steps / seconds)
                gc.collect()
            ratio = rates["ours"][-1] / rates["stock"][-1]
            stock, ours = rates["stock"][-1], rates["ours"][-1]
            print(f"round {seed + 1}: stock {stock:6.1f}  ours {ours:6.1f} samples/s  {ratio:.2f}x")
        ratios = [ours / stock for ours, stock in zip(rates["ours"], rates["stock"], strict=True)]
        print(
            f"median ratio ours/stock: {statistics.median(ratios):.2f}x (from {min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
