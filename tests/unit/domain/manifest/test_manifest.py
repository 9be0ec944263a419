"""Valid manifests, and the sentence about each kind of invalid manifest."""

import pytest
from manifest_engine.domain.core.errors import ManifestError
from manifest_engine.domain.manifest.manifest import parse

MINIMAL = {
    "component": "pricing",
    "serviceName": "quote-service",
    "version": "1.4.0",
    "environment": "dev",
}


def refusal(**changes: object) -> str:
    with pytest.raises(ManifestError) as caught:
        parse(MINIMAL | changes)
    assert not caught.value.retryable
    return str(caught.value)


def test_four_fields_are_enough_and_the_rest_has_the_documented_defaults():
    made = parse(MINIMAL)
    assert (made.port, made.replicas, made.health_path, made.env) == (8002, 2, "/health", {})
    assert made.smoke_path == "/health"
    assert made.startup == 60
    assert made.route.strip_prefix
    assert made.autoscale is None


def test_null_counts_as_not_given_as_the_form_sends_it():
    assert parse(MINIMAL | {"artifact": None, "notes": None, "port": None}) == parse(MINIMAL)


def test_every_missing_field_is_named_at_once():
    with pytest.raises(ManifestError) as caught:
        parse({})
    for field in MINIMAL:
        assert f"{field} is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("quoteService", "quote-service"),
        ("Quote_Service", "quote-service"),
        ("HTTPProxy", "http-proxy"),
        ("-quote-", "quote"),
        ("q" * 70, "q" * 63),
    ],
)
def test_an_invalid_name_gets_the_nearest_valid_name(name, suggested):
    assert f"did you mean {suggested!r}?" in refusal(serviceName=name)


def test_a_name_without_valid_characters_gets_no_suggestion():
    assert "did you mean" not in refusal(component="___")


@pytest.mark.parametrize(
    ("key", "nearest"), [("verison", "version"), ("servicename", "serviceName"), ("envs", "env")]
)
def test_an_unknown_key_gets_the_nearest_known_key(key, nearest):
    assert f"unknown key {key!r} (did you mean {nearest!r}?)" in refusal(**{key: "x"})


def test_an_unknown_key_without_a_similar_key_gets_all_known_keys():
    assert "known keys: component, serviceName" in refusal(zzzzzz=1)


def test_an_unknown_key_in_a_block_is_named_with_its_path():
    message = refusal(smokeTest={"paht": "/x"})
    assert "unknown key 'smokeTest.paht' (did you mean 'path'?)" in message


@pytest.mark.parametrize(
    "version", ["", "1.0 beta", ".1", "1.0-", "-1", "v" * 64, "1.0\n", "ü1", "a/b", "a:b"]
)
def test_a_version_that_is_not_a_tag_and_a_label_is_refused(version):
    assert "not a valid version" in refusal(version=version)


def test_the_tag_of_the_build_cache_is_refused_as_a_version():
    assert "build cache" in refusal(version="cache")


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        ("https://host/repo/a.zip", "not the URL"),
        ("repo/../a.zip", "repo/path/file.zip"),
        ("a.zip", "repo/path/file.zip"),
        ("/repo/a.zip", "repo/path/file.zip"),
        ("repo/a.tar.gz", ".zip"),
    ],
)
def test_an_artifact_that_is_not_a_path_of_a_zip_is_refused(artifact, message):
    assert message in refusal(artifact=artifact)


def test_component_and_service_name_must_fit_a_kubernetes_name_together():
    message = refusal(component="c" * 40, serviceName="s" * 40)
    assert "81 characters" in message
    assert "shorten one by 18" in message


def test_a_component_must_begin_with_a_letter():
    assert "must begin with a letter" in refusal(component="3d")


def test_the_error_about_a_wrong_type_names_the_form():
    assert "port must be a whole number" in refusal(port="8002")
    assert "env.LEVEL must be text" in refusal(env={"LEVEL": 3})


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_port_outside_the_range_is_refused(port):
    assert "port" in refusal(port=port)


def test_a_value_of_secret_env_is_never_repeated():
    assert "hunter2" not in refusal(secretEnv={"PASSWORD": "hunter2"})


def test_a_variable_cannot_be_plain_and_secret_at_once():
    message = refusal(env={"A": "1"}, secretEnv={"A": "s/k"})
    assert "A is in env and in secretEnv" in message


def test_requests_above_limits_are_refused_with_both_figures():
    amounts = {
        "requests": {"cpu": "2", "memory": "1Gi"},
        "limits": {"cpu": "500m", "memory": "2Gi"},
    }
    assert "requests.cpu 2 is more than limits.cpu 500m" in refusal(resources=amounts)


def test_min_replicas_must_not_exceed_max_replicas():
    assert "more than maxReplicas" in refusal(autoscale={"minReplicas": 5, "maxReplicas": 2})


def test_an_empty_autoscaler_names_the_missing_keys():
    assert "autoscale.minReplicas is missing" in refusal(autoscale={})


@pytest.mark.parametrize("digest", ["abc", "A" * 64, "z" * 64])
def test_a_checksum_is_64_hexadecimal_digits(digest):
    assert "64 lower-case hexadecimal digits" in refusal(artifactSha256=digest)


@pytest.mark.parametrize("path", ["health", "/a b", "http://x/", "/a#b"])
def test_a_health_path_begins_with_a_slash(path):
    assert "healthPath" in refusal(healthPath=path)


@pytest.mark.parametrize(
    "name", ["--push", "-x.example/a:1", "docker.io/a=docker-image://b", "a b", "python:3.11"]
)
def test_a_base_image_of_a_rebuild_must_be_a_reference(name):
    digest = "sha256:" + "a" * 64
    rebuild = {"releaseHash": "h", "digest": digest, "bases": {name: digest}}
    assert "is not an image reference such as docker.io/" in refusal(rebuild=rebuild)


