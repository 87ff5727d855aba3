"""HTTP bodies, shared by servers and clients."""
