"""The language server: its settings, its engine's life, and what it tells the editor."""

import asyncio
import contextlib
import logging
import signal
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from jouline import __version__
from jouline.cancel import Cancelled, CancelToken
from jouline.completion import Completion, Feedback
from jouline.config import Config, Folders, by_cause, load
from jouline.errors import JoulineError
from jouline.hardware import PowerSource, power_source, sysfs_root
from jouline.lsp.documents import Document
from jouline.lsp.host import App, Host
from jouline.lsp.journal import describe, request_line, set_detail
from jouline.lsp.offers import Offers
from jouline.lsp.parent import wait_for_end
from jouline.lsp.power import PowerWatch
from jouline.lsp.protocol import STATUS, EnergyTotals, Recommended, StatusParams, to_wire
from jouline.lsp.running import Running
from jouline.lsp.status import ON_BATTERY, SWITCHED_OFF, Facts, status
from jouline.lsp.translate import Question, Refusal, question
from jouline.lsp.wire import Protocol, plain_converter
from jouline.pipeline.exclusions import Exclusions

log = logging.getLogger(__name__)

NOTHING_ASKED = "No completion was asked for at this place."
STOPPED = "The completion engine stopped working; run `jouline doctor`, or restart the server."
PULL_WAIT_S = 5.0
BATTERY_FACTOR = 2.0  # times as long a wait where energy is to be saved on battery
THINKING_SHOWN_AFTER_S = 0.05  # a request that ends before, as most do while one types, leaves the status alone
NOTHING: Mapping[str, object] = MappingProxyType({})


def power_now() -> PowerSource:
    """Say whether this machine runs on mains or on its battery."""
    return power_source(sysfs_root())


