"""What the evidence means: pure functions, which touch nothing."""
