"""Bodies of ``application/x-www-form-urlencoded``, as OAuth 2 endpoints read them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request


class FormBody:
    """The fields of a form; of one that is given twice, the first."""

    def __init__(self, text: str) -> None:
        self._fields = parse_qs(text, keep_blank_values=True)
        self.first = {name: values[0] for name, values in self._fields.items()}

    @property
    def scopes(self) -> list[str]:
        """The words of every ``scope`` field."""
        return [word for value in self._fields.get("scope", []) for word in value.split()]


async def _read(request: Request) -> FormBody:
    return FormBody((await request.body()).decode("utf-8", "replace"))


Form = Annotated[FormBody, Depends(_read)]
