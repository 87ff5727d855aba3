"""A typed client of the API, over httpx; the UI and `finetune --server` speak through it."""
