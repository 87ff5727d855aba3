"""`python -m app.lora.embed TEXTS OUT BASE_DIRECTORY CACHE`: sentence embeddings of texts from a frozen encoder.

TEXTS has one JSON string a line. OUT becomes a float32 .npy of shape (N, D): the mean of the last hidden states over
the tokens of a text, special ones included, divided by its Euclidean norm, as in Reimers and Gurevych 2019,
"Sentence-BERT". CACHE is a directory that keeps which precision is fast here. On stdout, one JSON object a line:
`{"done", "total"}` in rows while it goes on, `{"error", "hint"}` where it cannot. Shapes: N texts, B texts of a batch,
T tokens, D hidden.
"""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from transformers import AutoModel, PreTrainedModel

from app.domain.errors import ModelUnusable, PlatformError
from app.domain.plan import Hardware, choose_precision
from app.lora.base_model import max_positions
from app.lora.fast import enable_frozen
from app.lora.hardware import detect
from app.lora.inference import batches_by_length, pad
from app.lora.quiet import quiet_transformers
from app.lora.tokenization import encode, load_tokenizer

MAX_TOKENS = 256
"""What is longer is cut: what a text is about is said by then, and attention costs the square of the length."""

BATCH_ROWS = 64
CHUNK_ROWS = 16_384
"""Texts sorted by length at a time: a batch pads little, and memory does not grow with their number."""


def embed(texts: Path, out: Path, base: Path, cache: Path, report: Callable[[int, int], None]) -> None:
    """Write the embeddings of the texts to `out`; `report` hears rows done and rows in all.

    Raises ModelUnusable where the base model is no encoder that transformers has built in.
    """
    tokenizer, model = load_tokenizer(base), _load_encoder(base)
    hardware = detect("auto", int(model.config.hidden_size), cache, probe=True)
    torch.set_num_threads(hardware.num_threads)
    nn.Module.to(model, hardware.device)
    if hardware.device == "cpu":
        enable_frozen(model)
    with texts.open(encoding="utf-8") as file:
        total = sum(1 for _ in file)
    shape = (total, int(model.config.hidden_size))
    out_ND = np.lib.format.open_memmap(out, mode="w+", dtype=np.float32, shape=shape)
    start = done = 0
    for chunk in _chunks(texts):
        ids = encode(tokenizer, chunk, min(MAX_TOKENS, max_positions(model))).input_ids
        for batch in batches_by_length([len(row) for row in ids], BATCH_ROWS):
            tokens = pad([ids[row] for row in batch], int(tokenizer.pad_token_id))
            out_ND[start + np.array(batch)] = _mean_of_tokens(model, *tokens, hardware).cpu().numpy()
            done += len(batch)
            report(done, total)
        start += len(chunk)
    out_ND.flush()


def _load_encoder(base: Path) -> PreTrainedModel:
    try:
        with quiet_transformers():
            model: PreTrainedModel = AutoModel.from_pretrained(
                base, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnusable(
            f"the base model in {base} cannot be loaded as an encoder: {str(error).splitlines()[0]}",
            hint="choose an encoder (BERT, DistilBERT, RoBERTa, ALBERT, ...) with complete safetensors weights",
        ) from error
    model.eval().requires_grad_(False)
    return model


def _chunks(texts: Path) -> Iterator[list[str]]:
    with texts.open(encoding="utf-8") as file:
        while chunk := [json.loads(line) for line in islice(file, CHUNK_ROWS)]:
            yield chunk


def _mean_of_tokens(model: PreTrainedModel, ids_BT: Tensor, mask_BT: Tensor, hardware: Hardware) -> Tensor:
    """Unit vectors (B, D) in float32."""
    mask_BT = mask_BT.to(hardware.device)
    bf16 = choose_precision(hardware)[0] == "bf16"
    with torch.inference_mode(), torch.autocast(hardware.device, dtype=torch.bfloat16, enabled=bf16):
        hidden_BTD = model(input_ids=ids_BT.to(hardware.device), attention_mask=mask_BT).last_hidden_state
    sums_BD = (hidden_BTD.float() * mask_BT[..., None]).sum(dim=1)
    return F.normalize(sums_BD / mask_BT.sum(dim=1, keepdim=True))


def main() -> None:
    """Embed what the command line names; exit status 1 with the reason on stdout where that is not possible."""
    texts, out, base, cache = map(Path, sys.argv[1:])
    try:
        embed(texts, out, base, cache, lambda done, total: _say({"done": done, "total": total}))
    except PlatformError as error:
        _say({"error": error.message, "hint": error.hint})
        sys.exit(1)


def _say(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
