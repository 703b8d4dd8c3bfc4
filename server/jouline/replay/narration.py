"""A replay told in plain lines, for where there is no terminal to draw on."""

from collections.abc import Iterator

from jouline.replay.events import Accepted, Answered, Began, Event, Rejected, Screen, Typed
from jouline.replay.tally import Tally
from jouline.replay.wording import cost, offer, price, who

_INDENT = " " * 6


class Narrator:
    """Turns events into lines: each line once it is typed, each suggestion with its reason and price, its fate."""

    def __init__(self) -> None:
        self._screen: Screen | None = None
        self._line = Tally()

    def tell(self, event: Event) -> Iterator[str]:
        """Yield the lines that an event is worth; most keys are worth none."""
        self._line.add(event)
        match event:
            case Began():
                yield from self.finish()
                yield ""
            case Typed():
                yield from self._typed(event.screen)
            case Answered(again=False) if event.completion.text:
                yield from _offered(event)
            case Accepted():
                taken = "all of it" if event.whole else repr(event.key.text)
                yield f"{_INDENT}  accepted: {taken}"
                yield from self._typed(event.screen)
            case Rejected():
                yield f"{_INDENT}  not accepted"

    def finish(self) -> Iterator[str]:
        """Yield the line that was being typed when the passage ended."""
        if self._screen is not None:
            yield from self._finish_line(self._screen)
        self._screen = None

    def _typed(self, screen: Screen) -> Iterator[str]:
        before, self._screen = self._screen, screen
        if before is not None and screen.before.count("\n") > before.before.count("\n"):
            yield from self._finish_line(before)

    def _finish_line(self, screen: Screen) -> Iterator[str]:
        yield f"{screen.before.count(chr(10)) + 1:>5} {_current(screen)}"
        yield f"{_INDENT}  {cost(self._line)}"
        self._line = Tally()


def _offered(event: Answered) -> Iterator[str]:
    completion = event.completion
    line = event.screen.before[event.screen.before.rfind("\n") + 1 :]
    yield f"{_INDENT}? {line}{offer(completion)}"
    yield f"{_INDENT}  [{who(event).plain}; {price(completion)}] {completion.reason}"


def _current(screen: Screen) -> str:
    rest = (screen.pending + screen.after).split("\n", 1)[0]
    return screen.before[screen.before.rfind("\n") + 1 :] + rest
