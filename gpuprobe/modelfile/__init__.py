"""Reads what model files say about themselves: headers only, never weights."""
