"""The value types of a manifest, with a sentence for each kind of invalid value."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from manifest_engine.domain.core import names
from manifest_engine.domain.image import base_images

_DNS_LABEL, _VERSION = re.compile(names.DNS_LABEL), re.compile(names.VERSION)
_ENV_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_SECRET_KEY = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$")
_NOT_IN_A_PATH = frozenset('\\:|?*"<>;#%')
"""Characters that Artifactory refuses in names, and characters that end a path or are decoded in
its URLs (``;`` begins matrix parameters)."""
_URL_PATH = r"^/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
"""RFC 3986: path-absolute with an optional query, in ASCII."""
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_EXPONENTS = {"": 0, "m": -1, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_PEP440_PUBLIC = r"^[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?$"


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity (``100m``, ``1.5``, ``256Mi``) as a number of cores or bytes.

    The grammar is that of k8s.io/apimachinery ``resource.Quantity``, without exponents.

    :raises ValueError: when the text is not a quantity.
    """
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a Kubernetes quantity such as 100m, 1 or 256Mi")
    suffix = found[2] or ""
    base = 1024 if suffix.endswith("i") else 1000
    exponent = _EXPONENTS[suffix.removesuffix("i").replace("K", "k")]
    return Decimal(found[1]) * Decimal(base) ** exponent


def _label(text: str) -> str:
    if not _DNS_LABEL.fullmatch(text):
        nearest = names.suggest_dns_label(text)
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        raise ValueError(
            f"{text!r} is not a valid name (lower-case letters, digits and '-', "
            f"at most {names.LABEL_MAX} characters){hint}"
        )
    return text


def _version(text: str) -> str:
    if text == names.CACHE_TAG:
        raise ValueError(f"{text!r} is the tag of the build cache; choose another version")
    if not _VERSION.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a valid version: letters, digits, '.', '_' and '-', beginning and "
            f"ending with a letter or digit, at most {names.LABEL_MAX} characters"
        )
    return text


def _artifact(text: str) -> str:
    if "://" in text:
        raise ValueError("give the path in Artifactory, repo/path/file.zip, not the URL")
    if strange := sorted(set(text) & _NOT_IN_A_PATH):
        raise ValueError(
            f"{text!r} has {' '.join(strange)}, which Artifactory does not allow in a path or "
            "which has a special meaning in its URLs; write repo/path/file.zip"
        )
    parts = text.split("/")
    # Some servers ignore spaces and dots around a name, so `.. ` could lead to the parent folder.
    hollow = any(not part.strip(" .") or part != part.strip() for part in parts)
    if len(parts) < 2 or hollow or not text.isprintable():
        raise ValueError(f"{text!r} is not a path of the form repo/path/file.zip")
    if not text.lower().endswith(".zip"):
        raise ValueError(f"{text!r} does not end in .zip; only ZIP artifacts can be deployed")
    return text


def _variables(variables: dict[str, str]) -> dict[str, str]:
    for name in variables:
        if not _ENV_NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a valid name of an environment variable (letters, digits and "
                "'_', not beginning with a digit)"
            )
    return variables


def _secret_keys(variables: dict[str, str]) -> dict[str, str]:
    for name, target in variables.items():
        if not _SECRET_KEY.fullmatch(target):
            raise ValueError(
                f"{name} must name a key of a Kubernetes Secret as secret-name/key; this message "
                "does not repeat the given value, which may be a secret"
            )
    return variables


def _reference(text: str) -> str:
    if not base_images.is_normalized(text):
        raise ValueError(
            f"{text[:80]!r} is not an image reference such as docker.io/library/python:3.11"
        )
    return text


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
UrlPath = Annotated[str, StringConstraints(pattern=_URL_PATH, max_length=1024)]
PackageVersion = Annotated[str, StringConstraints(pattern=_PEP440_PUBLIC, max_length=128)]
ImageReference = Annotated[str, AfterValidator(_reference)]
_LABEL_SCHEMA = WithJsonSchema({"type": "string", "maxLength": names.LABEL_MAX})
"""The run form checks only the length. ``validate`` reports an invalid name with the nearest valid
name."""
Label = Annotated[str, AfterValidator(_label), _LABEL_SCHEMA]
Version = Annotated[str, AfterValidator(_version), _LABEL_SCHEMA]
ArtifactPath = Annotated[str, StringConstraints(max_length=1024), AfterValidator(_artifact)]
Variables = Annotated[dict[str, str], AfterValidator(_variables)]
SecretVariables = Annotated[Variables, AfterValidator(_secret_keys)]
