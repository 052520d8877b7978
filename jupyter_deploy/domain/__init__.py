"""The terms of the field as values: pydantic and the standard library only, no I/O."""
