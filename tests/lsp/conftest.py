"""A session with the scripted engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.lsp.fake import ScriptedEditor, editor_session


@pytest_asyncio.fixture
async def editor(tmp_path: Path) -> AsyncIterator[ScriptedEditor]:
    """Connect a client to a server; nothing has been said yet."""
    async with editor_session(tmp_path) as session:
        yield session
