"""Everything that parses, given what nobody would write: `python -m tests.fuzz` looks for more, CI tries what was found."""
