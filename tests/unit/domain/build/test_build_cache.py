"""The cache covers a build when the cached image ran the same commands on the same files."""

import pytest
from manifest_engine.domain.build.build_cache import Layers, Step, covers, is_worthwhile

PIP = "RUN |1 UTILS_VERSION=1.4.2 /bin/sh -c pip install # buildkit"


def image(*steps: tuple[str, str | None]) -> Layers:
    """Layers from pairs of a step and the step's layer, if any."""
    return Layers(
        tuple(Step(text, layer is not None) for text, layer in steps),
        tuple(layer for _, layer in steps if layer is not None),
    )


BASE = (("debootstrap", "base"), ("CMD python3", None))
CACHED = image(*BASE, ("COPY requirements", "r1"), (PIP, "p1"), ("ENV A=1", None), ("COPY .", "c1"))


@pytest.mark.parametrize(
    "built",
    [
        image(*BASE, ("COPY requirements", "r1"), (PIP, "p1"), ("ENV A=1", None), ("COPY .", "c2")),
        image(*BASE, ("COPY requirements", "r1"), (PIP, "p1"), ("ENV A=2", None), ("COPY .", "c2")),
        image(*BASE, ("COPY requirements", "r1"), (PIP, "p1")),
        image(*BASE, ("COPY .", "c2")),
    ],
    ids=["code", "metadata", "fewer copies", "no command"],
)
def test_a_change_after_the_last_command_is_covered(built: Layers) -> None:
    assert covers(CACHED, built)


@pytest.mark.parametrize(
    "built",
    [
        image(*BASE, ("COPY requirements", "r2"), (PIP, "p2"), ("COPY .", "c1")),
        image(*BASE, ("COPY requirements", "r1"), (PIP, "p2"), ("COPY .", "c1")),
        image(("debootstrap", "b2"), BASE[1], ("COPY requirements", "r1"), (PIP, "p1")),
        image(*BASE, ("COPY requirements", "r1"), (PIP.replace("1.4.2", "1.5.0"), "p1")),
        image(*BASE, ("COPY requirements", "r1"), (PIP, "p1"), ("COPY .", "c1"), ("RUN x", "x1")),
    ],
    ids=["requirements", "packages", "base", "argument", "another command"],
)
def test_a_command_or_file_that_is_not_in_the_cache_is_not_covered(built: Layers) -> None:
    assert not covers(CACHED, built)


def test_the_history_of_an_engine_without_makes_layer_is_enough() -> None:
    from_engine = Layers(tuple(Step(step.created_by) for step in CACHED.history), CACHED.diff_ids)
    assert covers(CACHED, from_engine)


@pytest.mark.parametrize(
    ("context", "commands", "worthwhile"),
    [(0.1, 0.0, True), (2.0, 0.0, True), (10.5, 6.5, False), (10.0, 20.0, True)],
)
def test_a_long_context_is_sent_again_only_to_save_longer_commands(
    context: float, commands: float, worthwhile: bool
) -> None:
    assert is_worthwhile(context_seconds=context, command_seconds=commands) is worthwhile
