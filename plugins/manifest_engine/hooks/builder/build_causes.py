"""The known causes of failed builds: a pattern for the output, and a sentence.

The tests have an example of the output for each cause, and recordings of real builds. The patterns
are RE2's, which takes linear time for every pattern and text.
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
    "Remove the line, because BuildKit's own syntax covers most Dockerfiles, or set "
    "build.syntaxMirror in environments.yaml to a registry with a copy that the builder can reach"
)

DISK_FULL = Cause(
    r"no space left on device",
    "its disk is full: free some (docker builder prune), or give it more",
    retryable=True,
)
ENGINE = (
    DISK_FULL,
    Cause(
        r"cannot connect to the docker daemon|error during connect|code = unavailable"
        r"|error reading from server|connection reset by peer|broken pipe|use of closed network"
        r"|graceful_?stop|context canceled|closing transport|unexpected eof",
        "the engine went away during the build (restarted, or out of reach)",
        retryable=True,
    ),
    Cause(
        r"unknown flag: --(\S+)",
        "its buildx is too old to know --{0}: install docker-buildx 0.13 or newer",
    ),
    Cause(
        r"client version (\S+) is too (?:new|old)",
        "client and engine do not fit (API version {0}): install Docker Engine 23 or newer",
    ),
)
"""Causes outside the service; each sentence follows "on the builder NAME: ". They are searched in
the final error of buildx, and only when the error names no place in the Dockerfile."""

DOCKERFILE = (
    Cause(
        r"parse error on line \d+: unknown flag: (?:--)?([\w-]+) "
        r"\(did you mean (?:--)?([\w-]+)\?\)",
        "the flag --{0} does not exist: did you mean --{1}?",
    ),
    Cause(
        r"parse error on line \d+: unknown flag: (?:--)?([\w-]+)",
        "this builder does not know the flag --{0}: correct the spelling, or use a newer Docker "
        "Engine or a newer frontend in `# syntax=`",
    ),
    Cause(
        r"the dockerfile(?: \(\S*\))? cannot be empty|file with no instructions",
        "the Dockerfile has no instruction: write one, beginning with FROM",
    ),
    Cause(
        r"target stage \"?([^\s\"]+)\"? could not be found",
        "the Dockerfile has no stage {0!r}: name a stage by FROM … AS {0}",
    ),
    Cause(
        r"no build stage in current context",
        "an instruction stands before the first FROM: begin with FROM (only ARG may stand before "
        "it)",
    ),
    Cause(
        r"invalid user index: -1",
        "--chown names a user or group that the image does not have: create the user first (RUN "
        "useradd …), or use a number",
    ),
    Cause(
        r"no match for platform in manifest|no matching manifest for (\S+)",
        "a base image has no variant for the builder's platform: choose another base image",
    ),
)
"""Mistakes in the Dockerfile that BuildKit reports with or without a line."""

POLICY = (
    Cause(
        r'source "docker-image://(docker\.io/docker/\S+)" denied by policy',
        "the environment does not allow {0}, which the line `# syntax=` names. " + WITHOUT_FRONTEND,
    ),
    Cause(
        r'source "docker-image://(\S+)" denied by policy',
        "the environment does not allow the image {0}: use one that build.allowedBases in "
        "environments.yaml allows, or have it added there",
    ),
    Cause(
        r'source "((?:https?|git)://\S+)" denied by policy',
        "the builder may not fetch {0}, since the environment restricts the network of builds "
        "(build.network: restricted in environments.yaml): put it into the ZIP, or download it in "
        "a RUN",
    ),
)
"""Sources that the environment does not allow, whatever names them."""

SOURCES = (
    Cause(
        r"source metadata for docker\.io/library/([\w.-]+):latest: .*\(did you mean ([\w.-]+)\?\)",
        "there is no stage {0!r}, so Docker looks for an image of this name; did you mean the "
        "stage {1!r}?",
    ),
    Cause(
        rf"failed to resolve source metadata for (\S+): .*?{_REGISTRY_AWAY}",
        "the registry of the base image {0} cannot be reached from the builder",
        retryable=True,
    ),
    Cause(
        rf"(?:failed to do request|httpReadSeeker|failed to copy): .*?{_REGISTRY_AWAY}",
        "the registry of a base image cannot be reached from the builder, or breaks off",
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
    ),
)
"""For the instruction ``ADD``, which unpacks archives."""

FRONTEND = (
    Cause(
        r"failed to resolve source metadata for (\S+): .*?no such host",
        "the registry of {0}, which the line `# syntax=` names, cannot be reached from the "
        "builder. " + WITHOUT_FRONTEND,
    ),
    Cause(
        rf"failed to resolve source metadata for (\S+): .*?{_REGISTRY_AWAY}",
        "the registry of {0}, which the line `# syntax=` names, cannot be reached from the "
        "builder. " + WITHOUT_FRONTEND,
        retryable=True,
    ),
    Cause(
        r"failed to resolve source metadata for (\S+):",
        "{0}, which the line `# syntax=` names, cannot be pulled. " + WITHOUT_FRONTEND,
    ),
)
"""Failed pulls of the frontend, which is the image in the line ``# syntax=``."""

