"""The estimate of memory against peaks that were measured."""

import pytest

from app.domain.footprint import KNOWN_SIZES, MIB, ModelSize, estimate_memory_bytes

BERT_BASE = ModelSize(num_parameters=109_500_000, num_layers=12, hidden_size=768)


@pytest.mark.parametrize(
    ("size", "batch_size", "num_tokens", "num_texts", "measured_mib"),
    [
        (KNOWN_SIZES["minilm"], 8, 32, 400, 698),
        (KNOWN_SIZES["minilm"], 32, 256, 400, 3373),
        (KNOWN_SIZES["minilm"], 8, 32, 60_000, 909),
        (BERT_BASE, 8, 32, 200, 1198),
        (BERT_BASE, 16, 128, 200, 2966),
    ],
)
def test_the_estimate_is_above_the_measured_peak_by_a_quarter_at_most(
    size: ModelSize, batch_size: int, num_tokens: int, num_texts: int, measured_mib: int
) -> None:
    estimate = estimate_memory_bytes(
        size, rank=8, batch_size=batch_size, num_tokens=num_tokens, num_texts=num_texts, mean_tokens=num_tokens
    )
    assert measured_mib <= estimate / MIB <= 1.25 * measured_mib


def test_more_data_takes_more_memory() -> None:
    few, many = (
        estimate_memory_bytes(BERT_BASE, rank=8, batch_size=8, num_tokens=32, num_texts=number, mean_tokens=32)
        for number in (1_000, 1_000_000)
    )
    assert many > few + 1000 * MIB
