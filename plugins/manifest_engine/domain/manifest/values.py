"""The value types of a manifest, with a sentence for each kind of invalid value."""

from __future__ import annotations

import itertools
import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from manifest_engine.domain.core import names
from manifest_engine.domain.environment.pods import Variables, labels
from manifest_engine.domain.image import base_images

_DNS_LABEL, _VERSION = re.compile(names.DNS_LABEL), re.compile(names.VERSION)
_SECRET_KEY = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$")
_NOT_IN_A_PATH = frozenset('\\:|?*"<>;#%')
"""Characters that Artifactory refuses in names, and characters that end a path or are decoded in
its URLs (``;`` begins matrix parameters)."""
_URL_PATH = r"^/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?$"
"""RFC 3986: path-absolute with an optional query, in ASCII."""
_PEP440_PUBLIC = r"^[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?$"


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


def _secret_keys(variables: dict[str, str]) -> dict[str, str]:
    for name, target in variables.items():
        if not _SECRET_KEY.fullmatch(target):
            raise ValueError(
                f"{name} must name a key of a Kubernetes Secret as secret-name/key; this message "
                "does not repeat the given value, which may be a secret"
            )
    return variables


def _labels(given: dict[str, str]) -> dict[str, str]:
    for key in labels(given):
        domain, slash, _ = key.rpartition("/")
        if slash and f".{domain}".endswith(_PLATFORM):
            raise ValueError(f"the label {key!r} is one of the platform; it cannot be set here")
    return given


def _dockerfile(text: str) -> str:
    parts = text.removeprefix("./").split("/")
    if "\\" in text or any(part in ("", ".", "..") for part in parts):
        raise ValueError(
            f"{text!r} is not a path in the ZIP, relative to the ZIP's root, such as "
            "docker/Dockerfile"
        )
    if any(char.isspace() or not char.isprintable() for char in text):
        raise ValueError(f"{text!r} has a space or a control character; rename the file")
    return "/".join(parts)


def _stage(text: str) -> str:
    if not _STAGE.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a stage, as in FROM … AS name")
    return text


def _build_arguments(given: dict[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not _ARGUMENT.fullmatch(name):
            raise ValueError(
                f"{name[:80]!r} is not the name of a build argument; use letters, digits and '_', "
                "at most 63 characters"
            )
        if remedy := _reserved(name):
            raise ValueError(f"{name} cannot be set here: {remedy}")
        if _looks_secret(name):
            raise ValueError(f"{name} looks like a secret by its name, {_NO_SECRETS}")
        if _LOGIN_IN_URL.search(value):
            raise ValueError(f"{name} has a URL with a login, {_NO_SECRETS}")
    if sum(len(name) + len(value) for name, value in given.items()) > _ARGUMENTS_MAX:
        raise ValueError(f"at most {_ARGUMENTS_MAX} characters are allowed; put files into the ZIP")
    return given


def _reserved(name: str) -> str:
    """Why ``buildArgs`` cannot set an argument; empty if it can."""
    upper = name.upper()
    if upper in _PROXIES:
        return "the environment's build.proxy sets it"
    if upper.startswith(("TARGET", "BUILD")) and upper.endswith(_PLATFORM_ARGUMENTS):
        return "the builder sets it from platform"
    if upper.startswith(("BUILDKIT_", "BUILDX_")):
        return "it configures BuildKit; to choose a frontend, write `# syntax=` into the Dockerfile"
    return _OWN_ARGUMENTS.get(upper, "")


def _looks_secret(name: str) -> bool:
    words = (names.suggest_dns_label(name) or "").split("-")
    pairs = itertools.pairwise(words)
    return not _SECRET_WORDS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairs)


def _words(given: list[str]) -> list[str]:
    if sum(map(len, given)) > _WORDS_MAX:
        raise ValueError(f"at most {_WORDS_MAX} characters are taken; write a script in the image")
    return given


def _reference(text: str) -> str:
    if not base_images.is_normalized(text):
        raise ValueError(
            f"{text[:80]!r} is not an image reference such as docker.io/library/python:3.11"
        )
    return text


_PLATFORM = (
    ".kubernetes.io",
    ".k8s.io",
    ".istio.io",
    ".linkerd.io",
    ".cilium.io",
    ".azure.com",
    ".azure.workload.identity",
    ".manifest-engine.io",
)
"""Domains of labels that Kubernetes, service meshes, AKS and Manifest Engine act upon."""
_WORDS_MAX = 32 * 1024
_NO_SECRETS = (
    "and everybody who can pull the image can read its build arguments in the image's history: "
    "use secretEnv for secrets of the service, and packageIndex in environments.yaml for a private "
    "package index; rename the argument if its value is not secret"
)
_ARGUMENTS_MAX = 8 * 1024
"""Limit in characters, because an annotation of the Deployment records the arguments."""
_STAGE = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]{0,127}$")
"""Names that BuildKit accepts (moby/buildkit, frontend/dockerfile/instructions)."""
_ARGUMENT = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")
_LOGIN_IN_URL = re.compile(r"://[^/@\s]{1,200}@")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
_PLATFORM_ARGUMENTS = ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION")
_OWN_ARGUMENTS = {
    "SOURCE_DATE_EPOCH": "it is the same for every build, so that equal inputs give equal images",
    "SERVICE_VERSION": "it is the manifest's version",
    "UTILS_VERSION": "it is the manifest's utilsVersion",
    "PACKAGE_INDEX": "the environment's packageIndex sets it",
}
_SECRET_WORDS = {
    *("password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "tokens", "pat"),
    *("credential", "credentials", "apikey", "privatekey", "sas"),
}
_SECRET_PAIRS = {
    *(("api", "key"), ("private", "key"), ("access", "key"), ("account", "key"), ("auth", "key")),
    *(("storage", "key"), ("signing", "key"), ("encryption", "key"), ("connection", "string")),
}
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
ManifestLabels = Annotated[dict[str, str], Field(max_length=16), AfterValidator(_labels)]
Words = Annotated[list[str], Field(max_length=64), AfterValidator(_words)]
DockerfilePath = Annotated[str, StringConstraints(max_length=512), AfterValidator(_dockerfile)]
StageName = Annotated[str, AfterValidator(_stage), WithJsonSchema({"type": "string"})]
BuildArguments = Annotated[dict[str, str], Field(max_length=32), AfterValidator(_build_arguments)]
SecretVariables = Annotated[Variables, AfterValidator(_secret_keys)]
