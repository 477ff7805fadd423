"""Errors that a person can mend: each is one line that says what was wrong, where, and what to do."""

__all__ = ["ConfigError", "DataError", "DivergenceError", "FastbpError", "WeightsError"]


class FastbpError(Exception):
    """A mistake or a limit that the caller can do something about.

    The command line prints it without a traceback.
    """


class DataError(FastbpError):
    """A data file is missing, damaged, or does not hold what it should."""


class WeightsError(FastbpError):
    """A weights file is missing, damaged, holds values that are not finite, or does not fit the data."""


class ConfigError(FastbpError):
    """A setting is outside its range, or settings do not fit together."""


class DivergenceError(FastbpError):
    """Training produced a loss that is not finite."""
