"""A download that differs from file info is refused."""

import hashlib

import pytest

from tests.unit.hooks.artifactory.artifactory_double import PATH
from tests.unit.hooks.artifactory.reading import CONTENT, fetched, refusal


def test_bytes_with_another_checksum_are_refused_at_the_end(hook, server):
    damaged = CONTENT[:-1] + b"x"
    server.times(1, lambda h: h.answer(200, damaged, {}))
    error = refusal(lambda: fetched(hook))

    assert f"its content has sha256 {hashlib.sha256(damaged).hexdigest()}" in str(error)
    assert f"file info {hashlib.sha256(CONTENT).hexdigest()}" in str(error)
    assert error.retryable


def test_a_header_that_contradicts_file_info_is_refused_before_the_first_byte(hook, server):
    info = hook.file_info(PATH)
    server.times(1, lambda h: h.answer(200, CONTENT, {"X-Checksum-Sha256": "0" * 64}))
    error = refusal(lambda: next(hook.download(info)))

    assert f"the download's header says sha256 {'0' * 64}" in str(error)


@pytest.mark.parametrize("content", [CONTENT + b"x", CONTENT[:-1]])
def test_another_size_than_in_file_info_is_refused(hook, server, content):
    server.times(1, lambda h: h.answer(200, content, {}))

    assert "another size" in str(refusal(lambda: fetched(hook)))


def test_more_bytes_than_in_file_info_are_refused_without_a_content_length(hook, server):
    def chunked(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for block in (CONTENT, b"more"):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        handler.wfile.write(b"0\r\n\r\n")

    server.times(1, chunked)

    assert "more than the 400000 bytes" in str(refusal(lambda: fetched(hook)))
