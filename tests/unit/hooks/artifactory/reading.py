"""Helpers of the tests: read a file from the double, and catch the error of a refusal."""

import random
import traceback

import pytest
from manifest_engine.domain.core.errors import ArtifactError

from tests.unit.hooks.artifactory.artifactory_double import PATH, TOKEN

CONTENT = random.Random(1).randbytes(400_000)


def fetched(hook) -> bytes:
    return b"".join(hook.download(hook.file_info(PATH)))


def refusal(act) -> ArtifactError:
    """The error of the refusal; checks that its traceback contains no secret."""
    with pytest.raises(ArtifactError) as caught:
        act()
    printed = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in printed
    assert "sig=" not in printed
    return caught.value
