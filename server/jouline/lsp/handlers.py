"""What the server does for each message; one function a method."""

import asyncio
from collections.abc import Callable
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from jouline.lsp import panel, protocol
from jouline.lsp.protocol import from_wire, to_wire
from jouline.lsp.server import Server
from jouline.lsp.translate import Refusal, answer


async def inline_completion(ls: Server, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    """Answer with what is offered, or nothing; a request that is cancelled or overtaken frees the engine at once."""
    asked = ls.ask(params)
    if isinstance(asked, Refusal):
        ls.decline(params.text_document.uri, asked)
        return types.InlineCompletionList(items=[])
    with ls.running.newest(asked.request.uri) as cancel:
        try:
            completion = await ls.complete(asked, cancel)
        except asyncio.CancelledError:
            cancel.cancel()  # the decode loop and llama.cpp itself look at it
            raise
    if completion is None or cancel.cancelled:
        return types.InlineCompletionList(items=[])
    if completion.text:
        ls.feed_back(ls.offers.offered(completion, asked.lead))
    return answer(asked, completion, ls.protocol.encoding)


def initialize(ls: Server, params: types.InitializeParams) -> None:
    """Read the settings; the answer does not wait for the models."""
    ls.read_initial_settings(params.initialization_options)


async def initialized(ls: Server, _params: types.InitializedParams) -> None:
    """Load the models in the background, and watch for the editor's end."""
    ls.begin_watching()
    if ls.was_given_settings or not await ls.pull_settings():
        ls.begin_settling()


async def did_change_configuration(ls: Server, params: types.DidChangeConfigurationParams) -> None:
    """Take up new settings; a client that sends none wants to be asked."""
    if params.settings:
        ls.change_settings(params.settings)
    else:
        await ls.pull_settings()


def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    """Note the document among those visited; `wire` has taken it up before."""
    ls.visit(params.text_document.uri)


def shutdown(ls: Server, *_params: object) -> None:
    """Note that the client leaves as it should."""
    ls.asked_to_shut_down = True


def exit_(ls: Server, *_params: object) -> None:
    """Leave; LSP 3.18, "Exit Notification": with 1 if no shutdown came before."""
    ls.exit_code = 0 if ls.asked_to_shut_down else 1


def accepted(ls: Server, *arguments: object) -> None:
    """Note that the person took the whole suggestion."""
    match arguments:
        case (str(completion_id),):
            pass
        case _:  # checked here, as pygls would answer with where in our code it failed
            raise JsonRpcInvalidParams(f"{protocol.ACCEPTED} takes one argument, the id of the suggestion, as text.")
    ls.feed_back(ls.offers.accepted(completion_id))


def did_show(ls: Server, params: object) -> None:
    """Note that the client showed a suggestion."""
    ls.feed_back(ls.offers.shown(from_wire(protocol.DidShowParams, params).id))


def did_partially_accept(ls: Server, params: object) -> None:
    """Note that the person took a part."""
    taken = from_wire(protocol.DidPartiallyAcceptParams, params)
    ls.feed_back(ls.offers.partially_accepted(taken.id, taken.accepted_length))


def did_reject(ls: Server, params: object) -> None:
    """Note that the person turned it away."""
    ls.feed_back(ls.offers.rejected(from_wire(protocol.DidRejectParams, params).id))


def energy(ls: Server, _params: object) -> dict[str, Any]:
    """Return the session's totals."""
    return to_wire(ls.energy())


def explain(ls: Server, params: object) -> dict[str, Any]:
    """Return why there was, or was not, a suggestion at a place."""
    try:
        place = from_wire(protocol.ExplainParams, params)
    except ValueError as error:
        raise JsonRpcInvalidParams(str(error)) from None
    document = ls.protocol.documents.get(place.uri)
    at = types.Position(line=place.position.line, character=place.position.character)
    told = ls.explain(place.uri, document.offset(at, ls.protocol.encoding) if document else None)
    if isinstance(told, str):
        return {"reason": told}
    fields = {name: value for name, value in ls.fields(told).items() if name != "completion"}
    return to_wire(protocol.ExplainResult(reason=told.reason, completion=fields))


def models(ls: Server, _params: object) -> dict[str, Any]:
    """Return the catalogue's pairs."""
    return to_wire(protocol.ModelsResult(pairs=tuple(ls.pairs())))


FEATURES: dict[str, Callable[..., Any]] = {
    types.INITIALIZE: initialize,
    types.INITIALIZED: initialized,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    types.TEXT_DOCUMENT_DID_OPEN: did_open,
    types.SHUTDOWN: shutdown,
    types.EXIT: exit_,
    protocol.DID_SHOW: did_show,
    protocol.DID_PARTIALLY_ACCEPT: did_partially_accept,
    protocol.DID_REJECT: did_reject,
    protocol.ENERGY: energy,
    protocol.EXPLAIN: explain,
    protocol.MODELS: models,
    **panel.FEATURES,
}


def register(server: Server) -> Server:
    """Give the server its handlers."""
    for method, handler in FEATURES.items():
        server.feature(method)(handler)
    # Without options pygls does not announce the capability.
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(inline_completion)
    server.command(protocol.ACCEPTED)(accepted)
    return server
