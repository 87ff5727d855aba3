"""`python -m app.train.plan_only WORK_DIRECTORY`: resolve the plan of a configuration here, and measure what it takes.

A few steps of the training itself are made and timed; nothing that is trained is kept. The work's payload is
`{"config": ...}`; its result the plan, `estimated_seconds`, `estimated_memory_bytes`, and what was measured.
"""

import resource
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from app.domain.train_config import TrainConfig
from app.runs.files import write_bytes_atomic
from app.runs.turn import Turn
from app.runs.work import WorkDirectory, WorkOrder, carry_out, check_turn
from app.settings import share_cores

if TYPE_CHECKING:
    from app.train.assembly import Assembly

STEPS = 6
"""The first two warm up; of the others the median counts, since other work on the machine disturbs some."""
WARM_UP = 2
FORWARD_SHARE = 1 / 3
"""Of the time of a training step that a forward pass over the same rows takes."""
FINAL_PASSES = 3.0
"""Over the evaluation rows once training is done: in fp32, and again by the fresh process of the proof."""


def plan_only(work: WorkDirectory, order: WorkOrder, turn: Turn) -> dict[str, Any]:
    """Assemble as a run would, time a few steps, and say what the whole would take."""
    from app.train.assembly import assemble

    config = TrainConfig.model_validate(order.payload["config"])
    write_bytes_atomic(work.config, yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True).encode())
    assembly = assemble(work, turn)
    check_turn(turn)
    seconds = _seconds_a_step(assembly, turn)
    plan, data = assembly.plan, assembly.plan.data
    evaluations = -(-plan.total_steps // plan.eval_every)
    rows = (evaluations + FINAL_PASSES) * data.num_eval + FINAL_PASSES * data.num_test
    evaluating = rows / plan.train_batch_size * seconds * FORWARD_SHARE
    return {
        "plan": plan.model_dump(mode="json"),
        "decisions": [decision.model_dump(mode="json") for decision in plan.decisions],
        "total_steps": plan.total_steps,
        "seconds_a_step": round(seconds, 6),
        "estimated_seconds": round(plan.total_steps * seconds + evaluating, 1),
        "estimated_memory_bytes": _peak_memory_bytes(plan.device),
        "device": plan.device,
        "device_name": plan.hardware.device_name,
    }


def _seconds_a_step(assembly: "Assembly", turn: Turn) -> float:
    """The median time of a step of the plan's batches, made as training makes them."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    from app.train.preprocess import Collator, EpochSampler, TokenDataset

    plan, model = assembly.plan, assembly.model
    dataset = TokenDataset(assembly.splits["train"])
    batch = plan.train_batch_size
    sampler = EpochSampler(
        dataset.lengths, batch, plan.config.training.seed, bucket=plan.config.training.length_buckets
    )
    rows, collate = list(sampler), Collator(int(assembly.tokenizer.pad_token_id))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-6)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(plan.precision)
    model.train()
    times = []
    for step in range(STEPS):
        began = time.perf_counter()
        for micro in range(plan.gradient_accumulation_steps):
            start = (step * plan.gradient_accumulation_steps + micro) * batch % max(1, len(rows))
            inputs = collate([dataset[row] for row in rows[start : start + batch]])
            moved = {name: value.to(plan.device) for name, value in inputs.items()}
            with torch.autocast(plan.device, dtype=dtype) if dtype else nullcontext():
                logits = model(input_ids=moved["input_ids"], attention_mask=moved["attention_mask"]).logits
            F.cross_entropy(logits.float(), moved["labels"]).backward()
        optimizer.step()
        optimizer.zero_grad()
        if plan.device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
        check_turn(turn)
    return statistics.median(times[WARM_UP:])


def _peak_memory_bytes(device: str) -> int:
    """Peak of the device's allocations on CUDA, else of this process's resident memory."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> int:
    """Do the work of the directory the command line names."""
    share_cores()
    return carry_out(Path(sys.argv[1]), plan_only)


if __name__ == "__main__":
    sys.exit(main())
