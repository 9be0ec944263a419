"""A requests session that reads the certificate authorities once.

requests reads them anew for every host: for a registry and its token service that takes longer than
all our questions to them.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from manifest_engine.hooks.core import http_answers


def session(verify: bool | str) -> requests.Session:
    """
    :param verify: True for the usual authorities, or the path of a file or folder with others.
    :raises OSError: when there is no such file.
    """
    path = Path(certifi.where() if verify is True else str(verify))
    made = http_answers.session()
    made.mount("https://", _Trusting(_context(path, path.stat().st_mtime_ns)))
    return made


@lru_cache(maxsize=8)
def _context(path: Path, changed: int) -> ssl.SSLContext:
    """:param changed: a file that was renewed is read anew."""
    context = create_urllib3_context()
    context.load_verify_locations(**{"capath" if path.is_dir() else "cafile": str(path)})
    return context


class _Trusting(HTTPAdapter):
    """Verifies by its own context, whatever ``verify`` and the environment say."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **options)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """With True, requests names no file that urllib3 would load into the context again."""
        return super().build_connection_pool_key_attributes(request, True, cert)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to load."""
