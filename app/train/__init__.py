"""The engine: one run directory in, a proven adapter out. Knows no web, no queue, no database."""
