"""Changes a service's route so that a former address answers until the new one does."""

from __future__ import annotations

import logging

from manifest_engine.domain import marks, resources, route_owners, route_switch
from manifest_engine.domain.errors import ClusterError
from manifest_engine.hooks.api_server import Json
from manifest_engine.hooks.cluster import ClusterHook


class RouteChange:
    """One route on its way from what is live to what is wanted.

    That a route of the other kind is to go is noted on the new route itself: a try that was killed
    before it was removed is finished by the next one. An ordinary redeploy asks nothing for it.

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
        self._other = self._former_of_other_kind()
        self._removed: Json | None = None
        self._moves = live is not None and not route_owners.same_claim(live, wanted)

    def begin(self) -> Json:
        """Apply the wanted route beside the former address; as the API server then has it."""
        first = self._wanted
        if self._moves and self._live is not None:
            first = route_switch.both(self._live, self._wanted)
        applied = self._hook.apply(self._noted(first), force=self._force)
        self._log.info("%s %s is applied", applied["kind"], applied["metadata"]["name"])
        return applied

    def give_up(self) -> None:
        """The new address does not work: the former one is as it was."""
        if self._removed is not None:
            self._hook.apply(route_switch.again(self._removed), force=self._force)
            self._log.info("The former %s is there again", self._removed["kind"])
            if not self._moves:
                self._hook.apply(self._noted(self._wanted), force=self._force)
        if self._moves and self._live is not None:
            kept = route_switch.former(self._live, self._wanted)
            self._hook.apply(self._noted(kept), force=self._force)
            self._log.info("The route stays where it was")

    def finish(self) -> bool:
        """The new address works: take the former one away, if there is one."""
        if not (self._other or self._moves):
            return False
        if self._other:
            self._remove(self._other)
        self._hook.apply(self._wanted, force=self._force)
        return True

    def at_once(self) -> None:
        """All of it without a look in between, as a rehearsal does."""
        self._hook.apply(self._wanted, force=self._force)
        if self._other:
            self._remove(self._other)

    def _noted(self, route: Json) -> Json:
        return route_switch.noted(route, self._other[1]) if self._other else route

    def _former_of_other_kind(self) -> tuple[str, str] | None:
        """API version and kind of a route of ours that the wanted one replaces."""
        other = route_switch.OTHER[self._wanted["kind"]]
        if self._live is not None:
            return other if marks.noted(self._live).get(marks.REPLACES) else None
        try:
            found = self._get(other)
        except ClusterError as error:
            if error.retryable:
                raise
            self._log.debug("Whether there is a former %s cannot be seen: %s", other[1], error)
            return None
        return other if found is not None and marks.is_ours(found) else None

    def _remove(self, other: tuple[str, str]) -> None:
        found = self._get(other)
        if found is None or not marks.is_ours(found):
            return
        _, _, name = resources.key(self._wanted)
        gone = self._hook.delete(*other, name, self._wanted["metadata"]["namespace"])
        self._removed = found
        if gone:
            self._log.info("%s %s, the former route, is removed", other[1], name)

    def _get(self, other: tuple[str, str]) -> Json | None:
        _, _, name = resources.key(self._wanted)
        return self._hook.get(*other, name, self._wanted["metadata"]["namespace"])
