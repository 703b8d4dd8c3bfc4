"""How commands open the application: settings with their problems told, then the parts."""

import sys
from typing import TYPE_CHECKING

from jouline.config import Config, Folders, by_cause, load

if TYPE_CHECKING:
    from jouline.app import App


def settings(**overrides: object) -> Config:
    """Return the user's settings with the command line's on top; problems go to stderr, one sentence each."""
    given = {name: value for name, value in overrides.items() if value is not None}
    config, problems = load(Folders.find().user_file, given)
    for problem in problems:
        print(f"jouline: {problem}", file=sys.stderr)
    return config


def open_app(config: Config, *, keep_ledger: bool = True, learned_gate: bool = True) -> "App":
    """Open the models and meters; what does not work but can be done without is told on stderr, each cause once.

    Replays and benchmarks keep no ledger: they are not the user's own work.
    """
    from jouline.app import build

    folders = Folders.find()
    app = build(config, folders, keep_ledger=keep_ledger, learned_gate=learned_gate)
    for problem in dict.fromkeys(by_cause(problem, folders) for problem in app.problems):
        print(f"jouline: {problem}", file=sys.stderr)
    return app
