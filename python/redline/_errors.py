"""Exceptions and warnings."""

import re

# messages of the libraries name options as the command line spells them
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")


def _as_keyword(text):
    return _OPTION.sub(lambda match: match[1].replace("-", "_"), text)


class RedlineError(Exception):
    """What is wrong, with what to do about it in `hint`."""

    def __init__(self, message, hint=None):
        self.message = _as_keyword(message)
        self.hint = None if hint is None else _as_keyword(hint)
        super().__init__(self.message, self.hint)

    def __str__(self):
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class RedlineWarning(UserWarning):
    """What was left out, assumed or to be distrusted."""
