"""Rows in, checked and versioned examples out. No torch, no database; pyarrow and datasets only inside functions."""
