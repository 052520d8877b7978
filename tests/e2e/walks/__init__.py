"""Three ordinary notebooks, and a user who goes from their trained models to a promotion and counts the way."""
