"""Between the editor's words and ours: what an inline completion request asks, and how its answer looks. Pure."""

from dataclasses import dataclass, replace

from lsprotocol import types

from jouline.completion import Candidate, Completion, CompletionRequest, Trigger
from jouline.config import Config
from jouline.lsp.documents import Document
from jouline.lsp.positions import Encoding
from jouline.lsp.protocol import ACCEPTED
from jouline.pipeline.options import PipelineOptions
from jouline.pipeline.trigger import Keystrokes

MAX_DOCUMENT_CHARS = PipelineOptions().max_document_chars
CANDIDATES = 3
"""So many different texts are offered at most to who asks by hand; the editor cycles through them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is not passed on, in one sentence."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request as it is passed on, and where its answer goes.

    The item that answers it replaces the code points of `document` from `start` to `end` (and those that the
    completion takes the place of), and begins with `lead`.
    """

    request: CompletionRequest
    document: Document
    start: int
    end: int
    lead: str = ""

    def typed(self, keys: Keystrokes) -> "Question":
        """Return the question with the person's rhythm."""
        request = replace(
            self.request, deleted=keys.deleted, last_gap_ms=keys.last_gap_ms, usual_gap_ms=keys.usual_gap_ms
        )
        return replace(self, request=request)


def question(
    params: types.InlineCompletionParams, document: Document | None, config: Config, encoding: Encoding
) -> Question | Refusal:
    """Return what the editor asks, or why there will be no answer."""
    if document is None:
        return Refusal(reason="The document is not open in the editor.")
    if unfit := _unfit(document):
        return Refusal(reason=unfit)
    cursor = document.offset(params.position, encoding)
    if cursor is None:
        return Refusal(reason="The cursor is beyond the end of the document.")
    selected = params.context.selected_completion_info
    if selected is None:
        request = _request(params, document, config, cursor)
        return Question(request=request, document=document, start=cursor, end=cursor)
    return _beyond_selected(params, document, config, encoding, cursor=cursor, selected=selected)


def _unfit(document: Document) -> str | None:
    """Return why a document is never completed, None where it is."""
    if document.read_only:
        return "The document is read-only."
    if len(document.text) > MAX_DOCUMENT_CHARS:
        return f"The document is longer than {MAX_DOCUMENT_CHARS:,} characters."
    return "The document looks binary, as it holds a null character." if "\0" in document.text else None


def answer(asked: Question, completion: Completion, encoding: Encoding) -> types.InlineCompletionList:
    """Return the completion as the editor takes it: its candidates, or no item where nothing is offered."""
    if not completion.text:
        return types.InlineCompletionList(items=[])
    all_of_it = (Candidate(text=completion.text, replace=completion.replace), *completion.others)
    items = [
        _item(asked, candidate, item_id(completion.id, number), encoding) for number, candidate in enumerate(all_of_it)
    ]
    return types.InlineCompletionList(items=items)


def item_id(completion_id: str, number: int) -> str:
    """Return the id of a completion's item: its own for the first, with a number behind it for another candidate."""
    return f"{completion_id}.{number}" if number else completion_id


def _item(asked: Question, candidate: Candidate, name: str, encoding: Encoding) -> types.InlineCompletionItem:
    document = asked.document
    rest = document.text[asked.end : asked.end + candidate.replace]
    reached = asked.end + len(rest.splitlines()[0] if rest else "")  # an item's range stays on one line
    return types.InlineCompletionItem(
        insert_text=asked.lead + candidate.text,
        range=types.Range(start=document.position(asked.start, encoding), end=document.position(reached, encoding)),
        command=types.Command(title="Accepted", command=ACCEPTED, arguments=[name]),
    )


def _beyond_selected(
    params: types.InlineCompletionParams,
    document: Document,
    config: Config,
    encoding: Encoding,
    *,
    cursor: int,
    selected: types.SelectedCompletionInfo,
) -> Question | Refusal:
    """Complete what the document will be with the suggest widget's item in it.

    Editors show an item beside the widget only if it has the widget's range and begins with the widget's text.
    """
    start, end = (document.offset(place, encoding) for place in (selected.range.start, selected.range.end))
    if start is None or end is None or not start <= cursor <= end:
        return Refusal(reason="The selected suggestion does not belong to the cursor's place.")
    if not selected.text.startswith(document.text[start:cursor]):
        return Refusal(reason="The selected suggestion does not continue what was typed.")
    text = document.text[:start] + selected.text + document.text[end:]
    ahead = Document(uri=document.uri, language=document.language, text=text)
    request = _request(params, ahead, config, start + len(selected.text))
    return Question(request=request, document=document, start=start, end=end, lead=selected.text)


def _request(
    params: types.InlineCompletionParams, document: Document, config: Config, offset: int
) -> CompletionRequest:
    invoked = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    trigger: Trigger = "invoked" if invoked else "automatic"
    return CompletionRequest(
        uri=document.uri,
        language=document.language,
        text=document.text,
        offset=offset,
        trigger=trigger,
        energy_saving=config.energy_saving,
        candidates=CANDIDATES if invoked else 1,
        multiline="never" if params.context.selected_completion_info else "auto",
    )
