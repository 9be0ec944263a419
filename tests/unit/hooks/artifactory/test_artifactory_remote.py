"""Remote and virtual repositories: the storage API has no file before its first download."""

import pytest

from tests.unit.hooks.artifactory.artifactory_double import PATH
from tests.unit.hooks.artifactory.reading import CONTENT, fetched, refusal


@pytest.mark.parametrize("known_as", [PATH, PATH.replace("datafactory/", "datafactory-cache/", 1)])
def test_an_uncached_file_is_fetched_into_artifactory_s_cache_first(hook, server, known_as):
    server.info_paths.clear()

    def serve(handler):
        server.info_paths.add(f"/artifactory/api/storage/{known_as}")
        handler.send_file(CONTENT)

    server.times(1, serve)

    assert fetched(hook) == CONTENT
    assert len(server.downloads) == 2


def test_a_cached_file_is_downloaded_once(hook, server):
    assert fetched(hook) == CONTENT
    assert len(server.downloads) == 1


def test_a_file_of_a_virtual_repository_is_downloaded_from_its_own_path(hook, server):
    """File info names the underlying repository, which the Connection may be unable to read."""
    server.info |= {
        "repo": "datafactory-local",
        "downloadUri": f"{server.url}/{PATH.replace('datafactory/', 'datafactory-local/', 1)}",
    }

    assert hook.file_info(PATH).uri == f"{server.url}/{PATH}"
    assert fetched(hook) == CONTENT


def test_a_remote_repository_without_a_cache_is_an_error(hook, server):
    server.info_paths.clear()
    error = refusal(lambda: hook.file_info(PATH))

    assert "keeps no checksum of it; let its remote repository store artifacts" in str(error)
    assert not error.retryable


def test_a_fetch_into_the_cache_that_breaks_off_can_be_retried(hook, server):
    server.info_paths.clear()
    server.times(1, lambda h: h.send_file(CONTENT, cut=200_000))

    assert refusal(lambda: hook.file_info(PATH)).retryable
