"""Classify a sentence with peft and transformers alone:  python predict.py "some text" [BASE_MODEL_DIRECTORY]."""

import json
import pathlib
import sys

import torch
from peft import PeftConfig, PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

here = pathlib.Path(__file__).parent
load = json.loads((here / "load.json").read_text(encoding="utf-8"))
id2label = {int(index): name for index, name in load["id2label"].items()}
name = sys.argv[2] if len(sys.argv) > 2 else PeftConfig.from_pretrained(str(here)).base_model_name_or_path
base = AutoModelForSequenceClassification.from_pretrained(
    name, id2label=id2label, label2id=load["label2id"], use_safetensors=True
)
model = PeftModel.from_pretrained(base, here).eval()
tokens = AutoTokenizer.from_pretrained(here)(
    sys.argv[1], truncation=True, max_length=load["max_length"], return_tensors="pt"
)
with torch.no_grad():
    probabilities = model(**tokens).logits[0].softmax(-1)
print(f"{id2label[int(probabilities.argmax())]} ({float(probabilities.max()):.4f})")
