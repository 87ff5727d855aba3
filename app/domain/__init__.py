"""Values the rest of the house speaks: pydantic and the standard library, no input or output."""
