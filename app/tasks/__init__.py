"""Celery: messages that wake a worker. What is to be done, and who does it, the task row says."""
