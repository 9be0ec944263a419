"""``python -m manifest_engine``: commands for an installation of the package.

``--version`` prints the version, ``dags-folder`` the folder of the DAG files (for a DAG bundle),
``include-folder`` the folder of ``environments.yaml``;
``register`` makes a copied ``plugins/`` folder known to Airflow as a provider.
"""

from __future__ import annotations

import argparse
import sys

from manifest_engine import __version__, installation

_COMMANDS = {
    "dags-folder": installation.dags_folder,
    "include-folder": installation.include_folder,
    "register": installation.register,
}


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m manifest_engine", description=__doc__)
    parser.add_argument("--version", action="version", version=f"manifest-engine {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("dags-folder", help="print the folder of the DAG files")
    commands.add_parser("include-folder", help="print the folder of environments.yaml")
    commands.add_parser(
        "register",
        help="write the metadata beside a copied package, so that Airflow offers the types of its "
        "Connections; not needed after pip install",
    )
    asked = parser.parse_args(words)
    try:
        found = _COMMANDS[asked.command]()
    except OSError as error:
        sys.stderr.write(f"manifest_engine {asked.command}: {error}\n")
        return 1
    sys.stdout.write(f"{found}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
