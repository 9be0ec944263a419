"""Changes a service's route. The former address answers until the new address works."""

from __future__ import annotations

import logging
from functools import cached_property

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.drift.drift import Policy
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.route import owners as route_owners
from manifest_engine.domain.route import switch as route_switch
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook
from manifest_engine.services.drift.ownership import Ownership


class RouteChange:
    """One change from the live route to the desired route.

    An annotation of the new route records the last verified routes until the new route is verified,
    so that a retry can restore them after a killed attempt. A redeploy with an unchanged route
    writes nothing.

    :param desired: the HTTPRoute or Ingress of the release.
    :param live: the live route of the same name and kind, None when there is none.
    :param policy: what to do with changes by hand.
    """

    def __init__(
        self,
        hook: ClusterHook,
        desired: Json,
        live: Json | None,
        *,
        policy: Policy,
        log: logging.Logger,
    ) -> None:
        self._hook = hook
        self._desired = desired
        self._live = live
        self._ownership = Ownership(hook, policy, [], log)
        self._log = log
        self._other = self._route_of_other_kind()
        self._formers = route_switch.former_routes(live, self._other)
        self._moves = live is not None and not route_owners.same_claim(live, desired)
        self._recorded = False
        self._begun = False

    def begin(self) -> Json:
        """Apply the desired route, which keeps the former address; returns the applied route."""
        first = self._desired
        if self._moves and self._live is not None:
            first = route_switch.keep_both(self._live, self._desired)
        self._recorded = self.is_needed
        applied = self._apply(self._with_formers(first, replaces=self._other))
        self._begun = True
        self._log.info("%s %s is applied", applied["kind"], applied["metadata"]["name"])
        return applied

    def switch(self) -> bool:
        """Remove the former address after the new address works. False when there was none."""
        if not (self._other or self._moves):
            return False
        if self._other:
            self._remove(self._other)
        self._apply(self._with_formers(self._desired))
        return True

    def finish(self) -> None:
        """Remove the record of the former routes after the route was verified."""
        if self._recorded:
            self._apply(self._desired)

    def give_up(self) -> str:
        """Restore the former routes, or remove a first route. Returns a sentence for the user.

        Returns an empty string when the cluster did not accept the new route.
        """
        if not self._begun:
            return ""
        self._ownership = Ownership(self._hook, Policy(everything=True), [], self._log)
        for former in self._formers:
            self._apply(former)
        kind = self._desired["kind"]
        if any(former["kind"] == kind for former in self._formers):
            return "The route is as it was."
        if self._hook.delete(*resources.key(self._desired), self._desired["metadata"]["namespace"]):
            self._log.info("%s %s is removed", kind, self._desired["metadata"]["name"])
        return "The route is as it was." if self._formers else "The route is removed."

    def at_once(self) -> None:
        """Make the whole change without verification, for a dry run."""
        self._apply(self._desired)
        if self._other:
            self._remove(self._other)

    def _apply(self, route: Json) -> Json:
        return self._ownership.apply(route, None)

    @cached_property
    def is_needed(self) -> bool:
        """Whether the desired route differs from the live route."""
        if (
            self._live is None
            or self._other
            or annotation.FORMER_ROUTES in annotation.read_annotations(self._live)
        ):
            return True
        after = self._hook.apply(self._desired, force=True, dry_run=True)
        return route_switch.as_applied(after) != route_switch.as_applied(self._live)

    def _with_formers(self, route: Json, replaces: Json | None = None) -> Json:
        added = {annotation.FORMER_ROUTES: annotation.pack(self._formers)} if self._recorded else {}
        if replaces:
            added[annotation.REPLACES] = replaces["kind"]
        return route_switch.annotated(route, added) if added else route

    def _route_of_other_kind(self) -> Json | None:
        """The live route of the other kind, which the desired route replaces."""
        api_version, kind = route_switch.OTHER[self._desired["kind"]]
        if self._live is not None and not annotation.read_annotations(self._live).get(
            annotation.REPLACES
        ):
            return None
        _, _, name = resources.key(self._desired)
        try:
            found = self._hook.get(api_version, kind, name, self._desired["metadata"]["namespace"])
        except ClusterError as error:
            if error.retryable:
                raise
            self._log.debug("A former %s cannot be looked up: %s", kind, error)
            return None
        return found if found is not None and label.is_ours(found) else None

    def _remove(self, other: Json) -> None:
        api_version, kind, name = resources.key(other)
        if self._hook.delete(api_version, kind, name, other["metadata"]["namespace"]):
            self._log.info("%s %s, the former route, is removed", kind, name)
