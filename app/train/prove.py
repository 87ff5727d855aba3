"""Score a saved adapter with plain peft and transformers, in a process that has loaded nothing of ours but this file.

`python -m app.train.prove FINAL_MODEL BASE_DIRECTORY PREDICTIONS SPLIT` prints one JSON line:
`{"rows", "label_agreement", "max_abs_logit_diff"}`. PREDICTIONS is the run's predictions.parquet.
"""

import json
import sys
from pathlib import Path

BATCH_ROWS = 32


def main(final_model: str, base: str, predictions: str, split: str) -> None:
    """Load, score every row of `split` as a stranger would, and compare with the logits on record."""
    import pyarrow.parquet as pq
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    load = json.loads((Path(final_model) / "load.json").read_text(encoding="utf-8"))
    id2label = {int(index): name for index, name in load["id2label"].items()}
    encoder = AutoModelForSequenceClassification.from_pretrained(
        base, id2label=id2label, label2id=load["label2id"], dtype=torch.float32, use_safetensors=True
    )
    model = PeftModel.from_pretrained(encoder, final_model).eval()
    tokenizer = AutoTokenizer.from_pretrained(final_model)
    table = pq.read_table(predictions, columns=["split", "text", "logits"], filters=[("split", "=", split)])
    texts, recorded = table["text"].to_pylist(), table["logits"].to_pylist()

    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    agree, differences = 0, [torch.zeros(1)]
    with torch.inference_mode():
        for start in range(0, len(order), BATCH_ROWS):
            rows = order[start : start + BATCH_ROWS]
            tokens = tokenizer(
                [texts[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=load["max_length"],
                return_tensors="pt",
            )
            logits = model(**tokens).logits
            expected = torch.tensor([recorded[row] for row in rows])
            agree += int((logits.argmax(-1) == expected.argmax(-1)).sum())
            differences.append((logits - expected).abs().flatten())
    largest = float(torch.cat(differences).max())  # NaN where any logit is NaN
    print(json.dumps({"rows": len(texts), "label_agreement": agree / len(texts), "max_abs_logit_diff": largest}))


if __name__ == "__main__":
    main(*sys.argv[1:])
