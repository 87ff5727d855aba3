"""A typed client of the API, over httpx; the UI and `finetune --server` speak through it."""

from app.client.client import Client

__all__ = ["Client"]
