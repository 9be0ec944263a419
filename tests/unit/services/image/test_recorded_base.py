"""An invalid recorded base image is not looked up."""

from manifest_engine.services.image.base_lookup import BaseLookup


def test_an_invalid_recorded_reference_does_not_reach_a_command_line(monkeypatch):
    def run(*words, **_options):
        raise AssertionError(f"It was run: {words}")

    monkeypatch.setattr("subprocess.run", run)
    found = BaseLookup(None, []).current("-x.example/base:1")
    assert "'-x.example/base:1', which is not a valid image reference" in found.problem
