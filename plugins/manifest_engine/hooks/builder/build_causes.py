"""The known causes of failed builds: a pattern for the output, a sentence, and an example.

The examples are lines of output as buildx 0.13, Docker Engine 26 and the tools in a build print
them; recordings of real builds lie in the tests. Tests match each pattern with its example. The
patterns are RE2's, which takes linear time for every pattern and text.
"""

from __future__ import annotations

from typing import NamedTuple

from manifest_engine.domain.build.recipe import PIP_SECRET, UV_SECRET
from manifest_engine.domain.core import error_text, linear_pattern


class Cause(NamedTuple):
    """One cause. The groups of the pattern fill the sentence."""

    pattern: str
    """Upper and lower case are the same."""
    sentence: str
    example: str
    retryable: bool = False

    def explain(self, text: str) -> str | None:
        """The sentence, if the text has this cause."""
        found = linear_pattern.compiled(self.pattern).search(text)
        return self.sentence.format(*found.groups()) if found else None


_NETWORK = rf"{error_text.NETWORK}|\b50[0234] (?:server error|internal|bad gateway|service|gateway)"
_REGISTRY_AWAY = (
    rf"(?:{_NETWORK}|context deadline exceeded|client\.timeout|broken pipe|use of closed network"
    r"|client connection lost|\bgoaway\b|\b(?-i:EOF)\b)"
)
_OTHER_PACKAGE = (
    "choose a version with a wheel for Linux and this Python, or install what the build needs in "
    "an own scripts/Dockerfile"
)

WITHOUT_FRONTEND = (
    "Remove the line, since BuildKit's own syntax covers most Dockerfiles, or set "
    "build.syntaxMirror in environments.yaml to a registry that has a copy and that the builder "
    "reaches"
)

DISK_FULL = Cause(
    r"no space left on device",
    "its disk is full: free some (docker builder prune), or give it more",
    "failed to register layer: write /usr/lib/x: no space left on device",
    retryable=True,
)
ENGINE = (
    DISK_FULL,
    Cause(
        r"cannot connect to the docker daemon|error during connect|code = unavailable"
        r"|error reading from server|connection reset by peer|broken pipe|use of closed network"
        r"|graceful_?stop|context canceled|closing transport|unexpected eof",
        "the engine went away during the build (restarted, or out of reach)",
        "failed to receive status: rpc error: code = Unavailable desc = closing transport",
        retryable=True,
    ),
    Cause(
        r"unknown flag: --(\S+)",
        "its buildx is too old to know --{0}: install docker-buildx 0.13 or newer",
        "unknown flag: --metadata-file",
    ),
    Cause(
        r"client version (\S+) is too (?:new|old)",
        "client and engine do not fit (API version {0}): install Docker Engine 23 or newer",
        "Error response from daemon: client version 1.24 is too old. Minimum supported API version",
    ),
)
"""Causes outside the service; each sentence follows "on the builder NAME: ". They are searched in
the final error of buildx, and only when the error names no place in the Dockerfile."""

DOCKERFILE = (
    Cause(
        r"parse error on line \d+: unknown flag: (?:--)?([\w-]+) "
        r"\(did you mean (?:--)?([\w-]+)\?\)",
        "the flag --{0} does not exist: did you mean --{1}?",
        "failed to solve: dockerfile parse error on line 3: unknown flag: fro (did you mean from?)",
    ),
    Cause(
        r"parse error on line \d+: unknown flag: (?:--)?([\w-]+)",
        "unknown flag --{0}: the frontend of this builder does not know it. Correct its spelling; "
        "a flag that is newer than the builder needs a newer Docker Engine, or a newer frontend "
        "in `# syntax=`",
        "failed to solve: dockerfile parse error on line 3: unknown flag: exclude",
    ),
    Cause(
        r"the dockerfile(?: \(\S*\))? cannot be empty|file with no instructions",
        "the Dockerfile has no instruction: write one, beginning with FROM",
        "failed to solve: the Dockerfile cannot be empty",
    ),
    Cause(
        r"target stage \"?([^\s\"]+)\"? could not be found",
        "the Dockerfile has no stage {0!r}: name a stage by FROM … AS {0}",
        'failed to solve: target stage "production" could not be found',
    ),
    Cause(
        r"no build stage in current context",
        "an instruction stands before the first FROM: begin with FROM (only ARG may stand before "
        "it)",
        "failed to solve: no build stage in current context",
    ),
    Cause(
        r"invalid user index: -1",
        "--chown names a user or group that the image does not have: create it before (RUN useradd "
        "…), or give its number",
        "failed to solve: invalid user index: -1",
    ),
    Cause(
        r"no match for platform in manifest|no matching manifest for (\S+)",
        "a base image has no variant for the builder's platform: choose another base image",
        "python:3.11: failed to resolve source metadata for docker.io/library/python:3.11: no match"
        " for platform in manifest: not found",
    ),
)
"""Mistakes in the Dockerfile that BuildKit reports with or without a line."""