STEPS = (
    Cause(
        rf"secret {PIP_SECRET}: not found|needs the secret (?:{PIP_SECRET}|{UV_SECRET})",
        "it needs the private package index, which this build may not use: set utilsVersion in the "
        "manifest, or set packageIndex with offeredTo: all in environments.yaml",
    ),
    Cause(
        r"401 error, credentials not correct for (\S+)",
        "the package index refused the login for {0}: correct the Airflow Connection that "
        "packageIndex in environments.yaml names",
    ),
    Cause(
        r"failed to resolve source metadata for (\S+): .*?(?:\b40[13]\b|unauthorized|forbidden"
        r"|access denied|authorization failed|insufficient_scope|authentication required)",
        "the registry does not let the builder read the base image {0}: correct the name, or add "
        "the registry with an Airflow Connection to build.registries in environments.yaml",
    ),
    Cause(
        r"failed to resolve source metadata for (\S+):",
        "the base image {0} cannot be pulled: correct FROM, or let the registry's login read it",
    ),
    Cause(
        r"an index \((\S+)\) returned a 40[13]",
        "the package index refused the login for {0}: correct the Airflow Connection that "
        "packageIndex in environments.yaml names",
    ),
    Cause(
        r'"(/[^"\n]+)": not found',
        "{0} is not in the ZIP (paths count from its root): add it, or correct the line",
    ),
    # Packages of Python.
    Cause(
        r"could not install packages due to an oserror: \[errno 2\] no such file or directory: "
        r"'(/[^']+)'",
        "a requirement names the path {0}, which exists only on another machine: replace "
        "`name @ file://…` by `name==version` (conda writes such lines; "
        "`pip list --format=freeze` does not)",
    ),
    Cause(
        r"(?:distribution not found at: |path does not exist: |"
        r"expected an? \S+ at )`?(?:file://)?(/[^\s`]+)",
        "a requirement names the path {0}, which exists only on another machine: replace "
        "`name @ file://…` by `name==version` (conda writes such lines)",
    ),
    Cause(
        r"cannot find command '(git|hg|svn|bzr)'|(git) executable not found"
        r"|program not found: (git)",
        "a requirement comes from version control, and the image has no git: publish a package "
        "and require it by version, or install git in an own scripts/Dockerfile",
    ),
    Cause(
        r"do not match the hashes from the requirements file[^\n]*\n"
        r"(?: *(?:unknown package:)?\n)? *([\w.\[\],-]+(?:==[^\s;]+)?) ",
        "the package {0} has another hash than the requirements say: update its hashes, or, if the "
        "file should be the same, find out who changed it",
    ),
    Cause(
        r"(?:do not match the hashes|hash mismatch for `?([^\s`]+))",
        "a package has another hash than the requirements say: update the hashes, or, if the file "
        "should be the same, find out who changed it",
    ),
    Cause(
        r"in --require-hashes mode, all requirements must have their versions pinned[^\n]*\n"
        r" *([\w.\[\]-]+)",
        "one requirement has a hash, so pip wants a version (==) and hashes for every package, and "
        "{0} has none: add them (pip-compile --generate-hashes), or remove all hashes",
    ),
    Cause(
        r"hashes are required in --require-hashes mode, but they are missing[^\n]*\n"
        r" *([\w.\[\]=-]+)",
        "one requirement has a hash, so pip wants hashes for every package, and {0} has none: add "
        "them (pip-compile --generate-hashes), or remove all hashes",
    ),
    Cause(
        r"invalid requirement: (.*(?:\\x00|\x{fffd}\w\x{fffd}).*)",
        "the requirements are UTF-16, as PowerShell's `>` writes them, without a byte order mark: "
        "save them as UTF-8",
    ),
    Cause(
        r"invalid requirement: (.+)",
        "pip cannot read the requirement {0}: correct it",
    ),
    Cause(
        r"the conflict is caused by:[^\n]*\n\s*([^\n]+)\n\s*([^\n]+)",
        "the requirements contradict each other ({0}; {1}): loosen or align their versions",
    ),
    Cause(
        "cannot install (.+?) because these package versions have conflicting dependencies",
        "pip cannot install {0} together: loosen or align their versions",
    ),
    Cause(
        r"\bbecause (\S+==\S+) depends on (\S+) and you require (\S+),",
        "the requirements contradict each other ({0} needs {1}, and {2} is required): loosen or "
        "align their versions",
    ),
    Cause(
        r"pg_config executable not found",
        "psycopg2 has no wheel for Linux, and the image lacks what its build needs (pg_config, a C "
        "compiler): require psycopg2-binary instead",
    ),
    Cause(
        r"mysql_config: not found|can not find valid pkg-config name|mysqlclient_cflags",
        "mysqlclient has no wheel for Linux, and the image lacks what its build needs (MySQL's "
        "headers, a C compiler): require PyMySQL instead, or install them in an own "
        "scripts/Dockerfile",
    ),
    Cause(
        r"fatal error: ([\w./+-]+\.h(?:pp)?): no such file or directory",
        "a package without a wheel is compiled, and the image lacks the header {0}: "
        + _OTHER_PACKAGE,
    ),
    Cause(
        r"command '[^'\n]*?([\w.+-]+)' failed: no such file or directory"
        r"|unable to execute '([\w.+-]+)'|(you need a c compiler)"
        r"|(no acceptable c compiler found)|(unknown compiler)",
        "a package without a wheel is compiled, and the image has no compiler: " + _OTHER_PACKAGE,
    ),
    Cause(
        r"can't find rust compiler|requires rust|cargo, the rust package manager, is not installed"
        r"|rustup could not choose",
        "a package without a wheel is compiled, and the image has no Rust compiler: "
        + _OTHER_PACKAGE,
    ),
    Cause(
        r"requires a different python: (\S+) not in '([^']+)'",
        "a package needs another Python ({1}; the image has {0}): require another version of it, "
        "or begin an own scripts/Dockerfile with another image",
    ),
    Cause(
        r"failed (?:building wheel for|to build) ['\"`]?([\w.-]+)",
        "pip cannot build the package {0} from source: " + _OTHER_PACKAGE,
    ),
    # Servers. pip says "no matching distribution" as well when it reaches no index.
    Cause(
        r"(?:could not|couldn't|unable to|temporary failure|failed to) resolv(?:e|ing)"
        r"(?: host(?: address)?)?:? [\x{2018}'\"]?([a-z0-9][a-z0-9.-]*)",
        "the name {0} cannot be resolved on the builder",
        retryable=True,
    ),
    Cause(
        r"getaddrinfo (?:enotfound|eai_again) ([a-z0-9][a-z0-9.-]*)",
        "the name {0} cannot be resolved on the builder",
        retryable=True,
    ),
    Cause(
        r"https?connectionpool\(host='([^']+)', port=\d+\): "
        r"(?:read timed out|max retries exceeded)",
        "the server {0} cannot be reached from the builder, or answers too slowly",
        retryable=True,
    ),
    Cause(
        r"failed to fetch: `?https?://(?:[^\s/@`]*@)?([^\s/`]+)"
        rf"(?s:.*?)(?:dns error|error sending request|{error_text.NETWORK})",
        "the server {0} cannot be reached from the builder",
        retryable=True,
    ),
    Cause(
        r"looking in indexes: (?:https?://)?(?:[^\s/@,]*@)?([^\s/,]+)(?s:.*?)connection broken by",
        "the package index {0} cannot be reached from the builder",
        retryable=True,
    ),
    Cause(
        r"connection broken by .*: /simple/",
        "the public package index cannot be reached from the builder",
        retryable=True,
    ),
    Cause(
        _NETWORK,
        "a server that it needs could not be reached",
        retryable=True,
    ),
    Cause(
        r"because (\S+) was not found in the package registry",
        "no package index has a package {0}: correct its name, or have it uploaded",
    ),
    Cause(
        r"no matching distribution found for ((?:pywin32|pypiwin32|pywinpty|pywin32-ctypes|wmi"
        r"|winsdk|windows-curses|comtypes|win32-setctime|pyreadline3?|appnope|pyobjc)\b.*)",
        "the package {0} exists only for Windows or macOS: remove it from the requirements, or add "
        'a marker, such as `; sys_platform == "win32"`',
    ),
    Cause(
        r"no matching distribution found for (.+)",
        "pip finds no package {0}: correct its name or version, or see whether the index has it "
        "for this Python and for Linux",
    ),
    Cause(
        r"e: unable to locate package (\S+)",
        "apt finds no package {0}: run apt-get update in the same RUN, or correct the name",
    ),
    Cause(
        r"context canceled",
        "the build was cancelled before BuildKit said why",
        retryable=True,
    ),
    # Commands.
    Cause(
        r"exec format error",
        "a program is for another processor than the builder's: use a base image and files in the "
        "ZIP for the builder's processor",
    ),
    Cause(
        r"\\r[\x{2019}']?: (?:no such file|command not found)|bad interpreter: [\w./+-]+(?:\^m|\r)"
        r"|/usr/bin/env: bad interpreter|\$'\\r'",
        "a script has Windows line ends (CRLF): save it with LF (in Git: `*.sh text eol=lf` in "
        ".gitattributes)",
    ),
    Cause(
        r"no space left on device",
        "no space left on device",
        retryable=True,
    ),
    Cause(
        "dockerfile parse error.*?: (.+)",
        "{0}",
    ),
    Cause(
        r"exit code: 137",
        "it was killed (exit code 137), most likely for want of memory",
    ),
    Cause(
        r"did not complete successfully: exit code: (\d+)",
        "it ended with exit code {0}",
    ),
)
"""Causes of a failed step. The error names Dockerfile, line and instruction before the sentence."""
