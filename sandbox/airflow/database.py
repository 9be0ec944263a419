"""Airflow's database: a PostgreSQL server of the sandbox.

With SQLite, a lock blocks all of Airflow for half a minute from time to time.
``SANDBOX_DATABASE=sqlite`` selects SQLite, for measurements.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from sandbox.core import process
from sandbox.core.part import Part, SandboxError, wait_until
from sandbox.core.settings import SETTINGS

_VERSIONS = Path("/usr/lib/postgresql")
"""Debian's folder of PostgreSQL servers, by version. No PATH contains these folders."""
NAME = "airflow"
"""The database of the sandbox's own Airflow. Benchmarks and tests add others."""
_ACCOUNT = "postgres"
_QUICK = {  # no data has to survive a power failure
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",  # only a Unix socket, in a private folder
    "max_connections": "200",
}


def url(home: Path, name: str = NAME) -> str:
    """The database's URL for SQLAlchemy.

    :param home: Airflow's folder, which holds SQLite's file.
    :param name: name of the database in PostgreSQL.
    """
    if SETTINGS.database == "sqlite":
        # Wait for a lock longer than SQLite's default of 5 s.
        return f"sqlite:///{home}/airflow.db?timeout=30"
    return f"postgresql+psycopg2://{_ACCOUNT}@/{name}?host={_home()}"


def make_empty(name: str = NAME) -> None:
    """Drop and create the database. SQLite's file is part of Airflow's folder."""
    if SETTINGS.database == "sqlite":
        return
    drop(name)
    process.run([_program("createdb"), *_connection_options(), name], what="making the database")


def drop(name: str) -> None:
    """Drop the database and close all its connections."""
    if SETTINGS.database == "sqlite":
        return
    words = [_program("dropdb"), *_connection_options(), "--if-exists", "--force", name]
    process.run(words, what="dropping the database")


def _connection_options() -> list[str]:
    return ["--host", str(_home()), "--username", _ACCOUNT]


def installed() -> bool:
    return _find("postgres") is not None


class Database(Part):
    """A PostgreSQL server. ``down`` removes its data."""

    name = "database"
    needs = ("packages",)

    def start(self) -> None:
        _home().mkdir(parents=True, exist_ok=True)
        _home().chmod(0o700)
        data, draft = _home() / "data", _home() / "draft"
        if not data.exists():
            shutil.rmtree(draft, ignore_errors=True)  # of a killed attempt
            words = [_program("initdb"), "--no-sync", "--auth=trust", "--encoding=UTF8"]
            words += ["--locale=C.UTF-8", f"--username={_ACCOUNT}", f"--pgdata={draft}"]
            process.run([*_unprivileged(), *words], what="making PostgreSQL's files")
            draft.rename(data)
        settings = {**_QUICK, "unix_socket_directories": str(_home())}
        options = [word for name, text in settings.items() for word in ("-c", f"{name}={text}")]
        process.start(self.name, [*_unprivileged(), _program("postgres"), "-D", data, *options])
        wait_until(self.ready, 30, "PostgreSQL")

    def ready(self) -> str | None:
        if problem := process.require_alive(self.name):
            return problem
        words = [_program("pg_isready"), "--quiet", "--timeout", "1", *_connection_options()]
        answers = subprocess.run(words, check=False).returncode == 0
        return None if answers else f"it does not answer yet; {process.last_line(self.name)}"

    def stop(self) -> None:
        process.stop(self.name)
        shutil.rmtree(_home(), ignore_errors=True)

    def where(self) -> str:
        return str(_home())


def _home() -> Path:
    return SETTINGS.state / "database"


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root, so map root to another user in a user namespace."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody").pw_uid
    return ["unshare", "--user", f"--map-user={nobody}", f"--map-group={nobody}"]


def _program(name: str) -> str:
    found = _find(name)
    if found is None:
        raise SandboxError(f"PostgreSQL's program {name} is missing: start the part 'packages'")
    return found


def _find(name: str) -> str | None:
    """The program of Debian's newest version, else the program on PATH."""
    folders = sorted(_VERSIONS.glob("*/bin"), key=lambda folder: float(folder.parent.name))
    path = os.pathsep.join([*map(str, reversed(folders)), os.environ.get("PATH", "")])
    return shutil.which(name, path=path)
