"""What the stand-ins' servers share: arguments, HTTP server, and form bodies."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs

import uvicorn
from fastapi import Depends, FastAPI, Request


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments that :func:`serve` reads."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, required=True)
    made.add_argument("--certificate", type=Path, help="PEM file; without it, plain HTTP")
    made.add_argument("--key", type=Path, help="PEM file")
    return made


def serve(app: FastAPI, arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM. Requests are logged without bodies and headers."""
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        ssl_certfile=arguments.certificate,
        ssl_keyfile=arguments.key,
        log_level="info",
        server_header=False,
        timeout_graceful_shutdown=2,
    )


class FormBody:
    """A body of type ``application/x-www-form-urlencoded``."""

    def __init__(self, text: str) -> None:
        self._fields = parse_qs(text, keep_blank_values=True)
        self.first = {name: values[0] for name, values in self._fields.items()}
        """The first value of each field."""

    @property
    def scopes(self) -> list[str]:
        """The words of every ``scope`` field."""
        return [word for value in self._fields.get("scope", []) for word in value.split()]


async def _read(request: Request) -> FormBody:
    return FormBody((await request.body()).decode("utf-8", "replace"))


Form = Annotated[FormBody, Depends(_read)]
