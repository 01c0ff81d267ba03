"""The one way in which a model's files refuse to be read."""


class Unreadable(ValueError):
    """Why a file, a directory or a name is no model that can be planned; one line for people."""
