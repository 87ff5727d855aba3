"""Use cases: the only writers to the database. No HTTP, no SQL, no torch."""
