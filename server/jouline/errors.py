"""Every error a caller may want to catch, in one tree.

JoulineError
├── ConfigError      a setting or argument cannot be used
├── CatalogueError   a pair or model file is missing, damaged or unknown
├── EngineError      a model cannot be opened or has stopped working
├── RouterError      a router cannot be loaded, or is not for this pair
├── MeterError       an energy counter cannot be read
└── LedgerError      the ledger cannot be opened or written

Each message is one plain sentence that says what to do. `jouline.cancel.Cancelled` is not in the tree:
work that nobody wants any more is not an error.
"""


class JoulineError(Exception):
    """Base of all; its text is fit for a user's eyes."""


class ConfigError(JoulineError):
    """A setting or an argument cannot be used as given."""


class CatalogueError(JoulineError):
    """A pair or a model file is missing, damaged or unknown."""


class EngineError(JoulineError):
    """A model cannot be opened or has stopped working."""


class RouterError(JoulineError):
    """A router cannot be loaded, or was made for another pair."""


class MeterError(JoulineError):
    """An energy counter cannot be opened or read."""


class LedgerError(JoulineError):
    """The ledger cannot be opened or written."""
