"""Every page can be moved, without the images that it was made of: nothing in it leads astray."""

import base64
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import likelens as package
from likelens import Catalogue, garments

COLOUR = "opencv:colour?bins=4"


class Links(HTMLParser):
    """What a page refers to, and the names of its places."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href", "srcset", "poster", "data", "action"):
                self.links.append(value or "")
            if name in ("id", "name"):
                self.places.add(value)


def broken(page: Path):
    """The links of a page that lead nowhere, or out of its folder."""
    parsed = Links(page.read_text(encoding="utf-8"))
    for link in parsed.links:
        parts = urlsplit(link)
        if parts.scheme == "data":
            head, _, content = link.partition(",")
            if "base64" in head and not base64.b64decode(content, validate=True):
                yield link
        elif (
            parts.scheme
            or parts.netloc
            or parts.path.startswith("/")
            or (parts.path and not (page.parent / unquote(parts.path)).resolve().is_file())
            or ".." in Path(parts.path).parts
            or (not parts.path and parts.fragment and parts.fragment not in parsed.places)
        ):
            yield link


def images(page: Path):
    text = page.read_text(encoding="utf-8")
    return text.count('<img src="data:image/') + text.count('src="data:image/')


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """A folder with every kind of page, moved after the images and the store are gone."""
    from likelens._tune import Line, tune
    from likelens.report.tune import write_tuning
    from likelens.reproduce import engine, write_engine

    root = tmp_path_factory.mktemp("made")
    shop, pages = root / "shop", root / "pages"
    source = garments.create(shop, items=40, size=48)
    catalogue = Catalogue.open(source)
    store = root / "store"
    board = package.compare(catalogue, [COLOUR, "control:random?dim=8"], store)
    curves = package.stress(catalogue, [COLOUR], store, max_queries=5)
    from likelens.report.page import write_report

    write_report(board, pages / "evaluate", curves)
    pairs = [
        (query, item, int(query[:2] == item[:2]))
        for query in catalogue.ids[:6]
        for item in catalogue.ids[6:20]
    ]
    table = root / "judged.csv"
    rows = (",".join(map(str, pair)) for pair in pairs)
    table.write_text("\n".join(["query,candidate,grade", *rows]) + "\n")
    judged = package.Judgements.read(table)
    package.discover(catalogue, [COLOUR, "opencv:hog?size=64"], judged, store).write(
        pages / "judgements"
    )
    from likelens._relevance import compare_by_relevance

    compare_by_relevance(catalogue, [COLOUR], store, relevance="tags").write(pages / "relevance")
    package.check(catalogue, [COLOUR], store).write(pages / "check")
    hits = package.Searcher(store, COLOUR).search(catalogue.paths[0])
    from likelens.report.hits import write_hits

    write_hits(hits, pages / "search" / "hits.html")
    embeddings = package.embed(catalogue, COLOUR, store)
    lines = (Line("hnsw", "ef", (16, 64)),)
    found = tune(embeddings.vectors, k=3, queries=20, lines=lines)
    write_tuning(found, COLOUR, pages / "tune" / "tune.html")
    by_kind = Catalogue.open(source, category="kind")
    write_engine(engine(by_kind, [COLOUR], per_class=2, k=3), pages / "engine")
    for path in shop.rglob("*.jpg"):
        path.unlink()
    return pages.rename(tmp_path_factory.mktemp("elsewhere") / "pages")


PAGES = {
    "evaluate/report.html": True,
    "judgements/discovery.html": False,
    "relevance/retrieval.html": False,
    "check/check.html": False,
    "search/hits.html": True,
    "tune/tune.html": False,
    "engine/report.html": True,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_moved_page_has_all_it_needs(moved, name):
    page = moved / name
    assert list(broken(page)) == []
    assert "http" not in "".join(Links(page.read_text(encoding="utf-8")).links)
    assert images(page) > 0 or not PAGES[name]
    assert "the picture cannot be opened" not in page.read_text(encoding="utf-8")


def test_every_kind_of_page_is_among_them(moved):
    """A new page must be added above."""
    templates = Path(package.__file__).parent / "report" / "templates"
    whole = {
        path.name.split(".")[0]
        for path in templates.glob("*.html.j2")
        if 'extends "base.html.j2"' in path.read_text(encoding="utf-8")
    }
    assert whole == {"report", "discovery", "retrieval", "check", "hits", "tune", "engine"}
    assert {path.relative_to(moved).as_posix() for path in moved.rglob("*.html")} == set(PAGES)


@pytest.mark.parametrize(
    "link", ["/root/a.png", "gone.png", "../a.png", "https://x.org/a.png", "#nowhere", "file:///a"]
)
def test_the_check_sees_a_broken_link(tmp_path, link):
    page = tmp_path / "p.html"
    page.write_text(f'<p id="here"><a href="#here">x</a><img src="{link}"></p>')
    assert list(broken(page)) == [link]


def test_a_search_in_a_moved_store_shows_images(tmp_path, likelens):
    source = garments.create(tmp_path / "here" / "shop", items=20, size=48)
    embed = ("embed", source, "-e", COLOUR, "--store", tmp_path / "here" / "store")
    assert likelens(*embed)[0] == 0
    there = (tmp_path / "here").rename(tmp_path / "there")
    query = next((there / "shop" / "images").glob("*.jpg"))
    page = tmp_path / "hits.html"
    asked = ("search", query, "--store", there / "store", "-e", COLOUR, "--html", page)
    code, _, err = likelens(*asked)
    assert code == 0, err
    assert list(broken(page)) == []
    assert images(page) > 3
    assert "cannot be opened" not in page.read_text(encoding="utf-8")
