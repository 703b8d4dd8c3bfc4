"""`jouline serve`: the language server."""

import argparse
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from jouline.cli import shop
from jouline.cli.form import completion_fields
from jouline.config import Config, Folders
from jouline.lsp.stdio import claim_stdio

if TYPE_CHECKING:
    from jouline.app import App
    from jouline.lsp.server import Server

LOOPBACK = "127.0.0.1"


def register(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("serve", help="the language server, for an editor to start")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--stdio", action="store_true", help="speak over stdin and stdout (as usual)")
    way.add_argument("--tcp", type=_port, metavar="PORT", help="listen on this port of 127.0.0.1 instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve one client until it leaves; its standard output holds nothing but the protocol."""
    streams = None if args.tcp else claim_stdio()
    server = _server()
    try:
        if streams:
            server.start_io(*streams)
        else:
            print(f"jouline: listening on {LOOPBACK}:{args.tcp}", file=sys.stderr)
            server.start_tcp(LOOPBACK, args.tcp)
    except SystemExit:
        pass  # pygls leaves so when the client says `exit`; what it should leave with is the server's exit code
    except OSError as error:
        print(
            f"jouline: port {args.tcp} cannot be used ({error.strerror}); choose another one.",
            file=sys.stderr,
        )
        return 1
    finally:
        server.close()
    return server.exit_code


def _server() -> "Server":
    from jouline.lsp.handlers import register as with_handlers
    from jouline.lsp.journal import open_journal
    from jouline.lsp.server import Server

    folders = Folders.find()
    problem = open_journal(folders.log)
    return with_handlers(
        Server(
            build=_build,
            folders=folders,
            fields=completion_fields,
            pairs=partial(shop.pairs, folders),
            recommend=partial(shop.recommended, folders),
            pull=partial(shop.pull_pair, folders),
            leave=lambda: os._exit(0),
            problems=[problem] if problem else [],
            signals=(signal.SIGTERM, signal.SIGINT),
        )
    )


def _build(config: Config) -> "App":
    from jouline.app import build  # heavy: opens the engine's libraries, so in the background

    return build(config)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; choose a number from 1 to 65535")
    return int(text)
