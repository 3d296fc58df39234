"""Images by name, by address and as bytes: found, fetched once, and never outside their folder."""

import json
import unicodedata
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from conftest import paint
from likelens import Catalogue, Judgements, Searcher, embed
from likelens.images import FORMATS, open_image
from likelens.report.thumbnails import thumbnail
from likelens.values.errors import BadImage, BadTable, MissingExtra
from likelens.values.places import ENDINGS
from misbehaving import Server, picture

E_NFC, E_NFD = "é", unicodedata.normalize("NFD", "é")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LIKELENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


def table(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


# --- names ------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_that_counts_as_an_image_is_decoded(tmp_path, ending):
    format_name = Image.registered_extensions()[ending]
    image = Image.new("1" if ending == ".pbm" else "RGB", (32, 32), 1)
    image.save(tmp_path / f"x{ending}", format="PPM" if ending == ".pnm" else format_name)
    assert format_name in (*FORMATS, "MPO"), "which is read as JPEG"
    assert open_image(Catalogue.open(tmp_path).paths[0]).shape == (32, 32, 3)


def test_files_that_are_passed_over_are_counted(tmp_path):
    paint(tmp_path / "hats" / "1.png", 1)
    for name in ("a", "b", "Thumbs.db", "x.txt", "orders.csv", ".hidden", "y.txt", "z.TXT"):
        (tmp_path / "hats" / name).write_bytes(b"")
    (note,) = Catalogue.open(tmp_path).notes
    assert note.endswith("6 files in X were passed over as no images: 3 .txt, 2 without an ending, 1 .db".replace("X", str(tmp_path)))  # fmt: skip


def test_a_column_of_images_names_files_with_any_ending(tmp_path):
    paint(tmp_path / "images" / "1.png", 1).rename(tmp_path / "images" / "1")
    paint(tmp_path / "images" / "2.png", 1).rename(tmp_path / "images" / "2.xyz")
    (tmp_path / "t.csv").write_text("id,file\na,1\nb,2.xyz\n")
    found = Catalogue.open(tmp_path / "t.csv", image="file")
    assert [open_image(path).shape for path in found.paths] == [(20, 24, 3)] * 2
    assert found.notes == ()
    (tmp_path / "t.csv").write_text("id\n1\n2.xyz\n")
    assert len(Catalogue.open(tmp_path / "t.csv")) == 2, "or the id is the whole name"


@pytest.mark.parametrize("on_disk", [E_NFC, E_NFD])
@pytest.mark.parametrize("in_table", [E_NFC, E_NFD])
@pytest.mark.parametrize("options", [{}, {"image": "file"}])
def test_names_that_look_the_same_are_the_same(tmp_path, on_disk, in_table, options):
    paint(tmp_path / "images" / f"{on_disk}.png", 1)
    (tmp_path / "t.csv").write_text(f"id,file,t\n{in_table},{in_table}.png,x{E_NFD}\n")
    (tmp_path / "p.csv").write_text(f"customer,item\nc,{on_disk}\n")
    found = Catalogue.open(
        tmp_path / "t.csv", tags=["t"], drop=None, purchases=tmp_path / "p.csv", **options
    )
    assert found.ids == (E_NFC,)
    assert found.paths[0].is_file()
    assert found.tags.names == (f"x{E_NFC}",)
    assert found.purchases.items.tolist() == [E_NFC]
    assert len(found.take([E_NFD])) == 1
    store = tmp_path / "store"
    embed(found, "opencv:colour", store)
    assert Searcher(store).reader.item(in_table) == E_NFC
    assert Judgements((E_NFD,), ("x",), [1.0]).queries == (E_NFC,)


@pytest.mark.parametrize("on_disk", [E_NFC, E_NFD])
@pytest.mark.parametrize("listed", [E_NFC, E_NFD])
def test_names_of_published_data_sets_are_compared_in_the_same_way(tmp_path, on_disk, listed):
    paint(tmp_path / f"{on_disk}.png", 1)
    entry = {"id": listed, "path": f"{listed}.png", "category": listed}
    (tmp_path / "v.json").write_text(json.dumps({"images": [entry]}))
    (tmp_path / "seeds.json").write_text(json.dumps({"seeds": [f"{on_disk}.png"]}))
    found = Catalogue.open(tmp_path / "v.json", part=["seeds.json"])
    assert (*found.ids, *found.products, *found.labels) == (f"{E_NFC}.png", E_NFC, E_NFC)
    assert found.paths[0].is_file()


def test_two_names_that_look_the_same_are_a_conflict(tmp_path):
    for name in (E_NFC, E_NFD):
        paint(tmp_path / "images" / f"{name}.png", 1)
    with pytest.raises(
        BadTable, match=r"names of some images look the same as others: 'e\\u0301.png'"
    ):
        Catalogue.open(tmp_path / "images")
    (tmp_path / "t.csv").write_text(f"id\n{E_NFC}\n")
    with pytest.raises(BadTable, match=r"1 id fits several images: é \('e\\u0301.png'"):
        Catalogue.open(tmp_path / "t.csv")
    (tmp_path / "images" / f"{E_NFD}.png").unlink()
    (tmp_path / "t.csv").write_text(f"id\n{E_NFC}\n{E_NFD}\n")
    with pytest.raises(BadTable, match="1 id stands on several rows: é"):
        Catalogue.open(tmp_path / "t.csv")


# --- addresses --------------------------------------------------------------------


def test_addresses_are_fetched_once_and_work_everywhere(tmp_path, cache, server):
    paint(tmp_path / "images" / "local.png", 9)
    rows = [("a", server.url("good/1")), ("b", server.url("moved/2")), ("c", "local.png")]
    path = table(tmp_path / "t.parquet", id=[i for i, _ in rows], url=[u for _, u in rows])
    found = Catalogue.open(path, image="url", allow_private=True)
    assert found.paths[0].read_bytes() == picture(1)
    assert found.attributes["url"].to_pylist() == [url for _, url in rows]
    assert found.paths[0].is_relative_to(cache), "a digest decides the place"
    again = Catalogue.open(path, image="url", allow_private=True)
    assert server.asked["good/1"] == 1
    assert [*again.paths] == [*found.paths]
    store = tmp_path / "store"
    assert len(embed(found, "opencv:colour", store)) == 3
    hits = Searcher(store).search("a", k=1)
    assert thumbnail(hits.paths[0]) is not None


def test_addresses_without_an_image_are_named_or_skipped(tmp_path, cache, server):
    path = table(tmp_path / "t.parquet", id=["a", "b"], url=[server.url("good/1"), server.url("nothing")])  # fmt: skip
    with pytest.raises(
        BadTable, match=r"1 item has no picture: b \(http.*nothing: the server says 404"
    ):
        Catalogue.open(path, image="url", allow_private=True)
    found = Catalogue.open(path, image="url", allow_private=True, skip_missing=True)
    assert found.ids == ("a",)
    assert "404" in found.skipped[0][1]


def test_private_addresses_are_refused_unless_allowed(tmp_path, cache, server):
    path = table(tmp_path / "t.parquet", id=["a"], url=[server.url("good/1")])
    with pytest.raises(BadTable, match=r"127.0.0.1 is no public address \(--allow-private"):
        Catalogue.open(path, image="url")
    assert not server.asked
    (tmp_path / "catalogue.toml").write_text('table = "t.parquet"\nallow_private = true\n')
    with pytest.raises(BadTable, match="unknown key allow_private"):
        Catalogue.open(tmp_path)


def memory(name, seed):
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe_file(name, picture(seed))
    return f"memory://{name.lstrip('/')}"


def test_addresses_of_fsspec(tmp_path, cache):
    images = tmp_path / "images"
    paint(images / "1.png", 1)
    with zipfile.ZipFile(images / "some.zip", "w") as archive:
        archive.writestr("deep/3.jpg", picture(3))
    urls = [memory("/shop/1.jpg", 1), "file://1.png", "zip://deep/3.jpg::some.zip"]
    urls.append(f"simplecache::{memory(f'/{E_NFD}.jpg', 4)}")
    path = table(tmp_path / "t.parquet", id=["a", "b", "c", "d"], url=urls)
    found = Catalogue.open(path, image="url")
    assert [path.read_bytes() for path in found.paths] == [
        picture(1), (images / "1.png").read_bytes(), picture(3), picture(4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("file:///etc/passwd", "it lies outside the folder of images"),
        ("local:///etc/passwd", "it lies outside the folder of images"),
        ("FILE:///etc/passwd", "it lies outside the folder of images"),
        ("file://../secret.png", "it lies outside the folder of images"),
        ("file://link.png", "it lies outside the folder of images"),
        ("simplecache::file:///etc/passwd", "it lies outside the folder of images"),
        ("zip://a.png::../secret.zip", "it lies outside the folder of images"),
        ("zip://a.png::/etc/secret.zip", "it lies outside the folder of images"),
        ("dir::file:///etc/passwd", "dir:// is not a protocol that is asked"),
        ("reference://x::file://1.png", "reference:// is not a protocol that is asked"),
        ("zip://a.png::http://127.0.0.1/x.zip", "http:// is not a protocol that is asked"),
        ("git:///etc:main@x", "git:// is not a protocol that is asked"),
        ("sftp://127.0.0.1/x.png", "sftp:// is not a protocol that is asked"),
        ("ftp://10.0.0.1/x.png", "ftp:// is not a protocol that is asked"),
        ("file://nowhere.png", "there is no such file"),
        ("memory://nowhere.png", "there is nothing at the address"),
        ("http://user:secret@example.org/x.png", "the address has a user's name in it"),
    ],
)
def test_addresses_lead_to_nothing_on_this_machine(tmp_path, cache, address, reason):
    paint(tmp_path / "secret.png", 1)
    paint(tmp_path / "images" / "1.png", 1)
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    path = table(tmp_path / "t.parquet", id=["a"], url=[address])
    with pytest.raises(BadTable) as error:
        Catalogue.open(path, image="url")
    assert reason in str(error.value)
    assert "secret@" not in error.value.what or "user:secret" in address
    assert not cache.exists()


def test_a_package_that_is_not_there_is_named(tmp_path, cache):
    try:
        import s3fs  # noqa: F401

        pytest.skip("s3fs is installed")
    except ImportError:
        pass
    path = table(tmp_path / "t.parquet", id=["a"], url=["s3://bucket/key.jpg"])
    with pytest.raises(MissingExtra, match=r"(?s)is not installed.*hint:  pip install s3fs$"):
        Catalogue.open(path, image="url")


# --- bytes ------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["struct", "binary", "large_binary"])
def test_images_as_bytes_in_parquet(tmp_path, cache, form):
    paint(tmp_path / "images" / "local.png", 9)
    content = [picture(1), picture(1), picture(2)]
    if form == "struct":
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        cells = [{"bytes": one, "path": "../../x.jpg"} for one in content]
        cells.append({"bytes": None, "path": "local.png"})
    else:
        kind, cells = (pa.binary() if form == "binary" else pa.large_binary()), [*content, b""]
    path = table(
        tmp_path / "t.parquet", id=["a", "b", "c", "d"], image=pa.array(cells, kind), x=[1, 2, 3, 4]
    )
    found = Catalogue.open(path, image="image", skip_missing=form != "struct")
    assert [one.read_bytes() for one in found.paths][:3] == content
    assert len(set(found.paths)) == len(found), "two items that look the same are two"
    assert found.ids == (("a", "b", "c", "d") if form == "struct" else ("a", "b", "c"))
    assert found.attributes.column_names == ["x"]
    assert len(embed(found, "opencv:colour", tmp_path / "store")) == len(found)
    before = {one: one.stat().st_mtime_ns for one in cache.rglob("*")}
    assert [*Catalogue.open(path, image="image", skip_missing=True).paths] == [*found.paths]
    assert {one: one.stat().st_mtime_ns for one in cache.rglob("*")} == before
    found.paths[0].unlink()
    assert (
        Catalogue.open(path, image="image", skip_missing=True).paths[0].read_bytes() == content[0]
    )


def test_bytes_that_are_no_image_column_are_left_out(tmp_path, cache):
    paint(tmp_path / "images" / "a.png", 9)
    path = table(tmp_path / "t.parquet", id=["a"], raw=[b"\xff\xd8"], name=[b"ab"])
    found = Catalogue.open(path)
    assert found.attributes.to_pylist() == [{"name": "ab"}]
    assert any("column raw holds bytes" in note for note in found.notes)
    assert json.dumps(found.attributes.to_pylist())


def test_real_images_as_bytes(real_data, tmp_path, cache):
    files = sorted((real_data / "data" / "fashion-products" / "images").iterdir())[:20]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    path = table(tmp_path / "t.parquet", id=[f.stem for f in files], image=pa.array(cells, kind))
    local = tmp_path / "local.csv"
    local.write_text("id\n" + "".join(f"{file.stem}\n" for file in files))
    as_bytes = embed(Catalogue.open(path, image="image"), "opencv:colour")
    as_files = embed(Catalogue.open(local, images=files[0].parent), "opencv:colour")
    assert (as_bytes.vectors == as_files.vectors).all()


def test_an_address_can_be_searched_with(tmp_path, cache):
    for number in range(4):
        paint(tmp_path / "images" / f"{number}.png", number)
    store = tmp_path / "store"
    embed(Catalogue.open(tmp_path / "images"), "opencv:colour", store)
    searcher = Searcher(store)
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe_file("/q.png", (tmp_path / "images" / "2.png").read_bytes())
    assert searcher.reader.item("memory://q.png") == "2.png", "known by its content"
    assert len(searcher.search("memory://q.png", k=2).ids) == 2
    assert open_image("memory://q.png").shape == (20, 24, 3)
    for address, reason in (
        ("http://127.0.0.1:9/x.png", "127.0.0.1 is no public address"),
        ("file:///etc/passwd", "it is a local file"),
    ):
        with pytest.raises(BadImage, match=f"the address gives no image: {reason}"):
            searcher.search(address)