def test_the_number_of_base_images_of_a_rebuild_is_limited():
    digest = "sha256:" + "a" * 64
    bases = {f"docker.io/library/a{number}:1": digest for number in range(129)}
    assert "at most 128" in refusal(rebuild={"releaseHash": "h", "digest": digest, "bases": bases})


@pytest.mark.parametrize("status", [100, 401, 404, 503])
def test_a_health_path_that_expects_an_error_is_refused_since_probes_cannot_log_in(status):
    sentence = refusal(smokeTest={"expectStatus": status})
    assert f"expectStatus {status} at the health path /health" in sentence
    assert "a probe cannot log in" in sentence
    parse(MINIMAL | {"smokeTest": {"expectStatus": status, "path": "/private"}})
    parse(MINIMAL | {"smokeTest": {"expectStatus": 204}})


def test_without_a_path_to_ask_the_smoke_test_can_expect_no_answer():
    assert parse(MINIMAL | {"readiness": {"kind": "tcp"}}).smoke_path is None
    assert parse(MINIMAL | {"readiness": {"port": 9000}}).smoke_path is None
    sentence = refusal(readiness={"kind": "tcp"}, smokeTest={"expectBody": "ok"})
    assert "need smokeTest.path" in sentence


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"readiness": {"kind": "exec"}}, "kind exec and command belong together"),
        ({"liveness": {"command": ["/x"]}}, "kind exec and command belong together"),
        ({"readiness": {"grpcService": "q"}}, "grpcService is for kind grpc"),
        ({"liveness": {"path": "/livez"}}, "path is for kind http"),
        ({"readiness": {"kind": "none"}}, "readiness.kind"),
        ({"readiness": {"host": "169.254.169.254"}}, "unknown key 'readiness.host'"),
    ],
)
def test_a_check_that_fits_no_kind_is_refused(fields, sentence):
    assert sentence in refusal(**fields)


@pytest.mark.parametrize(
    ("asked", "status", "problem"),
    [
        ({}, 204, ""),
        ({}, 301, "answers 301 instead of 200"),
        ({"expectStatus": 301}, 301, ""),
        ({"expectStatus": 200}, 204, "answers 204 instead of 200"),
        ({"expectBody": "b"}, 200, "answers 200, but without 'b' in the body"),
    ],
)
def test_what_the_smoke_test_expects(asked, status, problem):
    made = parse(MINIMAL | {"smokeTest": asked})
    assert made.smoke_test.problem(status, "a") == problem


@pytest.mark.parametrize(
    "path", ["/Dockerfile", "../Dockerfile", "a//b", "a/./b", "a\\b", "a/", "", "a b", "a\u00a0b"]
)
def test_a_dockerfile_outside_the_zip_is_refused(path):
    assert refusal(dockerfile=path).startswith("The manifest is not valid: dockerfile: ")


def test_a_dockerfile_may_begin_with_a_dot_and_slash():
    assert parse(MINIMAL | {"dockerfile": "./docker/Dockerfile"}).dockerfile == "docker/Dockerfile"


@pytest.mark.parametrize("name", ["0", "1st", "-x", "a b", ""])
def test_a_target_is_the_name_of_a_stage(name):
    assert "is not the name of a stage, as in FROM … AS name" in refusal(target=name)


@pytest.mark.parametrize(
    "name", ["API_TOKEN", "npmToken", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "ACCOUNT_KEY", "SAS"]
)
def test_a_build_argument_that_looks_like_a_secret_is_refused_without_its_value(name):
    said = refusal(buildArgs={name: "hunter2"})
    assert f"{name} looks like a secret by its name" in said
    assert "can read its build arguments in the image's history" in said
    assert "secretEnv" in said
    assert "hunter2" not in said


def test_a_build_argument_with_a_login_in_its_url_is_refused_without_its_value():
    said = refusal(buildArgs={"MIRROR": "https://ada:hunter2@example.com/x"})
    assert "MIRROR has a URL with a login" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("UTILS_VERSION", "it is the manifest's utilsVersion"),
        ("service_version", "it is the manifest's version"),
        ("SOURCE_DATE_EPOCH", "it is the same for every build"),
        ("BUILDKIT_SYNTAX", "it configures BuildKit; to choose"),
        ("BUILDKIT_INLINE_CACHE", "it configures BuildKit"),
        ("http_proxy", "the environment's build.proxy sets it"),
        ("TARGETARCH", "the builder sets it from platform"),
        ("BUILDPLATFORM", "the builder sets it from platform"),
    ],
)
def test_a_build_argument_that_the_build_sets_is_refused(name, remedy):
    assert f"{name} cannot be set here: {remedy}" in refusal(buildArgs={name: "1"})


def test_build_arguments_are_bounded():
    assert "at most 8192 characters" in refusal(buildArgs={"A": "x" * 8192})
    assert "buildArgs" in refusal(buildArgs={f"A{n}": "" for n in range(33)})
    assert "'A-B' is not the name of a build argument" in refusal(buildArgs={"A-B": "1"})


@pytest.mark.parametrize("name", ["TOKENIZER", "EXTRAS", "BUILD_DATE", "TARGET_ENV", "KEYBOARD"])
def test_other_build_arguments_are_taken(name):
    assert parse(MINIMAL | {"buildArgs": {name: "a=b c"}}).build_args == {name: "a=b c"}


def test_only_platforms_of_linux_nodes_are_taken():
    assert parse(MINIMAL | {"platform": "linux/arm64"}).platform == "linux/arm64"
    assert "'linux/amd64' or 'linux/arm64'" in refusal(platform="windows/amd64")
