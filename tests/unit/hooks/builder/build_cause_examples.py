"""Output of buildx 0.13, Docker Engine 26 and the tools in a build: one example of each cause.

The examples of a group have the order of its causes.
"""

EXAMPLES = {
    "ENGINE": [
        "failed to register layer: write /usr/lib/x: no space left on device",
        "failed to receive status: rpc error: code = Unavailable desc = closing transport",
        "unknown flag: --metadata-file",
        "Error response from daemon: client version 1.24 is too old. Minimum supported API version",
    ],
    "DOCKERFILE": [
        "failed to solve: dockerfile parse error on line 3: unknown flag: fro (did you mean from?)",
        "failed to solve: dockerfile parse error on line 3: unknown flag: exclude",
        "failed to solve: the Dockerfile cannot be empty",
        'failed to solve: target stage "production" could not be found',
        "failed to solve: no build stage in current context",
        "failed to solve: invalid user index: -1",
        (
            "python:3.11: failed to resolve source metadata for docker.io/library/python:3.11: "
            "no match for platform in manifest: not found"
        ),
    ],
    "POLICY": [
        'failed to solve: source "docker-image://docker.io/docker/dockerfile:1" denied by policy',
        'failed to solve: source "docker-image://registry.example.com/x:1" denied by policy',
        'failed to solve: source "https://example.com/model.bin" denied by policy',
    ],
    "SOURCES": [
        (
            "failed to solve: buidler: failed to resolve source metadata for "
            "docker.io/library/buidler:latest: failed to do request: Head: no such host (did you "
            "mean builder?)"
        ),
        (
            "failed to solve: base:1: failed to resolve source metadata for "
            "r.example.com/base:1: failed to do request: Head "
            '"https://r.example.com/v2/base/manifests/1": EOF'
        ),
        (
            "failed to solve: failed to copy: read tcp 10.1.0.4:4->192.0.2.2:443: read: "
            "connection reset by peer"
        ),
    ],
    "ADD": [
        "failed to solve: unexpected EOF",
    ],
    "FRONTEND": [
        (
            "failed to solve: failed to resolve source metadata for "
            "docker.io/docker/dockerfile:1: failed to do request: dial tcp: lookup "
            "registry-1.docker.io: no such host"
        ),
        (
            "failed to solve: failed to resolve source metadata for "
            "docker.io/docker/dockerfile:1: failed to do request: dial tcp 192.0.2.1:443: "
            "connect: connection refused"
        ),
        (
            "failed to solve: failed to resolve source metadata for r.example.com/dockerfile:1: "
            "r.example.com/dockerfile:1: not found"
        ),
    ],
    "STEPS": [
        "failed to solve: secret pip_conf: not found",
        "WARNING: 401 Error, Credentials not correct for https://index.example.com/simple/flask/",
        (
            "failed to solve: base:1: failed to resolve source metadata for "
            "r.example.com/base:1: failed to authorize: failed to fetch anonymous token: "
            "unexpected status from GET request to https://r.example.com/token: 401 Unauthorized"
        ),
        "failed to solve: failed to resolve source metadata for r/base:1: r/base:1: not found",
        "hint: An index (https://index.example.com/simple/) returned a 401 Unauthorized error",
        (
            "failed to solve: failed to compute cache key: failed to calculate checksum of ref "
            'x::y: "/nothere": not found'
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or "
            "directory: '/croot/packaging_1734472117206/work'"
        ),
        "error: Distribution not found at: file:///croot/packaging_1734472117206/work",
        "ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?",
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you "
            "have updated\n    itsdangerous==2.2.0 from https://files.example.org/x.whl"
        ),
        "error: Failed to download\n  Caused by: Hash mismatch for `itsdangerous==2.2.0`",
        (
            "ERROR: In --require-hashes mode, all requirements must have their versions pinned "
            "with ==. These do not:\n    click from https://files.example.org/click.whl"
        ),
        (
            "ERROR: Hashes are required in --require-hashes mode, but they are missing from some "
            "requirements. Here is a list\n    click==8.1.7 --hash=sha256:ae74fb96"
        ),
        "ERROR: Invalid requirement: 'f\\x00l\\x00a\\x00s\\x00k\\x00' (from line 1 of r.txt)",
        "ERROR: Invalid requirement: 'flask=3.1.3' (from line 1 of lib/requirements.txt)",
        (
            "The conflict is caused by:\n    The user requested werkzeug==2.0.0\n    flask 3.1.2 "
            "depends on werkzeug>=3.1.0"
        ),
        (
            "ERROR: Cannot install flask==3.1.2 and werkzeug==2.0.0 because these package "
            "versions have conflicting dependencies."
        ),
        "  ╰─▶ Because flask==3.1.2 depends on werkzeug>=3.1.0 and you require werkzeug==2.0.0, we",
        "Error: pg_config executable not found.",
        "Exception: Can not find valid pkg-config name.",
        "src/_ffi.c:15:10: fatal error: ffi.h: No such file or directory",
        "error: command 'gcc' failed: No such file or directory",
        "error: can't find Rust compiler",
        "ERROR: Package 'numpy' requires a different Python: 3.11.2 not in '>=3.12'",
        "ERROR: Failed building wheel for pycairo",
        "E: Failed to fetch http://deb.example.org/  Temporary failure resolving 'deb.example.org'",
        (
            "npm error request to https://npm.example.org/x failed, reason: getaddrinfo "
            "ENOTFOUND npm.example.org"
        ),
        (
            "HTTPSConnectionPool(host='files.example.org', port=443): Read timed out. (read "
            "timeout=15)"
        ),
        (
            "error: Failed to fetch: `https://index.example.com/simple/flask/`\n  Caused by: dns "
            "error: failed to lookup address information: Name or service not known"
        ),
        (
            "Looking in indexes: https://i.invalid/simple\nWARNING: Retrying (Retry(total=4)) "
            "after connection broken by 'NewConnectionError('Name or service not known')': "
            "/simple/flask/"
        ),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by "
            "'NewConnectionError('Name or service not known')': /simple/flask/"
        ),
        "curl: (7) Failed to connect to 192.0.2.7 port 443: Connection refused",
        "  ╰─▶ Because no-such-package was not found in the package registry and you require it",
        "ERROR: No matching distribution found for pywin32==306",
        "ERROR: No matching distribution found for no-such-package==9.9",
        "E: Unable to locate package gcc",
        "failed to solve: Canceled: context canceled",
        "exec /bin/sh: exec format error",
        "/usr/bin/env: \u2018python3\\r\u2019: No such file or directory",
        "dd: error writing '/big': No space left on device",
        (
            "failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN (did "
            "you mean RUN?)"
        ),
        "failed to solve: process did not complete successfully: exit code: 137",
        "failed to solve: process did not complete successfully: exit code: 3",
    ],
}
