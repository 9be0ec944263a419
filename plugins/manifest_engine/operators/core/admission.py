"""Checks permissions: in the first step, and again under the lease.

The user comes from Airflow's record of the run, never from the run conf. Each check reads
``environments.yaml`` again, because a run may wait for an approval between the checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manifest_engine.domain.core.errors import NotAllowed
from manifest_engine.domain.environment import access, environments
from manifest_engine.domain.environment.access import Requester, Verb
from manifest_engine.domain.manifest import permitted, reach
from manifest_engine.domain.release import labels as label
from manifest_engine.services.environment import user_roles

if TYPE_CHECKING:
    from airflow.sdk import Context

    from manifest_engine.domain.environment.environment import Environment
    from manifest_engine.domain.manifest.manifest import Manifest

_SELECTED = 50
"""Limit for names in one label selector; the selector is part of a URL."""


def requester(context: Context) -> Requester:
    """The user or DAG that asked for this run."""
    dag_run: Any = context["dag_run"]
    kind = getattr(dag_run.run_type, "value", dag_run.run_type)
    return Requester(getattr(dag_run, "triggering_user_name", None) or None, str(kind))


def require_user(context: Context, verb: Verb, where: str, environment: Environment) -> None:
    """Require that the user of the run has a permission in an environment.

    :param where: name of the environment.
    :raises NotAllowed: naming the rule.
    :raises ConfigurationError: when the members of a listed role are unknown.
    """
    access.require(requester(context), verb, where, environment.access, user_roles.known())


def require_deploy(context: Context, manifest: Manifest, environment: Environment) -> None:
    """Require that the user may deploy, and that the environment permits what the manifest names.

    :raises NotAllowed: naming the rule.
    :raises ConfigurationError: when the members of a listed role are unknown.
    :raises ClusterError: when the owner of an object cannot be read from the cluster.
    """
    who = requester(context)
    if manifest.rebuild and not who.by_dag:
        raise NotAllowed(
            "The field rebuild is set by rebuild_services alone, and no DAG has started this run. "
            "Leave it out to deploy, or trigger rebuild_services for the service."
        )
    # A scheduled rebuild has no user. It deploys nothing new: rebuild_gate checks this.
    if not (manifest.rebuild and who.name is None):
        require_user(context, "deploy", manifest.environment, environment)
    if manifest.take_over:
        require_user(context, "takeOver", manifest.environment, environment)
    try:
        permitted.require(manifest, environment)
        _refuse_other_owners(manifest, environment)
    except NotAllowed as error:
        if manifest.rebuild is None:
            raise
        raise NotAllowed(
            f"{error} This is the manifest of the live release of {manifest.component}-"
            f"{manifest.service_name}, which keeps running. Deploy the service with an allowed "
            "manifest to have it rebuilt again."
        ) from error


def require_deploy_still(context: Context, manifest: Manifest) -> None:
    """Repeat :func:`require_deploy` under the lease, by the present rules."""
    environment = environments.find(manifest.environment, environments.load())
    require_deploy(context, manifest, environment)


def require_remove_still(context: Context, where: str) -> None:
    """Require under the lease that the user may remove; errors as in :func:`require_user`."""
    require_user(context, "remove", where, environments.find(where, environments.load()))


def _refuse_other_owners(manifest: Manifest, environment: Environment) -> None:
    candidates = sorted(reach.other_owners(manifest, environment))
    if not candidates:
        return
    from manifest_engine.hooks.kubernetes.cluster import ClusterHook

    hook = ClusterHook(environment.cluster.connection)
    labels = label.label_selector({label.MANAGED_BY: label.MANAGER})
    if len(candidates) <= _SELECTED:
        labels += f",{label.INSTANCE} in ({','.join(candidates)})"
    pages = hook.pages("apps/v1", "Deployment", environment.cluster.namespace, labels=labels)
    deployed = {item["metadata"]["name"] for page in pages for item in page}
    reach.refuse_other_owners(manifest, environment, deployed)