def _log_stray(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Log where an error that nobody awaited arose; asyncio's own handler would print what it worked on."""
    error = context.get("exception")
    log.error("stray: %s", describe(error) if isinstance(error, BaseException) else "an event loop's warning")


def _retrieve(work: "asyncio.Future[Completion]") -> None:
    """Take a finished future's error, so that asyncio does not report it as never looked at."""
    if not work.cancelled():
        work.exception()


class Server(LanguageServer):
    """One client's server.

    `build` opens the engine, `fields` tells a completion as JSON, `pairs` lists the catalogue,
    `recommend` names the pair that suits the machine, `pull` fetches a pair, telling model and bytes; `leave` ends the
    process when the editor's process has died or one of `signals` came. `problems` are sentences shown to the person
    once the client listens. `power` is where the power comes from now; else the machine is asked, seldom. `pause` lets
    so many seconds pass. A request is told as the state `thinking` once it takes longer than `shown_after_s`.
    """

    protocol: Protocol

    def __init__(
        self,
        *,
        build: Callable[[Config], App],
        folders: Folders,
        fields: Callable[[Completion], dict[str, Any]],
        pairs: Callable[[], list[dict[str, Any]]],
        recommend: Callable[[], Recommended],
        pull: Callable[[str, Callable[[str, int, int | None], None], CancelToken], None],
        leave: Callable[[], None],
        power: Callable[[], PowerSource] | None = None,
        pause: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
        problems: Sequence[str] = (),
        signals: Sequence[signal.Signals] = (),
        shown_after_s: float = THINKING_SHOWN_AFTER_S,
    ) -> None:
        super().__init__("jouline", __version__, protocol_cls=Protocol, converter_factory=plain_converter)
        self.fields = fields
        self.pairs = pairs
        self.recommend = recommend
        self.pull = pull
        self.offers = Offers()
        self.running = Running()
        self.facts = Facts()
        self.exit_code = 0
        self.asked_to_shut_down = False
        self.config = Config()
        self._exclusions = Exclusions()
        self._folders = folders
        self._power = power or PowerWatch(power_now, time.monotonic)
        self._pause = pause
        self._leave = leave
        self._signals = signals
        self._shown_after_s = shown_after_s
        self._host = Host(build)
        self._initial: Mapping[str, object] = NOTHING
        self._begun = asyncio.Event()
        self._settling: asyncio.Task[None] | None = None
        self._setup_trouble: str | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._declined: tuple[str, str] | None = None
        self._told: set[str] = set()
        self._unsaid = list(problems)
        self._last_status: StatusParams | None = None

    # Settings

    def read_initial_settings(self, options: object) -> None:
        """Take up `initializationOptions`; what does not fit is told once the client listens."""
        self._initial = options if isinstance(options, Mapping) else NOTHING
        self._read_settings(NOTHING)

    def change_settings(self, settings: object) -> None:
        """Take up what `workspace/didChangeConfiguration` or a pull brought, and bring the engine in line."""
        self._read_settings(settings if isinstance(settings, Mapping) else NOTHING)
        if not self.config.enable:
            self.running.cancel_all()
        self.begin_settling()

    def _read_settings(self, changed: Mapping[str, object]) -> None:
        before = self.config
        self.config, problems = load(self._folders.user_file, self._initial, changed)
        self._exclusions = Exclusions(self.config.exclude)
        self.facts.enabled = self.config.enable
        self._forget_reasons(before)
        models_changed = (before.model_small, before.model_large) != (
            self.config.model_small,
            self.config.model_large,
        )
        self.facts.loading = self.config.enable and (self._host.app is None or models_changed)
        self._unsaid += problems
        set_detail(debug=self.config.debug_log)

    def _forget_reasons(self, before: Config) -> None:
        """Say no longer what earlier settings were the reason of."""
        now = self.config
        if now.enable != before.enable:
            self.facts.last_reason = ""
        if (now.languages, now.exclude) != (before.languages, before.exclude):
            self.facts.off = None
        if now.on_battery != before.on_battery:
            self.facts.paused = False
        if now != before:
            self._declined = None

    async def pull_settings(self) -> bool:
        """Ask the client for its settings and take them up; False where it cannot be asked or does not answer."""
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return False
        wanted = types.ConfigurationParams(items=[types.ConfigurationItem(section="jouline")])
        try:
            answers = await asyncio.wait_for(self.workspace_configuration_async(wanted), PULL_WAIT_S)
        except (JsonRpcException, TimeoutError):
            return False
        self.change_settings(answers[0] if answers else None)
        return True

    @property
    def was_given_settings(self) -> bool:
        """Whether `initializationOptions` held anything."""
        return bool(self._initial)

    # The engine's life

    def begin_settling(self) -> None:
        """Bring the engine in line with the settings, in the background."""
        for problem in self._unsaid:
            self.tell_once(by_cause(problem, self._folders))
        self._unsaid.clear()
        work = self._host.settle(self.config)
        self._settling = asyncio.ensure_future(self._settle(work))
        self._begun.set()
        if self.facts.loading:
            self._begin(self._show_progress(work))

    def begin_watching(self) -> None:
        """Watch for the end of the editor's process, and for signals to end, in the background."""
        self._begin(self._watch_editor())
        asyncio.get_running_loop().set_exception_handler(_log_stray)
        for each in self._signals:
            with contextlib.suppress(NotImplementedError):  # Windows: the process just ends
                asyncio.get_running_loop().add_signal_handler(each, self._end)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)  # the event loop itself holds tasks only weakly
        task.add_done_callback(self._background.discard)

    async def _settle(self, work: "Future[App | None]") -> None:
        self.announce()
        with self._trouble_told("The completion engine could not be started; run `jouline doctor`."):
            app = await asyncio.wrap_future(work)
            self.facts.trouble = None
            for problem in app.problems if app else ():
                self.tell_once(by_cause(problem, self._folders))
        self._setup_trouble = self.facts.trouble
        if self._settling is asyncio.current_task():  # else other settings have come meanwhile
            self.facts.loading = False
            self.announce()

    async def _show_progress(self, work: "Future[App | None]") -> None:
        window = self.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        token = str(uuid.uuid4())
        try:
            await self.work_done_progress.create_async(token)
        except JsonRpcException:
            return  # the client would rather not
        self.work_done_progress.begin(token, types.WorkDoneProgressBegin(title="Jouline: loading the models"))
        await asyncio.wait([asyncio.wrap_future(work)])
        self.work_done_progress.end(token, types.WorkDoneProgressEnd())

    async def _watch_editor(self) -> None:
        if await wait_for_end(self.process_id):
            log.info("the editor has ended")
            self._end()

    def _end(self) -> None:
        self.close()
        self._leave()

    def close(self) -> None:
        """Stop what runs and free the models; return when that is done."""
        self.running.cancel_all()
        self._host.close()

    # Requests

    def ask(self, params: types.InlineCompletionParams) -> Question | Refusal:
        """Return what a request asks for under the present settings, or why it gets no answer."""
        if not self.config.enable:
            return Refusal(reason=SWITCHED_OFF)
        on_battery = self.config.on_battery != "same" and self._power() == "battery"
        self.facts.paused = on_battery and self.config.on_battery == "pause"
        if self.facts.paused:
            return Refusal(reason=ON_BATTERY)
        config = replace(self.config, energy_saving=100) if on_battery else self.config
        document = self.protocol.documents.get(params.text_document.uri)
        self.facts.off = self._off_here(document) if document else None
        if self.facts.off:
            return Refusal(reason=self.facts.off)
        asked = question(params, document, config, self.protocol.encoding)
        return asked if isinstance(asked, Refusal) else asked.typed(self.protocol.keystrokes)

    def _off_here(self, document: Document) -> str | None:
        if self.config.completes(document.language):
            return self._exclusions.of_file(document.uri, document.language)
        return f"Jouline is switched off for {document.language} files (jouline.languages)."

    async def complete(self, asked: Question, cancel: CancelToken) -> Completion | None:
        """Return the engine's answer once the engine is ready; None if there is none or nobody wants it any more."""
        await self._begun.wait()
        if self._settling is not None:
            await asyncio.shield(self._settling)
        if self._host.app is None or not await self._wanted_still(self._host.app, asked, cancel):
            return None
        completion = None
        with self._thinking(), self._trouble_told(STOPPED):
            work = asyncio.wrap_future(self._host.app.submit(asked.request, cancel))
            work.add_done_callback(_retrieve)  # where nobody waits any more
            completion = await asyncio.shield(work)
            self.facts.trouble = self._setup_trouble
            self.facts.model, self.facts.last_reason = completion.model, completion.reason
            log.info(request_line(completion, asked.request.language))
        return completion

    async def _wanted_still(self, app: App, asked: Question, cancel: CancelToken) -> bool:
        """Wait for a pause in the typing where the request is worth no more; say whether it was not superseded."""
        if cancel.cancelled:
            return False
        factor = BATTERY_FACTOR if self.config.on_battery != "same" and self._power() == "battery" else 1.0
        left_ms = app.wait_ms(asked.request, factor=factor) - self.protocol.since_last_key_ms()
        if left_ms <= 0:
            return True
        await self._pause(left_ms / 1e3)
        return not cancel.cancelled and self.protocol.documents.get(asked.document.uri) is asked.document

    def decline(self, uri: str, refusal: Refusal) -> None:
        """Show why a request in a document got no answer."""
        if not self.facts.silent:
            self.facts.last_reason = refusal.reason
        self._declined = uri, refusal.reason
        log.debug("declined: %s", refusal.reason)
        self.announce()

    @contextlib.contextmanager
    def _thinking(self) -> Iterator[None]:
        shown = 0

        def show() -> None:
            nonlocal shown
            shown = 1
            self.facts.thinking += shown
            self.announce()

        later = asyncio.get_running_loop().call_later(self._shown_after_s, show)
        try:
            yield
        finally:
            later.cancel()
            self.facts.thinking -= shown
            self.announce()

    @property
    def app(self) -> App | None:
        """The engine, None while it is not open."""
        return self._host.app

    def visit(self, uri: str) -> None:
        """Note that a document was opened; one that is switched off here is of no use to the others either."""
        document = self.protocol.documents.get(uri)
        if self._host.app and document and self._off_here(document) is None:
            self._host.app.visited(document.uri, document.language, document.text)

    # What the editor is told

    def feed_back(self, feedback: Feedback | None) -> None:
        """Pass on what became of a suggestion."""
        if feedback is not None:
            self._host.feedback(feedback)

    def explain(self, uri: str, offset: int | None) -> Completion | str:
        """Return the last answer at a place of a document, or in one sentence why there was none."""
        app = self._host.app
        completion = app.explain(uri, offset) if app and offset is not None else None
        if completion is not None:
            return completion
        if self._declined and self._declined[0] == uri:
            return self._declined[1]
        return self.facts.trouble or NOTHING_ASKED

    def energy(self) -> EnergyTotals:
        """Return the session's totals."""
        if self._host.app is None:
            return EnergyTotals()
        totals = self._host.app.session_energy()
        return EnergyTotals(
            saved_joules=totals.saved_joules,
            saved_stddev=totals.saved_joules_stddev,
            spent_joules=totals.spent_joules,
            cancelled_joules=totals.cancelled_joules,
            load_joules=totals.load_joules,
            residency_joules=totals.residency_joules,
            accepted_chars_per_joule=totals.accepted_chars_per_joule,
            method=totals.method,
            source=totals.source,
            switches=tuple(switch.sentence for switch in totals.switches),
            requests=totals.requests,
        )

    def announce(self) -> None:
        """Send the status, unless the editor has it already."""
        now = status(self.facts, self.energy())
        if now != self._last_status:
            self._last_status = now
            self.protocol.notify(STATUS, to_wire(now))

    def tell_once(self, message: str) -> None:
        """Show a message, each only once a session."""
        if message in self._told:
            return
        self._told.add(message)
        self.window_show_message(types.ShowMessageParams(type=types.MessageType.Warning, message=message))

    @contextlib.contextmanager
    def _trouble_told(self, otherwise: str) -> Iterator[None]:
        """Turn an error into the state `trouble` and one message; its text where it is fit for a person."""
        try:
            yield
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001  the one place where a broken part is caught; the rest goes on
            log.error("trouble: %s", describe(error))  # noqa: TRY400  a traceback may quote source text
            self.facts.trouble = str(error) if isinstance(error, JoulineError) else otherwise
            self.tell_once(self.facts.trouble)

    def report_server_error(self, error: Exception, _source: Any) -> None:
        """Log where pygls met an error; nothing pops up in the editor for it."""
        log.warning("protocol: %s", describe(error))
