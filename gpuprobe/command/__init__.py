"""The command line: options, commands, and how each run leaves."""
