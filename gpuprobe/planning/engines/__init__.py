"""How each engine would place a model on a machine: its own rules, and what to paste for it. Pure."""
