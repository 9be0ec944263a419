"""The artifact store keeps complete objects only, in a folder and in an object store."""

import errno
import gc
import hashlib
import io
import threading

import pytest
from airflow.sdk.io.store import _STORE_CACHE, attach
from fsspec import AbstractFileSystem, register_implementation
from fsspec.spec import AbstractBufferedFile
from manifest_engine.domain.artifact.archive import open_archive
from manifest_engine.domain.core.errors import ArtifactError, ConfigurationError
from manifest_engine.domain.environment.environment import Limits
from manifest_engine.hooks.storage.artifact_store import ArtifactStore, default_root

from tests.unit.domain.artifact.zip_bytes import Part, make_zip

CONTENT = bytes(range(256)) * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()

pytestmark = pytest.mark.filterwarnings("ignore:UPath 'bucket' filesystem not explicitly")


class Buckets(AbstractFileSystem):
    """An object store for fsspec: an object appears when its upload is committed."""

    protocol = "bucket"
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}
        self.reads = 0
        self.refuse_commit = lambda: False

    def info(self, path, **_):
        if path not in self.objects:
            raise FileNotFoundError(errno.ENOENT, "not found", path)
        return {"name": path, "size": len(self.objects[path]), "type": "file"}

    def ls(self, path, detail=True, **_):
        return [self.info(name) for name in self.objects if name.startswith(path)]

    def _open(self, path, mode="rb", block_size=None, cache_options=None, **kwargs):
        return Upload(self, path, mode, block_size, cache_options=cache_options, **kwargs)


class Upload(AbstractBufferedFile):
    def _initiate_upload(self):
        self.parts = []

    def _upload_chunk(self, final=False):
        self.parts.append(self.buffer.getvalue())
        if final:
            if self.fs.refuse_commit():
                raise RuntimeError("InvalidBlockList")
            self.fs.objects[self.path] = b"".join(self.parts)

    def _fetch_range(self, start, end):
        self.fs.reads += 1
        return self.fs.objects[self.path][start:end]


@pytest.fixture(autouse=True, scope="module")
def _small_heap():
    """Exempt what exists already, so that each garbage collection is fast."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def buckets():
    fs = Buckets()
    register_implementation("bucket", Buckets, clobber=True)
    attach("bucket", fs=fs)
    yield fs
    del _STORE_CACHE["bucket"]


@pytest.fixture(params=["folder", "object store"])
def store(request, tmp_path):
    if request.param == "folder":
        return ArtifactStore(f"file://{tmp_path}/store/")
    request.getfixturevalue("buckets")
    return ArtifactStore("bucket://artifacts/me")


def names(store: ArtifactStore) -> list[str]:
    """The names of all visible objects, also of drafts."""
    gc.collect()  # fsspec commits a file on garbage collection
    try:
        return [one["name"].rpartition("/")[2] for one in store._fs.ls(store._folder, detail=True)]
    except FileNotFoundError:
        return []


def breaking():
    yield CONTENT
    raise ConnectionResetError("cut")


def test_a_stored_object_can_be_read_by_its_checksum(store):
    assert store.put([CONTENT[:1000], CONTENT[1000:]], SHA256) == len(CONTENT)
    with store.open(SHA256) as file:
        assert file.read() == CONTENT
        file.seek(-3, io.SEEK_END)
        assert file.read() == CONTENT[-3:]
    assert store.url(SHA256).endswith(f"/sha256/{SHA256}.zip")


def test_an_object_of_another_size_does_not_count(store):
    assert not store.has(SHA256, len(CONTENT))
    store.put([CONTENT], SHA256)

    assert store.has(SHA256, len(CONTENT))
    assert not store.has(SHA256, len(CONTENT) + 1)


def test_a_failing_source_leaves_no_object(store):
    with pytest.raises(ConnectionResetError):
        store.put(breaking(), SHA256)

    assert names(store) == []


def test_a_failing_source_keeps_the_existing_object(store):
    store.put([CONTENT], SHA256)
    with pytest.raises(ConnectionResetError):
        store.put(breaking(), SHA256)

    assert names(store) == [f"{SHA256}.zip"]
    assert store.has(SHA256, len(CONTENT))


def test_content_with_another_checksum_is_refused(store):
    with pytest.raises(ArtifactError, match="were changed on the way") as caught:
        store.put([CONTENT, b"x"], SHA256)

    assert caught.value.retryable
    assert names(store) == []


def test_an_unfinished_object_is_not_visible(store):
    seen = []

    def source():
        yield CONTENT[:9999]
        seen.append(store.has(SHA256, 9999))
        yield CONTENT[9999:]

    store.put(source(), SHA256)

    assert seen == [False]


def test_two_writers_at_once_both_succeed(store):
    both, sizes = threading.Barrier(2, timeout=5), []

    def source():
        yield CONTENT[:9999]
        both.wait()
        yield CONTENT[9999:]

    threads = [
        threading.Thread(target=lambda: sizes.append(store.put(source(), SHA256))) for _ in "12"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sizes == [len(CONTENT)] * 2
    assert names(store) == [f"{SHA256}.zip"]


def test_a_commit_after_that_of_another_writer_succeeds(buckets):
    store = ArtifactStore("bucket://artifacts/me")

    def beaten():
        buckets.objects[store._path(SHA256)] = CONTENT
        return True

    buckets.refuse_commit = beaten

    assert store.put([CONTENT], SHA256) == len(CONTENT)


def test_a_failed_commit_is_retryable(buckets):
    buckets.refuse_commit = lambda: True
    store = ArtifactStore("bucket://artifacts/me")
    with pytest.raises(ArtifactError, match=r"cannot be written \(RuntimeError\)") as caught:
        store.put([CONTENT], SHA256)

    assert caught.value.retryable
    assert names(store) == []


def test_the_error_for_a_missing_object_says_how_to_get_it(store):
    with pytest.raises(ArtifactError, match="clear download_artifact") as caught:
        store.open(SHA256)

    assert "MANIFEST_ENGINE_STORE" in str(caught.value)
    assert not caught.value.retryable


def test_a_folder_without_write_permission_is_an_error(tmp_path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(ArtifactError, match="cannot be written") as caught:
        ArtifactStore(f"file://{tmp_path}/store").put([CONTENT], SHA256)

    assert caught.value.retryable


def test_a_remote_zip_is_read_in_few_requests_whatever_its_order(buckets):
    """Members are read by name, so without cached blocks each jump would fetch megabytes again."""
    content = make_zip(*(Part(f"{n * 7919 % 3000:04}.txt", bytes(8000)) for n in range(3000)))
    store, sha256 = ArtifactStore("bucket://artifacts/me"), hashlib.sha256(content).hexdigest()
    store.put([content], sha256)
    with store.open(sha256) as file:
        for _ in open_archive(file, Limits()).tar_stream():
            pass

    assert buckets.reads == -(-len(content) // (8 << 20))


def test_the_root_comes_from_the_environment_or_is_in_airflow_home(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("MANIFEST_ENGINE_STORE", raising=False)
    assert default_root() == f"file://{tmp_path}/artifacts"

    monkeypatch.setenv("MANIFEST_ENGINE_STORE", "abfs://conn@container/x")
    assert default_root() == "abfs://conn@container/x"


def test_a_scheme_without_a_provider_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="the provider for its scheme"):
        ArtifactStore("nonsense://bucket/x")
