"""Gives a build access to the private package index."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from manifest_engine.domain.build import package_index, recipe

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release


class IndexAccess:
    """BuildKit secrets and build arguments for the private index.

    :ivar secrets: text by secret id; empty if the build is not offered the index.
    :ivar build_args: change with the index, so that BuildKit does not reuse packages of another
        index.
    :raises ManifestError: when the build needs an index and the environment has none.
    :raises ConfigurationError: when the Connection of the index is missing or wrong.
    """

    def __init__(self, release: Release) -> None:
        from manifest_engine.hooks.package_index.hook import PackageIndexHook

        self.secrets: dict[str, str] = {}
        self.build_args: dict[str, str] = {}
        if index := package_index.offered(release.manifest, release.environment):
            hook = PackageIndexHook(index.connection)
            self.secrets = hook.secrets(index)
            url_hash = hashlib.sha256(hook.url.encode()).hexdigest()[:12]
            self.build_args = {recipe.INDEX_ARGUMENT: f"{index.mode}-{url_hash}"}


def require_login(release: Release) -> None:
    """Check the login after a build that did not find a package.

    pip reports "not found" for a package that its login may not read.

    :raises ConfigurationError: when the index refuses the login.
    """
    from manifest_engine.hooks.package_index.hook import PackageIndexHook

    if release.environment.package_index:
        PackageIndexHook(release.environment.package_index.connection).require_login()
