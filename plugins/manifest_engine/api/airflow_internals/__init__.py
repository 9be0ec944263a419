"""The only package of the API that uses Airflow: users, rights, runs and logs.

Changes use the functions of Airflow's own API, so Airflow's rights, listeners and audit apply.
Queries select columns, because Airflow joins the run and its conf to each whole row.
"""

from __future__ import annotations

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, get_user

from manifest_engine.api.airflow_internals.actions import (
    announce,
    answer,
    cancel,
    conf_of,
    password,
    start,
)
from manifest_engine.api.airflow_internals.reports import last_night, question, step_ends
from manifest_engine.api.airflow_internals.rights import (
    MAY_ANSWER,
    MAY_CANCEL,
    MAY_DEPLOY,
    MAY_READ,
    MAY_READ_LOGS,
    MAY_READ_RUNS,
    MAY_READ_SERVICE_LOGS,
    MAY_REMOVE,
    MAY_RESTART,
    MAY_ROLL_BACK,
    MAY_SEE,
    may_start,
)
from manifest_engine.api.airflow_internals.rows import (
    active,
    base_digests,
    dag_of,
    facts,
    log_lines,
    one_session,
    recorded,
    states,
)
