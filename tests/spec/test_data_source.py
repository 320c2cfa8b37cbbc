"""Data in files as a `.cim` file names them: what is bound, what is refused, what makes another digest."""

from pathlib import Path

import pytest

from cimspec.diag import CimError
from cimspec.spec import CifarData, Fit, FolderData, IdxData, LabelSet, Layout, NpzData, load_spec
from tests.spec.conftest import CHIP, MODEL


def source(folder: Path, call: str):
    (folder / "main.cim").write_text(f"{CHIP}{MODEL}data d = {call}\n", encoding="utf-8")
    data = load_spec(folder / "main.cim").data
    assert data
    return data.source


def refused(folder: Path, call: str) -> list[tuple[str, str]]:
    with pytest.raises(CimError) as caught:
        source(folder, call)
    return [(found.code, found.message.replace(f"{folder}/", "")) for found in caught.value.diagnostics]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.npz").write_bytes(b"a")
    (tmp_path / "b.npz").write_bytes(b"b")
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "1.png").write_bytes(b"one")
    return tmp_path


def test_all_options_are_bound(folder: Path):
    options = "scale = 16, resize = 32 x 40, fit = cover, crop = 28, mean = 0.5, std = [1, 2.5], limit = 1000"
    found = source(folder, f'npz("a.npz", layout = nhwc, {options}, validation = 10 %, test = 0.25)')
    assert isinstance(found, NpzData)
    assert (found.layout, found.scale, found.fit) == (Layout.NHWC, 16.0, Fit.COVER)
    assert (found.resize, found.crop) == ((32, 40), (28, 28))
    assert (found.mean, found.std, found.limit) == ((0.5,), (1.0, 2.5), 1000)
    assert (found.validation_share, found.test_share) == (0.1, 0.25)


def test_files_are_given_by_position_or_by_name(folder: Path):
    found = source(folder, 'idx("a.npz", "b.npz")')
    assert isinstance(found, IdxData)
    assert (found.images.path, found.labels.path) == (folder / "a.npz", folder / "b.npz")
    assert (found.test_images, found.validation_share, found.test_share) == (None, 0.2, 0.2)
    assert source(folder, 'idx(labels = "b.npz", images = "a.npz")') == found
    assert isinstance(source(folder, 'folder("photos")'), FolderData)
    cifar = source(folder, 'cifar("photos", labels = coarse)')
    assert isinstance(cifar, CifarData)
    assert cifar.labels is LabelSet.COARSE


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        ('npz("../a.npz")', "CIM115", "`../a.npz` is not below the folder of this file"),
        ('npz("/etc/passwd")', "CIM115", "`/etc/passwd` is not below the folder of this file"),
        ('folder("..")', "CIM115", "`..` is not below the folder of this file"),
        ('npz("c.npz")', "CIM110", "there is no file `c.npz`"),
        ('folder("fotos")', "CIM110", "there is no file `fotos`"),
        (f'folder("{"x" * 5000}")', "CIM111", f"`{'x' * 5000}` cannot be read: file name too long"),
        ('npz("photos")', "CIM111", "`photos` is a folder"),
        ('folder("a.npz")', "CIM111", "`a.npz` is no folder"),
        ('idx("a.npz")', "CIM206", "`idx` needs `labels`"),
        ('idx("a.npz", "a.npz", "a.npz")', "CIM219", "`idx` has `test_images` and lacks `test_labels`"),
        ('npz("a.npz", test = 90 %)', "CIM219", "20% for validation and 90% for testing leave nothing to train on"),
        ('npz("a.npz", validation = 0)', "CIM208", "`npz.validation` must be above 0 and below 1, not 0"),
        ('npz("a.npz", std = [1, 0])', "CIM208", "`npz.std` must be above 0 and at most 1000000000, not 0"),
        ('npz("a.npz", crop = 0)', "CIM208", "`npz.crop` must be from 1 to 1024, not 0"),
        ('npz("a.npz", limit = 0)', "CIM208", "`npz.limit` must be from 1 to 1000000000, not 0"),
        ('npz("a.npz", layout = hwc)', "CIM204", "unknown option `hwc` for `layout`"),
        ('folder("photos", layout = nhwc)', "CIM203", "unknown field `layout` in `folder`"),
        ("npz(7)", "CIM205", "`file` takes a path in quotes, not the number 7"),
    ],
)  # fmt: skip
def test_what_is_refused(folder: Path, call: str, code: str, message: str):
    assert (code, message) in refused(folder, call)


def test_a_link_that_leads_outside_is_refused(folder: Path):
    (folder / "inner").mkdir()
    (folder / "inner" / "link.npz").symlink_to(folder / "a.npz")
    (folder / "inner" / "photos").symlink_to(folder / "photos")
    for call in ('npz("link.npz")', 'folder("photos")', 'cifar("photos")'):
        assert [code for code, _ in refused(folder / "inner", call)] == ["CIM115"]


def digest(folder: Path, call: str) -> str:
    source(folder, call)
    return load_spec(folder / "main.cim").digest


def test_the_digest_follows_the_content_not_the_name(folder: Path):
    first = digest(folder, 'npz("a.npz")')
    assert first != digest(folder, 'npz("b.npz")')
    (folder / "b.npz").write_bytes(b"a")
    assert first == digest(folder, 'npz("b.npz")')
    assert first != digest(folder, 'npz("b.npz", limit = 10)')


def test_the_digest_follows_names_and_sizes_in_a_folder(folder: Path):
    call, image = 'folder("photos")', folder / "photos" / "cat" / "1.png"
    first = digest(folder, call)
    (folder / "photos" / "notes.txt").write_bytes(b"no image")
    assert digest(folder, call) == first
    image.write_bytes(b"longer")
    second = digest(folder, call)
    image.rename(image.with_name("2.png"))
    assert len({first, second, digest(folder, call)}) == 3


def test_the_digest_follows_the_batches_of_cifar(folder: Path):
    batch = folder / "photos" / "data_batch_1.bin"
    digests = set()
    for content in (b"a", b"b"):
        batch.write_bytes(content)
        digests.add(digest(folder, 'cifar("photos")'))
    assert len(digests) == 2
