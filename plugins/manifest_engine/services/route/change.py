"""Changes a service's route so that a former address answers until the new one does."""

from __future__ import annotations

import logging

from manifest_engine.domain.core.errors import ClusterError
from manifest_engine.domain.release import annotations as annotation
from manifest_engine.domain.release import labels as label
from manifest_engine.domain.route import owners as route_owners
from manifest_engine.domain.route import switch as route_switch
from manifest_engine.domain.workload import resources
from manifest_engine.hooks.kubernetes.api_server import Json
from manifest_engine.hooks.kubernetes.cluster import ClusterHook


class RouteChange:
    """One route on its way from what is live to what is wanted.

    The routes that were verified last are recorded on the new route itself until that is verified,
    so that a retry can put them back after a try was killed. A redeploy that leaves the route as it
    is writes nothing.

    :param live: the route of our name and kind as it is, None when there is none.
    :param force: take over fields that another manager owns.
    """

    def __init__(
        self,
        hook: ClusterHook,
        wanted: Json,
        live: Json | None,
        *,
        force: bool,
        log: logging.Logger,
    ) -> None:
        self._hook = hook
        self._wanted = wanted
        self._live = live
        self._force = force
        self._log = log
        self._other = self._route_of_other_kind()
        self._formers = route_switch.former_routes(live, self._other)
        self._moves = live is not None and not route_owners.same_claim(live, wanted)
        self._recorded = False
        self._begun = False

    def begin(self) -> Json:
        """Apply the wanted route beside the former address; as the API server then has it."""
        first = self._wanted
        if self._moves and self._live is not None:
            first = route_switch.keep_both(self._live, self._wanted)
        self._recorded = self._changes_anything()
        applied = self._apply(self._with_formers(first, replaces=self._other))
        self._begun = True
        self._log.info("%s %s is applied", applied["kind"], applied["metadata"]["name"])
        return applied

    def switch(self) -> bool:
        """The new address works: take the former one away. False when there was none."""
        if not (self._other or self._moves):
            return False
        if self._other:
            self._remove(self._other)
        self._apply(self._with_formers(self._wanted))
        return True

    def finish(self) -> None:
        """The route is verified: forget the former ones."""
        if self._recorded:
            self._apply(self._wanted)

    def give_up(self) -> str:
        """Put the former routes back, or remove a route that had none before; what was done.

        Nothing is done, and nothing said, where the cluster did not take the new route.
        """
        if not self._begun:
            return ""
        for former in self._formers:
            self._apply(former)
        kind = self._wanted["kind"]
        if any(former["kind"] == kind for former in self._formers):
            return "The route is as it was."
        if self._hook.delete(*resources.key(self._wanted), self._wanted["metadata"]["namespace"]):
            self._log.info("%s %s is removed", kind, self._wanted["metadata"]["name"])
        return "The route is as it was." if self._formers else "The route is removed."

    def at_once(self) -> None:
        """All of it without a look in between, as a dry run does."""
        self._apply(self._wanted)
        if self._other:
            self._remove(self._other)

    def _apply(self, route: Json) -> Json:
        return self._hook.apply(route, force=self._force)

    def _changes_anything(self) -> bool:
        if (
            self._live is None
            or self._other
            or annotation.FORMER_ROUTES in annotation.read_annotations(self._live)
        ):
            return True
        after = self._hook.apply(self._wanted, force=self._force, dry_run=True)
        return route_switch.as_applied(after) != route_switch.as_applied(self._live)

    def _with_formers(self, route: Json, replaces: Json | None = None) -> Json:
        notes = {annotation.FORMER_ROUTES: annotation.pack(self._formers)} if self._recorded else {}
        if replaces:
            notes[annotation.REPLACES] = replaces["kind"]
        return route_switch.annotated(route, notes) if notes else route

    def _route_of_other_kind(self) -> Json | None:
        """A route of ours that the wanted one replaces."""
        api_version, kind = route_switch.OTHER[self._wanted["kind"]]
        if self._live is not None and not annotation.read_annotations(self._live).get(
            annotation.REPLACES
        ):
            return None
        _, _, name = resources.key(self._wanted)
        try:
            found = self._hook.get(api_version, kind, name, self._wanted["metadata"]["namespace"])
        except ClusterError as error:
            if error.retryable:
                raise
            self._log.debug("Whether there is a former %s cannot be seen: %s", kind, error)
            return None
        return found if found is not None and label.is_ours(found) else None

    def _remove(self, other: Json) -> None:
        api_version, kind, name = resources.key(other)
        if self._hook.delete(api_version, kind, name, other["metadata"]["namespace"]):
            self._log.info("%s %s, the former route, is removed", kind, name)
