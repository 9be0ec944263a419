"""How the stand-ins listen: one process, one address, TLS when there is a certificate."""

from __future__ import annotations

from pathlib import Path

import uvicorn
from fastapi import FastAPI


def serve(
    app: FastAPI, host: str, port: int, certificate: Path | None = None, key: Path | None = None
) -> None:
    """Serve until SIGTERM; requests are logged without their bodies and headers."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        ssl_certfile=str(certificate) if certificate else None,
        ssl_keyfile=str(key) if key else None,
        log_level="info",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