POLICY = (
    Cause(
        r'source "docker-image://(docker\.io/docker/\S+)" denied by policy',
        "the environment does not allow {0}, which the line `# syntax=` names. " + WITHOUT_FRONTEND,
        'failed to solve: source "docker-image://docker.io/docker/dockerfile:1" denied by policy',
    ),
    Cause(
        r'source "docker-image://(\S+)" denied by policy',
        "the environment does not allow the image {0}: use one that build.allowedBases in "
        "environments.yaml allows, or have it added there",
        'failed to solve: source "docker-image://registry.example.com/x:1" denied by policy',
    ),
    Cause(
        r'source "((?:https?|git)://\S+)" denied by policy',
        "the builder may not fetch {0}, since the environment restricts the network of builds "
        "(build.network: restricted in environments.yaml): put it into the ZIP, or download it in "
        "a RUN",
        'failed to solve: source "https://example.com/model.bin" denied by policy',
    ),
)
"""Sources that the environment does not allow, whatever names them."""

SOURCES = (
    Cause(
        r"source metadata for docker\.io/library/([\w.-]+):latest: .*\(did you mean ([\w.-]+)\?\)",
        "there is no stage {0!r}, so Docker looks for an image of this name; did you mean the "
        "stage {1!r}?",
        "failed to solve: buidler: failed to resolve source metadata for docker.io/library/buidler:"
        "latest: failed to do request: Head: no such host (did you mean builder?)",
    ),
    Cause(
        rf"failed to resolve source metadata for (\S+): .*?{_REGISTRY_AWAY}",
        "the registry of the base image {0} cannot be reached from the builder",
        "failed to solve: base:1: failed to resolve source metadata for r.example.com/base:1: "
        'failed to do request: Head "https://r.example.com/v2/base/manifests/1": EOF',
        retryable=True,
    ),
    Cause(
        rf"(?:failed to do request|httpReadSeeker|failed to copy): .*?{_REGISTRY_AWAY}",
        "the registry of a base image cannot be reached from the builder, or breaks off",
        "failed to solve: failed to copy: read tcp 10.1.0.4:4->192.0.2.2:443: read: connection "
        "reset by peer",
        retryable=True,
    ),
)
"""A base image or another source that BuildKit could not fetch. Only the final error of buildx is
searched, and before the causes of the engine: BuildKit pulls base images over HTTP, and a broken
connection has the same message in both cases."""

ADD = (
    Cause(
        r"unexpected eof|invalid tar header|archive/tar|gzip: invalid|(?:bzip2|xz): data",
        "the archive in the ZIP breaks off or is damaged: pack and upload it again",
        "failed to solve: unexpected EOF",
    ),
)
"""For the instruction ``ADD``, which unpacks archives."""

FRONTEND = (
    Cause(
        r"failed to resolve source metadata for (\S+): .*?no such host",
        "the registry of {0}, which the line `# syntax=` names, cannot be reached from the "
        "builder. " + WITHOUT_FRONTEND,
        "failed to solve: failed to resolve source metadata for docker.io/docker/dockerfile:1: "
        "failed to do request: dial tcp: lookup registry-1.docker.io: no such host",
    ),
    Cause(
        rf"failed to resolve source metadata for (\S+): .*?{_REGISTRY_AWAY}",
        "the registry of {0}, which the line `# syntax=` names, cannot be reached from the "
        "builder. " + WITHOUT_FRONTEND,
        "failed to solve: failed to resolve source metadata for docker.io/docker/dockerfile:1: "
        "failed to do request: dial tcp 192.0.2.1:443: connect: connection refused",
        retryable=True,
    ),
    Cause(
        r"failed to resolve source metadata for (\S+):",
        "{0}, which the line `# syntax=` names, cannot be pulled. " + WITHOUT_FRONTEND,
        "failed to solve: failed to resolve source metadata for r.example.com/dockerfile:1: "
        "r.example.com/dockerfile:1: not found",
    ),
)
"""The image of the line ``# syntax=``, which is no base image."""

