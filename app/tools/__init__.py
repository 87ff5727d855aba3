"""Commands over existing results."""
