"""Step ``check``: checks everything that a deployment to an environment needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifest_engine.domain.core.errors import ConfigurationError
from manifest_engine.domain.doctor import finding as found
from manifest_engine.domain.doctor import request
from manifest_engine.domain.environment import environments
from manifest_engine.operators.core.step import StepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CheckInstallation(StepOperator):
    """Log the table of what is there and what is missing. Nothing is changed.

    XCom ``table``: the same as JSON, also when something is missing.
    """

    def run(self, context: Context) -> dict[str, int]:
        """
        :raises ManifestError: when the conf is wrong.
        :raises ConfigurationError: naming the first missing thing and its remedy.
        """
        from manifest_engine.services.doctor import checks, examination

        conf = context["dag_run"].conf or {}
        name, environment = request.parse(conf, environments.load())
        findings = examination.examine(checks.of(name, environment))
        self.log.info("The installation for %s:\n%s", name, found.table(findings))
        context["ti"].xcom_push(key="table", value=found.report(name, findings))
        if sentence := found.failure(name, findings):
            raise ConfigurationError(sentence)
        return found.counts(findings)
