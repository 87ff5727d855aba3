"""Saved adapters answering texts. Knows no queue and no database; HTTP is `inference_api`'s."""
