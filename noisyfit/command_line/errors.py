"""What goes wrong in a way that a user can mend."""


class CommandError(Exception):
    """Ends the command with its message on one line, without a traceback."""
