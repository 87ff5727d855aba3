"""Base model and adapter: load, tokenize, attach, save, merge, compute fast. Knows no run, no database, no web."""
