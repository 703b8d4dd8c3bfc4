"""What is done while nobody types: the next prompt is evaluated, and after long the large model's memory is freed.

Runs on the engine's thread, which waits here and is woken by the next request.
"""

import threading

from jouline.cancel import CancelToken
from jouline.completion import CompletionRequest, Tier
from jouline.energy.meter import Meters
from jouline.pipeline.account import Account
from jouline.pipeline.books import Books
from jouline.pipeline.completer import Completer

_AHEAD_AFTER_S = 0.5


class Pauses:
    """Uses the time between two requests."""

    def __init__(
        self,
        *,
        completer: Completer,
        meters: Meters,
        account: Account,
        books: Books,
        room: int,
        unload_after_s: float | None,
    ) -> None:
        """Leave `room` tokens for answers; `unload_after_s` of silence free the large model, None keeps it."""
        self._completer = completer
        self._meters = meters
        self._account = account
        self._books = books
        self._room = room
        self._unload_after_s = unload_after_s

    def use(self, request: CompletionRequest, tier: Tier, cancel: CancelToken) -> None:
        """Wait and work until `cancel` says that somebody asks again; raises Cancelled where that breaks work off."""
        woken = threading.Event()
        cancel.listen(woken.set)
        try:
            if woken.wait(_AHEAD_AFTER_S):
                return
            self._prepare(request, tier, cancel)
            if self._unload_after_s is not None and not woken.wait(self._unload_after_s):
                self._completer.unload("large")
        finally:
            cancel.forget(woken.set)

    def _prepare(self, request: CompletionRequest, tier: Tier, cancel: CancelToken) -> None:
        """Evaluate what the next keystroke would; always-large would have done the same with its own prompt."""
        prompt = self._completer.ahead(request, tier, self._room)
        if prompt is None:
            return
        window = self._meters.window()
        try:
            with window:
                self._completer.prepare(prompt, tier, cancel)
        finally:
            self._books.other("warm-up", window.measurement, language=request.language)
        self._account.stopped(prompt.tokens, len(prompt.tokens))
