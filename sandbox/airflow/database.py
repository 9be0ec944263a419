"""Airflow's database: a PostgreSQL of our own, which answers while tasks meet in it.

With SQLite all of Airflow stands still for half a minute now and then, until a lock is given up;
``SANDBOX_DATABASE=sqlite`` has it, for who wants to see or measure that.
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
"""Where Debian's packages have the servers, by version; they stand on nobody's PATH."""
NAME = "airflow"
"""The database of the sandbox's own Airflow; a server holds others beside it."""
_ACCOUNT = "postgres"
_QUICK = {  # nothing here shall survive a power cut
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",  # the socket alone, in a folder of its owner
    "max_connections": "200",
}


def url(home: Path, name: str = NAME) -> str:
    """Of the database, for SQLAlchemy.

    :param home: Airflow's folder, where SQLite's file lies.
    :param name: of the database in PostgreSQL.
    """
    if SETTINGS.database == "sqlite":
        # Who finds the database locked waits longer than SQLite's 5 s before it fails.
        return f"sqlite:///{home}/airflow.db?timeout=30"
    return f"postgresql+psycopg2://{_ACCOUNT}@/{name}?host={_home()}"


def make_empty(name: str = NAME) -> None:
    """Throw the database away and make it anew; SQLite's goes with Airflow's folder."""
    if SETTINGS.database == "sqlite":
        return
    drop(name)
    process.run([_program("createdb"), *_who(), name], what="making the database")


def drop(name: str) -> None:
    """Throw the database away, whoever is connected to it."""
    if SETTINGS.database == "sqlite":
        return
    words = [_program("dropdb"), *_who(), "--if-exists", "--force", name]
    process.run(words, what="dropping the database")


def _who() -> list[str]:
    return ["--host", str(_home()), "--username", _ACCOUNT]


def installed() -> bool:
    return _find("postgres") is not None


class Database(Part):
    """One PostgreSQL server; its data goes with ``down``."""

    name = "database"
    needs = ("packages",)

    def start(self) -> None:
        _home().mkdir(parents=True, exist_ok=True)
        _home().chmod(0o700)
        data, draft = _home() / "data", _home() / "draft"
        if not data.exists():
            shutil.rmtree(draft, ignore_errors=True)  # of an attempt that was killed
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
        words = [_program("pg_isready"), "--quiet", "--timeout", "1"]
        words += ["--host", str(_home()), "--username", _ACCOUNT]
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
    """PostgreSQL refuses to run as root: in a name space of its own we bear another name."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody").pw_uid
    return ["unshare", "--user", f"--map-user={nobody}", f"--map-group={nobody}"]


def _program(name: str) -> str:
    found = _find(name)
    if found is None:
        raise SandboxError(f"there is no {name} of PostgreSQL: start the part 'packages'")
    return found


def _find(name: str) -> str | None:
    """The newest of Debian's, else the one on PATH."""
    folders = sorted(_VERSIONS.glob("*/bin"), key=lambda folder: float(folder.parent.name))
    path = os.pathsep.join([*map(str, reversed(folders)), os.environ.get("PATH", "")])
    return shutil.which(name, path=path)
