"""What others use instead, for benchmarks to measure beside."""
