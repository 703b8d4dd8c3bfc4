"""Pieces of documents: of those visited lately, of what was changed in them, of the same one out of sight (pure)."""

from collections.abc import Iterator

from jouline.pipeline.scene import Excerpt, Scene, Visited, file_name

CHUNK_LINES = 16
"""As many lines as fit some hundred tokens; llama.vim's are 64, for prompts of thousands."""
EDIT_LINES = 16
_MOST_CHARS = 200_000


def visited_chunks(scene: Scene) -> Iterator[Excerpt]:
    """Yield pieces of the other documents visited in this session."""
    for document in scene.others:
        yield from _chunks(document.uri, document.text[:_MOST_CHARS])


def far_chunks(scene: Scene) -> Iterator[Excerpt]:
    """Yield pieces of the request's own document that are too far from the cursor to be in its window."""
    request, near = scene.request, scene.seen_chars
    for chunk in _chunks(request.uri, request.text[:_MOST_CHARS]):
        begin = chunk.at or 0
        if begin + len(chunk.text) < request.offset - near or begin > request.offset + near:
            yield chunk


def recent_edits(scene: Scene) -> Iterator[Excerpt]:
    """Yield the lines that were changed in other documents in this session, the latest document first."""
    for document in scene.others:
        if edit := _edit(document):
            yield edit


def _edit(document: Visited) -> Excerpt | None:
    """Return the lines from the first to the last changed one, cut to some, None if nothing was changed."""
    if document.first == document.text:
        return None
    before, after = document.first.splitlines(keepends=True), document.text.splitlines(keepends=True)
    most = min(len(before), len(after))
    start = next((n for n in range(most) if before[n] != after[n]), most)
    same_end = next((n for n in range(most - start) if before[-1 - n] != after[-1 - n]), most - start)
    changed = after[start : len(after) - same_end][:EDIT_LINES]
    text = "".join(changed)
    if not text.strip():
        return None
    return Excerpt(name=file_name(document.uri), text=text, uri=document.uri, at=len("".join(after[:start])))


def _chunks(uri: str, text: str) -> Iterator[Excerpt]:
    """Cut a text into pieces of some lines, at blank lines where there are any."""
    lines = text.splitlines(keepends=True)
    start = at = 0
    while start < len(lines):
        end = min(len(lines), start + CHUNK_LINES)
        blank = next((n for n in range(end - 1, start + CHUNK_LINES // 2, -1) if not lines[n].strip()), end)
        piece = "".join(lines[start:blank])
        if piece.strip():
            yield Excerpt(name=file_name(uri), text=piece, uri=uri, at=at)
        at += len(piece)
        start = blank