STEPS = (
    Cause(
        rf"secret {PIP_SECRET}: not found|needs the secret (?:{PIP_SECRET}|{UV_SECRET})",
        "it needs the private package index, which this build is not offered: name utilsVersion in "
        "the manifest, or set packageIndex with offeredTo: all in environments.yaml",
        "failed to solve: secret pip_conf: not found",
    ),
    Cause(
        r"401 error, credentials not correct for (\S+)",
        "the package index refused the login for {0}: correct the Airflow Connection that "
        "packageIndex in environments.yaml names",
        "WARNING: 401 Error, Credentials not correct for https://index.example.com/simple/flask/",
    ),
    Cause(
        r"failed to resolve source metadata for (\S+): .*?(?:\b40[13]\b|unauthorized|forbidden"
        r"|access denied|authorization failed|insufficient_scope|authentication required)",
        "the registry does not let the builder read the base image {0}: correct its name, or name "
        "the registry and an Airflow Connection with a login in build.registries in "
        "environments.yaml",
        "failed to solve: base:1: failed to resolve source metadata for r.example.com/base:1: "
        "failed to authorize: failed to fetch anonymous token: unexpected status from GET request "
        "to https://r.example.com/token: 401 Unauthorized",
    ),
    Cause(
        r"failed to resolve source metadata for (\S+):",
        "the base image {0} cannot be pulled: correct FROM, or let the registry's login read it",
        "failed to solve: failed to resolve source metadata for r/base:1: r/base:1: not found",
    ),
    Cause(
        r"an index \((\S+)\) returned a 40[13]",
        "the package index refused the login for {0}: correct the Airflow Connection that "
        "packageIndex in environments.yaml names",
        "hint: An index (https://index.example.com/simple/) returned a 401 Unauthorized error",
    ),
    Cause(
        r'"(/[^"\n]+)": not found',
        "{0} is not in the ZIP (paths count from its root): add it, or correct the line",
        "failed to solve: failed to compute cache key: failed to calculate checksum of ref x::y: "
        '"/nothere": not found',
    ),
    # Packages of Python.
    Cause(
        r"could not install packages due to an oserror: \[errno 2\] no such file or directory: "
        r"'(/[^']+)'",
        "a requirement names the path {0}, which exists only on another machine: replace "
        "`name @ file://…` by `name==version` (conda writes such lines; "
        "`pip list --format=freeze` does not)",
        "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: "
        "'/croot/packaging_1734472117206/work'",
    ),
    Cause(
        r"(?:distribution not found at: |path does not exist: |"
        r"expected an? \S+ at )`?(?:file://)?(/[^\s`]+)",
        "a requirement names the path {0}, which exists only on another machine: replace "
        "`name @ file://…` by `name==version` (conda writes such lines)",
        "error: Distribution not found at: file:///croot/packaging_1734472117206/work",
    ),
    Cause(
        r"cannot find command '(git|hg|svn|bzr)'|(git) executable not found"
        r"|program not found: (git)",
        "a requirement comes from version control, and the image has no git: publish a package "
        "and require it by version, or install git in an own scripts/Dockerfile",
        "ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?",
    ),
    Cause(
        r"do not match the hashes from the requirements file[^\n]*\n"
        r"(?: *(?:unknown package:)?\n)? *([\w.\[\],-]+(?:==[^\s;]+)?) ",
        "the package {0} has another hash than the requirements say: update its hashes, or, if the "
        "file should be the same, find out who changed it",
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have "
        "updated\n    itsdangerous==2.2.0 from https://files.example.org/x.whl",
    ),
    Cause(
        r"(?:do not match the hashes|hash mismatch for `?([^\s`]+))",
        "a package has another hash than the requirements say: update the hashes, or, if the file "
        "should be the same, find out who changed it",
        "error: Failed to download\n  Caused by: Hash mismatch for `itsdangerous==2.2.0`",
    ),
    Cause(
        r"in --require-hashes mode, all requirements must have their versions pinned[^\n]*\n"
        r" *([\w.\[\]-]+)",
        "one requirement has a hash, so pip wants a version (==) and hashes for every package, and "
        "{0} has none: add them (pip-compile --generate-hashes), or remove all hashes",
        "ERROR: In --require-hashes mode, all requirements must have their versions pinned with "
        "==. These do not:\n    click from https://files.example.org/click.whl",
    ),
    Cause(
        r"hashes are required in --require-hashes mode, but they are missing[^\n]*\n"
        r" *([\w.\[\]=-]+)",
        "one requirement has a hash, so pip wants hashes for every package, and {0} has none: add "
        "them (pip-compile --generate-hashes), or remove all hashes",
        "ERROR: Hashes are required in --require-hashes mode, but they are missing from some "
        "requirements. Here is a list\n    click==8.1.7 --hash=sha256:ae74fb96",
    ),
    Cause(
        r"invalid requirement: (.*(?:\\x00|\x{fffd}\w\x{fffd}).*)",
        "the requirements are UTF-16, as PowerShell's `>` writes them, without a byte order mark: "
        "save them as UTF-8",
        r"ERROR: Invalid requirement: 'f\x00l\x00a\x00s\x00k\x00' (from line 1 of r.txt)",
    ),
    Cause(
        r"invalid requirement: (.+)",
        "pip cannot read the requirement {0}: correct it",
        "ERROR: Invalid requirement: 'flask=3.1.3' (from line 1 of lib/requirements.txt)",
    ),
    Cause(
        r"the conflict is caused by:[^\n]*\n\s*([^\n]+)\n\s*([^\n]+)",
        "the requirements contradict each other ({0}; {1}): loosen or align their versions",
        "The conflict is caused by:\n    The user requested werkzeug==2.0.0\n"
        "    flask 3.1.2 depends on werkzeug>=3.1.0",
    ),
    Cause(
        "cannot install (.+?) because these package versions have conflicting dependencies",
        "pip cannot install {0} together: loosen or align their versions",
        "ERROR: Cannot install flask==3.1.2 and werkzeug==2.0.0 because these package versions have"
        " conflicting dependencies.",
    ),
    Cause(
        r"\bbecause (\S+==\S+) depends on (\S+) and you require (\S+),",
        "the requirements contradict each other ({0} needs {1}, and {2} is required): loosen or "
        "align their versions",
        "  ╰─▶ Because flask==3.1.2 depends on werkzeug>=3.1.0 and you require werkzeug==2.0.0, we",
    ),
    Cause(
        r"pg_config executable not found",
        "psycopg2 has no wheel for Linux, and the image lacks what its build needs (pg_config, a C "
        "compiler): require psycopg2-binary instead",
        "Error: pg_config executable not found.",
    ),
    Cause(
        r"mysql_config: not found|can not find valid pkg-config name|mysqlclient_cflags",
        "mysqlclient has no wheel for Linux, and the image lacks what its build needs (MySQL's "
        "headers, a C compiler): require PyMySQL instead, or install them in an own "
        "scripts/Dockerfile",
        "Exception: Can not find valid pkg-config name.",
    ),
    Cause(
        r"fatal error: ([\w./+-]+\.h(?:pp)?): no such file or directory",
        "a package without a wheel is compiled, and the image lacks the header {0}: "
        + _OTHER_PACKAGE,
        "src/_ffi.c:15:10: fatal error: ffi.h: No such file or directory",
    ),
    Cause(
        r"command '[^'\n]*?([\w.+-]+)' failed: no such file or directory"
        r"|unable to execute '([\w.+-]+)'|(you need a c compiler)"
        r"|(no acceptable c compiler found)|(unknown compiler)",
        "a package without a wheel is compiled, and the image has no compiler: " + _OTHER_PACKAGE,
        "error: command 'gcc' failed: No such file or directory",
    ),
    Cause(
        r"can't find rust compiler|requires rust|cargo, the rust package manager, is not installed"
        r"|rustup could not choose",
        "a package without a wheel is compiled, and the image has no Rust compiler: "
        + _OTHER_PACKAGE,
        "error: can't find Rust compiler",
    ),
    Cause(
        r"requires a different python: (\S+) not in '([^']+)'",
        "a package needs another Python ({1}; the image has {0}): require another version of it, "
        "or begin an own scripts/Dockerfile with another image",
        "ERROR: Package 'numpy' requires a different Python: 3.11.2 not in '>=3.12'",
    ),
    Cause(
        r"failed (?:building wheel for|to build) ['\"`]?([\w.-]+)",
        "pip cannot build the package {0} from source: " + _OTHER_PACKAGE,
        "ERROR: Failed building wheel for pycairo",
    ),
    # Servers. pip says "no matching distribution" as well when it reaches no index.
    Cause(
        r"(?:could not|couldn't|unable to|temporary failure|failed to) resolv(?:e|ing)"
        r"(?: host(?: address)?)?:? [\x{2018}'\"]?([a-z0-9][a-z0-9.-]*)",
        "the name {0} cannot be resolved on the builder",
        "E: Failed to fetch http://deb.example.org/  Temporary failure resolving 'deb.example.org'",
        retryable=True,
    ),
    Cause(
        r"getaddrinfo (?:enotfound|eai_again) ([a-z0-9][a-z0-9.-]*)",
        "the name {0} cannot be resolved on the builder",
        "npm error request to https://npm.example.org/x failed, reason: getaddrinfo ENOTFOUND "
        "npm.example.org",
        retryable=True,
    ),
    Cause(
        r"https?connectionpool\(host='([^']+)', port=\d+\): "
        r"(?:read timed out|max retries exceeded)",
        "the server {0} cannot be reached from the builder, or answers too slowly",
        "HTTPSConnectionPool(host='files.example.org', port=443): Read timed out. (read "
        "timeout=15)",
        retryable=True,
    ),
    Cause(
        r"failed to fetch: `?https?://(?:[^\s/@`]*@)?([^\s/`]+)"
        rf"(?s:.*?)(?:dns error|error sending request|{error_text.NETWORK})",
        "the server {0} cannot be reached from the builder",
        "error: Failed to fetch: `https://index.example.com/simple/flask/`\n"
        "  Caused by: dns error: failed to lookup address information: Name or service not known",
        retryable=True,
    ),
    Cause(
        r"looking in indexes: (?:https?://)?(?:[^\s/@,]*@)?([^\s/,]+)(?s:.*?)connection broken by",
        "the package index {0} cannot be reached from the builder",
        "Looking in indexes: https://i.invalid/simple\nWARNING: Retrying (Retry(total=4)) after "
        "connection broken by 'NewConnectionError('Name or service not known')': /simple/flask/",
        retryable=True,
    ),
    Cause(
        r"connection broken by .*: /simple/",
        "the public package index cannot be reached from the builder",
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('Name or"
        " service not known')': /simple/flask/",
        retryable=True,
    ),
    Cause(
        _NETWORK,
        "a server that it needs could not be reached",
        "curl: (7) Failed to connect to 192.0.2.7 port 443: Connection refused",
        retryable=True,
    ),
    Cause(
        r"because (\S+) was not found in the package registry",
        "no package index has a package {0}: correct its name, or have it uploaded",
        "  ╰─▶ Because no-such-package was not found in the package registry and you require it",
    ),
    Cause(
        r"no matching distribution found for ((?:pywin32|pypiwin32|pywinpty|pywin32-ctypes|wmi"
        r"|winsdk|windows-curses|comtypes|win32-setctime|pyreadline3?|appnope|pyobjc)\b.*)",
        "the package {0} exists only for Windows or macOS: remove it from the requirements, or add "
        'a marker, such as `; sys_platform == "win32"`',
        "ERROR: No matching distribution found for pywin32==306",
    ),
    Cause(
        r"no matching distribution found for (.+)",
        "pip finds no package {0}: correct its name or version, or see whether the index has it "
        "for this Python and for Linux",
        "ERROR: No matching distribution found for no-such-package==9.9",
    ),
    Cause(
        r"e: unable to locate package (\S+)",
        "apt finds no package {0}: run apt-get update in the same RUN, or correct the name",
        "E: Unable to locate package gcc",
    ),
    Cause(
        r"context canceled",
        "the build was cancelled before BuildKit said why",
        "failed to solve: Canceled: context canceled",
        retryable=True,
    ),
    # Commands.
    Cause(
        r"exec format error",
        "a program is for another processor than the builder's: use a base image and files in the "
        "ZIP for the builder's processor",
        "exec /bin/sh: exec format error",
    ),
    Cause(
        r"\\r[\x{2019}']?: (?:no such file|command not found)|bad interpreter: [\w./+-]+(?:\^m|\r)"
        r"|/usr/bin/env: bad interpreter|\$'\\r'",
        "a script has Windows line ends (CRLF): save it with LF (in Git: `*.sh text eol=lf` in "
        ".gitattributes)",
        "/usr/bin/env: \u2018python3\\r\u2019: No such file or directory",
    ),
    Cause(
        r"no space left on device",
        "no space left on device",
        "dd: error writing '/big': No space left on device",
        retryable=True,
    ),
    Cause(
        "dockerfile parse error.*?: (.+)",
        "{0}",
        "failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean"
        " RUN?)",
    ),
    Cause(
        r"exit code: 137",
        "it was killed (exit code 137), most likely for want of memory",
        "failed to solve: process did not complete successfully: exit code: 137",
    ),
    Cause(
        r"did not complete successfully: exit code: (\d+)",
        "it ended with exit code {0}",
        "failed to solve: process did not complete successfully: exit code: 3",
    ),
)
"""Causes of a failed step. The error names Dockerfile, line and instruction before the sentence."""
