"""How much memory a training will take, from what is known before anything is loaded; all sizes in bytes.

An estimate for placing work beside other work, on the high side: what a run really took is in its metrics.json. The
constants were fitted to peaks measured on CPU in fp32; `tests/domain/test_footprint.py` has them.
"""

from pydantic import BaseModel, ConfigDict

MIB = 2**20
RUNTIME_BYTES = 560 * MIB
"""Interpreter, torch, transformers and peft, before a model is loaded."""
BYTES_A_WEIGHT = 4
LINEAR_VALUES = 25
"""Numbers of `hidden_size` that one token leaves in one layer for the backward pass."""
ATTENTION_VALUES = 1.75
"""The same of the attention, for each head and each token that is looked at."""
ADAPTER_BYTES_A_PARAMETER = 16
"""Weight, gradient and the optimizer's two moments."""
TEXT_BYTES_A_TOKEN = 120
"""Texts, tokens and their order in memory."""
MARGIN = 1.1


class ModelSize(BaseModel):
    """What an encoder's size depends on; `num_parameters` counts embeddings too.

    `max_positions` is the longest text in tokens it reads.
    """

    model_config = ConfigDict(frozen=True)

    num_parameters: int
    num_layers: int
    hidden_size: int
    num_heads: int = 12
    max_positions: int = 512


KNOWN_SIZES = {
    "minilm": ModelSize(num_parameters=22_700_000, num_layers=6, hidden_size=384),
    "distilbert-base-uncased": ModelSize(num_parameters=66_400_000, num_layers=6, hidden_size=768),
    "roberta-base": ModelSize(num_parameters=124_600_000, num_layers=12, hidden_size=768),
    "albert-base-v2": ModelSize(num_parameters=11_700_000, num_layers=12, hidden_size=768),
    "bert-base-chinese": ModelSize(num_parameters=102_300_000, num_layers=12, hidden_size=768),
    "distilbert-base-multilingual-cased": ModelSize(num_parameters=134_700_000, num_layers=6, hidden_size=768),
}
UNKNOWN_SIZE = ModelSize(num_parameters=340_000_000, num_layers=24, hidden_size=1024, num_heads=16, max_positions=8192)
"""Of a model nobody described: that of a large BERT."""


PREDICTION_BYTES = 256 * MIB
"""Batches of texts on their way through, and a part of the file."""


def estimate_prediction_bytes(size: ModelSize) -> int:
    """Peak memory of labelling a file, of which only a part is held at a time."""
    return int(MARGIN * (RUNTIME_BYTES + BYTES_A_WEIGHT * size.num_parameters + PREDICTION_BYTES))


def estimate_memory_bytes(
    size: ModelSize, *, rank: int, batch_size: int, num_tokens: int, num_texts: int, mean_tokens: float
) -> int:
    """Peak memory of training: `batch_size` texts of `num_tokens` at once, `num_texts` of `mean_tokens` in all."""
    weights = BYTES_A_WEIGHT * size.num_parameters
    # Six linear layers a block, two of them four times as wide: a rank-1 update has 18 times `hidden_size` numbers.
    adapter = ADAPTER_BYTES_A_PARAMETER * 18 * rank * size.hidden_size * size.num_layers
    a_token = LINEAR_VALUES * size.hidden_size + ATTENTION_VALUES * size.num_heads * num_tokens
    activations = 4 * batch_size * num_tokens * size.num_layers * a_token
    data = TEXT_BYTES_A_TOKEN * num_texts * mean_tokens
    return int(MARGIN * (RUNTIME_BYTES + weights + adapter + activations + data))
