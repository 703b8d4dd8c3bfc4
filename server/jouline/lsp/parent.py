"""The editor's process: a server whose editor has died must not stay behind."""

import asyncio
from collections.abc import Awaitable, Callable

import psutil

LOOK_EVERY_S = 3.0


async def wait_for_end(process_id: int | None, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> bool:
    """Return True when that process has ended; False at once if it cannot be watched.

    An editor in another container names a process that this one cannot see; its end shows as the end of the input.
    """
    if process_id is None or process_id <= 0:
        return False
    try:
        editor = psutil.Process(process_id)
    except psutil.Error:
        return False
    while _runs(editor):
        await sleep(LOOK_EVERY_S)
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
