"""Many machines: from what engines leave of each to one row, and what rows have in common. Pure: texts come in, rows go out."""
