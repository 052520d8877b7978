"""Container images: made, kept, moved, signed and described."""
