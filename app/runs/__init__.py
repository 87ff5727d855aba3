"""Run-directory input and output: create, append and tail events, hash, verify, lock. No torch, no database."""
