"""minicaffe studio: nets designed, trained and looked into in the browser."""

from __future__ import annotations

from contextlib import suppress

from ..errors import ConfigError, extra
from ..importing import load
from . import parsing, terminal

PORT = 8811
LOCAL = "127.0.0.1"


def parser() -> parsing.Parser:
    p = parsing.Parser(
        "studio",
        "Design nets, make data sets, train, look inside and try nets in the browser. Prints the address,"
        " with the token that opens it; everything stays on this machine.",
    )
    p.add_argument(
        "folder", nargs="?", default=".", metavar="FOLDER", help="of runs and data sets (default .)"
    )
    p.flag(
        "port",
        type=parsing.at_least(0),
        default=PORT,
        metavar="N",
        help=f"default {PORT}; 0: any that is free",
    )
    p.flag(
        "host",
        default=LOCAL,
        metavar="ADDRESS",
        help=f"where to listen (default {LOCAL}: this machine alone)",
    )
    p.flag("no_browser", action="store_true", help="open no browser")
    p.flag(
        "root",
        action="append",
        default=[],
        metavar="DIR",
        help="files may be read from here too; may be repeated",
    )
    p.flag("new_token", action="store_true", help="make a new token: who has the old one is locked out")
    p.flag(
        "allow_python_layers", action="store_true", help="let nets of the page run Python code beside them"
    )
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if args.port > 65535:
        raise ConfigError(f"--port is at most 65535; got {args.port}")
    try:
        server, workspace = load("studio.server"), load("studio.workspace")
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "anyio"):
            raise
        raise ConfigError(f"the studio needs the package {error.name}", hint=extra("studio")) from None
    place = workspace.Workspace(args.folder, args.root, allow_python_layers=args.allow_python_layers)
    if not server.is_local(args.host):
        terminal.complain(
            f"warning: --host {args.host}: other machines reach the studio, and what passes between can be"
            " read on the way; ssh -L to the default address is safer"
        )

    def say(address: str) -> None:
        terminal.put(address + "\n")
        terminal.flush()

    with suppress(KeyboardInterrupt):  # that is how it ends
        server.serve(place, args.host, args.port, say, new_token=args.new_token, browser=not args.no_browser)
    return 0
