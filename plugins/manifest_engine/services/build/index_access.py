"""How a build reaches the private package index, and what is said when it cannot."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from manifest_engine.domain.build import package_index, recipe

if TYPE_CHECKING:
    from manifest_engine.domain.release.release import Release


class IndexAccess:
    """What one build is given of the private index.

    :ivar secrets: text by secret id; empty where the build is not offered the index.
    :ivar build_args: they change with the index.
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
            known = hashlib.sha256(hook.url.encode()).hexdigest()[:12]
            self.build_args = {recipe.INDEX_ARGUMENT: f"{index.mode}-{known}"}


def require_login(release: Release) -> None:
    """For a failed build to be told well: pip calls a package that it may not see "not found".

    :raises ConfigurationError: when the index refuses the login.
    """
    from manifest_engine.hooks.package_index.hook import PackageIndexHook

    if release.environment.package_index:
        PackageIndexHook(release.environment.package_index.connection).require_login()
