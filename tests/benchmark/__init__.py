"""The benchmark: `python -m tests.benchmark` measures what the program costs, side by side in one run, against its limits."""
