"""The live view of a replay: the code being typed, what became of each request and why, joules and totals."""

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.text import Text

from jouline.completion import Completion
from jouline.replay.code_view import CodeView, Flash
from jouline.replay.events import Accepted, Answered, Began, Event, Rejected, Screen, Superseded, Typed
from jouline.replay.sources import SourceFile
from jouline.replay.tally import Tally
from jouline.replay.wording import offer, price, totals, who

_FLASH_MS = 700.0
_WIDE_COLUMNS = 110
_SIDE_COLUMNS = 46
_BOTTOM_ROWS = 12
_REQUEST_ROWS = 8
_SUGGESTION_ROWS = 5
LEAST_COLUMNS, LEAST_ROWS = 50, 16  # below that there is no room for all three parts
_LAST = "last suggestion"
_NOTHING = Text("nothing yet", style="dim")


class Stage:
    """What is on the stage now. `show` takes the next event; drawing changes nothing."""

    def __init__(self, source: SourceFile, *, title: str, passages: int, seed: int) -> None:
        """`title` names the file on screen; `passages` is how many will be typed, drawn by `seed`."""
        self.tally = Tally()
        self._view = CodeView(source.text, source.language)
        self._title = title
        self._parts = f"of {passages}, drawn by seed {seed}"
        self._passage = 0
        self._screen = Screen(before="", pending="", after=source.text)
        self._ghost: Completion | None = None
        self._flash: Flash | None = None
        self._flash_until_ms = 0.0
        self._now: list[Text] = [_NOTHING]
        self._last: Answered | None = None
        self._fate = Text("offered")

    def show(self, event: Event) -> None:
        """Take in what happened."""
        self.tally.add(event)
        if event.at_ms > self._flash_until_ms:
            self._flash = None
        match event:
            case Began():
                self._screen, self._ghost = event.screen, None
                self._passage += 1
            case Typed():
                self._screen, self._ghost = event.screen, None
            case Answered():
                self._answer(event)
            case Accepted():
                self._accept(event)
            case Rejected():
                self._fate = Text("not accepted", style="yellow")
            case Superseded():
                self._now = [Text(f"stopped after {event.engine_ms:.0f} ms: the next key came first", style="yellow")]

    def _answer(self, event: Answered) -> None:
        completion = event.completion
        self._ghost = completion if completion.text else None
        self._now = [
            who(event).append("" if completion.text else ", no offer", style="yellow"),
            Text(price(completion)),
            Text(completion.reason, style="dim"),
        ]
        if completion.text and not event.again:
            self._last, self._fate = event, Text("offered")

    def _accept(self, event: Accepted) -> None:
        self._screen, self._ghost = event.screen, None
        end = len(event.screen.before)
        self._flash = Flash(start=end - len(event.key.text), end=end)
        self._flash_until_ms = event.at_ms + _FLASH_MS
        self._fate = Text("accepted" if event.whole else f"accepted {event.key.text!r} of", style="bold green")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the stage as large as the terminal is."""
        width, height = options.max_width, options.height or console.height
        yield self._wide(width, height) if width >= _WIDE_COLUMNS else self._narrow(width, height)

    def _wide(self, width: int, height: int) -> Layout:
        layout, side = Layout(), Layout(size=_SIDE_COLUMNS)
        request = Layout(_panel("this key", self._now), size=_REQUEST_ROWS)
        suggestion = Layout(_panel(_LAST, self._suggestion()), size=_SUGGESTION_ROWS)
        side.split_column(request, suggestion, Layout(self._totals()))
        layout.split_row(Layout(self._code(width - _SIDE_COLUMNS, height)), side)
        return layout

    def _narrow(self, width: int, height: int) -> Layout:
        layout, below = Layout(), Layout(size=_BOTTOM_ROWS)
        rule = Text(f"─ {_LAST} ─", style="dim")
        request = _panel("this key", [*self._now, rule, *self._suggestion()])
        below.split_row(Layout(request), Layout(self._totals()))
        layout.split_column(Layout(self._code(width, height - _BOTTOM_ROWS)), below)
        return layout

    def _code(self, width: int, height: int) -> Panel:
        drawn = self._view.draw(
            self._screen, self._ghost, self._flash, width=max(width - 4, 10), height=max(height - 2, 1)
        )
        note = f"typing again: part {self._passage} {self._parts}"
        title = Text(self._title, style="bold")
        return Panel(drawn, title=title, subtitle=note, title_align="left", subtitle_align="right")

    def _suggestion(self) -> list[Text]:
        if self._last is None:
            return [_NOTHING]
        text = Text.assemble(self._fate, " ", (offer(self._last.completion), "italic"))
        text.no_wrap, text.overflow = True, "ellipsis"
        return [text, who(self._last)]

    def _totals(self) -> Panel:
        return _panel("so far", totals(self.tally))


def _panel(title: str, lines: list[Text]) -> Panel:
    content: list[RenderableType] = [*lines]
    return Panel(Group(*content), title=title, title_align="left")
