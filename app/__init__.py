"""Finetune-30-days: from a labelled data set to a proven LoRA adapter."""

__version__ = "0.1.0"
