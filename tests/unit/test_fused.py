"""Fused encoders against the definition written out slowly, and the search for weights."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from likelens import Catalogue, Searcher, compare, embed, garments, metrics, open_encoder
from likelens._embed import fill, survey
from likelens._fuse import _worth, fuse
from likelens._fuse.shares import EARNS, FINE, best_shares
from likelens._fuse.values import EQUAL, FUSION
from likelens.cli import show
from likelens.encoders.base import Encoder, FittedEncoder
from likelens.encoders.fused import FusedEncoder, join
from likelens.encoders.running import Running
from likelens.encoders.torch_encoder import TorchEncoder
from likelens.metrics._fused import FusionScore
from likelens.store.base import open_store
from likelens.values.arrays import unit_rows
from likelens.values.embeddings import EncoderCard
from likelens.values.errors import BadShape, BadSpec, BadTable, NoWeights
from likelens.values.spec import Spec, fingerprint

COLOUR, HOG, SIFT = "opencv:colour?bins=4", "opencv:hog?size=64", "opencv:sift?sample=40&words=16"
FLAT = np.full((40, 40, 3), 200, np.uint8)  # no gradients, so HOG sees nothing
POSITIVE = st.floats(1e-3, 1e3)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return Catalogue.open(garments.create(tmp_path_factory.mktemp("g"), items=160, size=64))


def photos(count=6):
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (50, 40, 3), np.uint8) for _ in range(count)]


def slow_cosine(first, second):
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / lengths) if lengths else 0.0


# --- the encoder -------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(POSITIVE, min_size=2, max_size=4), st.integers(0, 2**32 - 1))
def test_the_cosine_is_the_weighted_mean_of_the_parts(weights, seed):
    draw = np.random.default_rng(seed)
    parts = [draw.standard_normal((5, d)) * 10 ** draw.uniform(-3, 3) for d in (3, 7, 2, 5)]
    parts = parts[: len(weights)]
    made = join(parts, weights)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    for i in range(5):
        for j in range(5):
            cosines = [slow_cosine(part[i], part[j]) for part in parts]
            expected = sum(w * c for w, c in zip(weights, cosines, strict=True)) / sum(weights)
            assert slow_cosine(made[i], made[j]) == pytest.approx(expected, abs=1e-5)


def test_the_encoder_keeps_that_equation():
    encoder = open_encoder(f"{COLOUR} + 0.25*{HOG}")
    made = encoder.encode(photos())
    parts = [open_encoder(one).encode(photos()) for one in (COLOUR, HOG)]
    assert made.dtype == np.float32
    assert made.shape == (6, encoder.dim) == (6, parts[0].shape[1] + parts[1].shape[1])
    for i in range(6):
        for j in range(6):
            colour, hog = (slow_cosine(part[i], part[j]) for part in parts)
            expected = (colour + 0.25 * hog) / 1.25
            assert slow_cosine(made[i], made[j]) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(POSITIVE, min_size=3, max_size=3), st.integers(0, 7), st.integers(0, 7))
def test_a_part_that_sees_nothing_contributes_zeros(weights, blind_i, blind_j):
    draw = np.random.default_rng(1)
    parts = [draw.standard_normal((2, 4)) for _ in weights]
    sees = [[not mask >> place & 1 for place in range(3)] for mask in (blind_i, blind_j)]
    for row, seen in enumerate(sees):
        for part, sees_it in zip(parts, seen, strict=True):
            part[row] *= sees_it
    made = join(parts, weights)
    masses = [sum(w for w, s in zip(weights, seen, strict=True) if s) for seen in sees]
    total = sum(w * slow_cosine(p[0], p[1]) for w, p in zip(weights, parts, strict=True))
    expected = total / np.sqrt(masses[0] * masses[1]) if all(masses) else 0.0
    assert slow_cosine(made[0], made[1]) == pytest.approx(expected, abs=1e-5)


def test_a_picture_that_one_part_cannot_see_keeps_the_others():
    encoder = open_encoder(f"{HOG} + {COLOUR}")
    vector = encoder.encode([FLAT])[0]
    width = open_encoder(HOG).dim
    assert not vector[:width].any()
    assert np.linalg.norm(vector[width:]) == pytest.approx(np.sqrt(0.5))


def test_the_card_sums_up_the_parts():
    encoder = open_encoder(f"{COLOUR} + 3*{HOG}")
    details = encoder.card.details["parts"]
    assert [part["name"] for part in details] == [COLOUR, HOG]
    assert [part["weight"] for part in details] == [0.25, 0.75]
    assert details[0]["fingerprint"] == open_encoder(COLOUR).fingerprint
    assert encoder.card.preprocessing.count(": ") == 2
    assert encoder.card.parameters is None
    assert encoder.layers == ()
    assert encoder.parallel


def test_fingerprints_cover_parts_and_the_ratios_of_weights():
    def mark(text):
        return open_encoder(text).fingerprint

    assert mark(f"{COLOUR} + {HOG}") == mark(f"3*{COLOUR} + 3*{HOG}")
    others = [
        f"{COLOUR} + {HOG}",
        f"{COLOUR} + 2*{HOG}",
        f"{HOG} + {COLOUR}",
        f"{COLOUR} + {COLOUR}",
    ]
    others += [COLOUR, HOG]
    assert len({mark(text) for text in others}) == 6


class Half(Encoder):
    """Mean colour of the left or the right half, less grey."""

    def __init__(self, side, parallel=True):
        self.spec = Spec("test", side)
        self.side, self.parallel, self.moved = side, parallel, None
        self.batch_size = 3
        self.seen = []
        self.card = EncoderCard(
            str(self.spec), fingerprint(side=side), dim=3, parameters=5, size_bytes=20
        )

    def run_on(self, running):
        self.moved = running.device
        self.batch_size = 4

    def prepare(self, image):
        width = image.shape[1] // 2
        half = image[:, :width] if self.side == "left" else image[:, width:]
        return half.reshape(-1, 3).mean(axis=0) - 128

    def forward(self, prepared):
        self.seen.append(len(prepared))
        return np.stack(prepared)


def test_parts_are_moved_and_fed_as_they_ask():
    parts = [Half("left"), Half("right", parallel=False)]
    parts[1].batch_size = 2
    encoder = FusedEncoder(Spec.parse("test:left + test:right"), [1, 1], parts)
    assert not encoder.parallel
    assert encoder.batch_size == 3
    assert (encoder.card.parameters, encoder.card.size_bytes) == (10, 40)
    encoder.forward([encoder.prepare(photo) for photo in photos(5)])
    assert [part.seen for part in parts] == [[3, 2], [2, 2, 1]]
    encoder.run_on(Running(device="cpu"))
    assert [part.moved for part in parts] == ["cpu", "cpu"]
    assert encoder.batch_size == 4


def test_a_broken_part_is_found_out():
    class Broken(Half):
        def forward(self, prepared):
            return np.full((len(prepared), self.width), np.inf)

    bad = Broken("right")
    encoder = FusedEncoder(Spec.parse("test:left + test:right"), [1, 1], [Half("left"), bad])
    bad.width = 3
    with pytest.raises(BadShape, match="NaN or infinity"):
        encoder.encode(photos(2))
    bad.width = 2
    with pytest.raises(BadShape, match="dimension 3"):
        encoder.encode(photos(2))


def test_vectors_that_see_no_pictures_are_refused(tmp_path):
    np.savez(tmp_path / "mine.npz", ids=np.array(["a", "b"]), vectors=np.eye(2))
    for part in ("control:shuffled?of=opencv:colour", f"vectors:{tmp_path / 'mine.npz'}"):
        with pytest.raises(BadSpec, match="sees no pictures, so it cannot be fused"):
            open_encoder(f"opencv:hog + 2*{part}")


def test_layers_and_options_belong_to_the_parts():
    with pytest.raises(BadSpec, match="layers belong to the parts"):
        open_encoder(Spec("fused", f"{COLOUR} + {HOG}", "features"))
    with pytest.raises(BadSpec, match="options belong to the parts"):
        open_encoder(Spec("fused", f"{COLOUR} + {HOG}", None, {"size": "2"}))
    with pytest.raises(BadSpec, match="opencv:colour has no option 'size'"):
        open_encoder(f"opencv:colour?size=2 + {HOG}")


# --- in a store --------------------------------------------------------------------


def test_parts_that_learn_are_kept_in_the_store(catalogue, tmp_path):
    name = f"{COLOUR} + 0.5*{SIFT}"
    made = embed(catalogue, name, tmp_path / "store")
    assert made.encoder.name == name
    assert sorted(open_store(tmp_path / "store").state(name)) == ["1.words"]
    again = open_encoder(name)
    assert isinstance(again, FittedEncoder)
    assert again.fingerprint == ""
    store = open_store(tmp_path / "store")
    run = fill(catalogue, again, store)
    assert (run.embedded, run.kept) == (0, len(catalogue))
    assert again.fingerprint == made.fingerprint
    np.testing.assert_allclose(again.encode(catalogue.paths[:5]), made.vectors[:5], atol=1e-6)


def test_what_a_part_learns_within_a_fusion_it_learns_alone(catalogue):
    fused = embed(catalogue, f"{COLOUR} + {SIFT}")
    alone = [embed(catalogue, part).vectors for part in (COLOUR, SIFT)]
    np.testing.assert_allclose(fused.vectors, join(alone, [1, 1]), atol=1e-6)


def test_a_fused_spec_searches_and_is_compared(catalogue, tmp_path):
    name = f"{COLOUR} + 0.5*{HOG}"
    vectors = unit_rows(embed(catalogue, name, tmp_path / "store").vectors)
    hits = Searcher(tmp_path / "store", name).search(catalogue.ids[3], k=5)
    similar = vectors @ vectors[3]
    similar[3] = -1
    expected = [catalogue.ids[row] for row in np.argsort(-similar, kind="stable")[:5]]
    assert list(hits.ids) == expected
    np.testing.assert_allclose(hits.scores, np.sort(similar)[::-1][:5], atol=1e-5)
    assert list(Searcher(tmp_path / "store").search(catalogue.paths[3], k=5).ids) == expected
    board = compare(catalogue, [COLOUR, name], tmp_path / "store")
    assert name in board.table["encoder"].to_pylist()


# --- the search for weights --------------------------------------------------------

CORNERS = np.array([[x, y, z] for x in (40, 215) for y in (40, 215) for z in (40, 215)])


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Pictures whose left half shows one tag and whose right half another."""
    return half_shop(tmp_path_factory.mktemp("halves"), "left", "right")


def half_shop(folder, *columns, items=120, views=1):
    draw = np.random.default_rng(3)
    (folder / "images").mkdir()
    lines = ["id,product," + ",".join(columns)]
    for number in range(items):
        if number % views == 0:
            kinds = {"left": draw.integers(0, 8), "right": draw.integers(0, 8)}
        sides = [CORNERS[kinds[side]] + draw.normal(0, 25, 3) for side in ("left", "right")]
        pixels = np.repeat(np.clip(sides, 0, 255)[None], 8, axis=0).repeat(6, axis=1)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{number}.png")
        cells = ",".join(f"{column[0]}{kinds[column]}" for column in columns)
        lines.append(f"{number},p{number // views},{cells}")
    (folder / "shop.csv").write_text("\n".join(lines) + "\n")
    return Catalogue.open(
        folder / "shop.csv", tags=list(columns), product="product" if views > 1 else None
    )


def test_two_that_see_different_tags_are_better_together(halves):
    found = fuse(halves, [Half("left"), Half("right")])
    scores = {name: one.mean for name, one in found.held_out.items()}
    assert list(scores) == [FUSION, EQUAL, "test:left", "test:right"]
    assert scores[FUSION] > max(scores["test:left"], scores["test:right"]) + 0.1
    best = max(("test:left", "test:right"), key=scores.get)
    assert found.difference.part == best
    assert found.difference.mean == pytest.approx(scores[FUSION] - scores[best])
    assert 0 < found.difference.low < found.difference.mean < found.difference.high
    assert found.difference.p < 0.01
    assert sum(found.weights.values()) == pytest.approx(1)
    assert 0.3 < found.weights["test:left"] < 0.7
    assert found.train_items == found.held_out_items == 60
    weights = dict(zip(("a", "b"), (w for w, _ in Spec.parse(found.spec).parts), strict=True))
    assert weights["a"] == 1
    share = weights["b"] / (1 + weights["b"])
    assert share == pytest.approx(found.weights["test:right"])


def test_the_scores_are_those_of_the_fused_encoder(catalogue):
    found = fuse(catalogue, [COLOUR, HOG], self_pairs="include")
    assert found.category_weights is not None
    fused = embed(catalogue, found.spec)
    products = sorted({("product", product) for product in catalogue.products})
    assert len(products) < len(catalogue)
    np.random.default_rng(0).shuffle(products)
    held = {product for _, product in products[: round(0.5 * len(products))]}
    for side, scores in ((True, found.held_out), (False, found.train)):
        pairs = zip(catalogue.ids, catalogue.products, strict=True)
        ids = [item for item, product in pairs if (product in held) == side]
        tags = catalogue.tags.weighted(found.category_weights).take(ids)
        expected = metrics.corrembed_naive(fused.take(ids).vectors, tags.matrix)
        assert scores[FUSION].mean == pytest.approx(expected.mean, abs=1e-6)
    assert found.held_out_items == sum(product in held for product in catalogue.products)


def test_drawn_garments_gain_by_colour(catalogue):
    alike = dict.fromkeys(catalogue.tags.category_names, 1.0)
    found = fuse(catalogue, [HOG, COLOUR], weights=alike)
    scores = {name: one.mean for name, one in found.held_out.items()}
    assert scores[FUSION] > max(scores[HOG], scores[COLOUR]) + 0.02
    assert found.category_weights == alike
    tried = dict(found.curve)
    assert (min(tried), max(tried)) == (0, 1)
    best = max(tried, key=tried.get)
    assert best == pytest.approx(found.weights[COLOUR], abs=2e-3)
    assert tried[best] > max(tried[0], tried[1])


def test_equal_seeds_give_equal_fusions_and_others_another_split(halves):
    first, again, other = (
        fuse(halves, [Half("left"), Half("right")], seed=seed).to_dict() for seed in (1, 1, 2)
    )
    assert first == again
    assert first["held_out"] != other["held_out"]
    ids = list(halves.ids)[::-1]
    turned = fuse(halves.take(ids), [Half("left"), Half("right")], seed=1)
    assert turned.held_out[FUSION].mean == pytest.approx(
        first["held_out"][FUSION]["mean"], abs=1e-6
    )


def test_a_part_that_adds_nothing_weighs_nothing(tmp_path):
    shop = half_shop(tmp_path, "left")
    found = fuse(shop, [Half("left"), Half("right")])
    assert found.spec == "test:left"
    assert found.weights == {"test:left": 1.0, "test:right": 0.0}
    assert any("test:left does not gain by the other" in note for note in found.notes)
    assert found.difference.mean == 0
    found = fuse(shop, [Half("right"), Half("left")])
    assert found.spec == "test:left"


def test_what_the_held_out_items_do_not_show_is_not_praised(halves, capsys):
    found = fuse(halves, [Half("left"), Half("right")])
    assert found.difference.shown
    assert not any("no gain" in note for note in found.notes)
    show.print_fusion(found)
    assert capsys.readouterr().out.endswith(f"spec: {found.spec}\n")
    for changed in ({"p": 0.921}, {"mean": -0.001}):
        doubtful = replace(found.difference, **changed)
        assert not doubtful.shown
        (note,) = _worth(doubtful)
        assert note.startswith(f"no gain over {doubtful.part} alone that these items can show")
        show.print_fusion(replace(found, difference=doubtful))
        assert f"(not shown to be better than {doubtful.part} alone)" in capsys.readouterr().out


def test_three_parts_are_weighed_at_once(halves):
    found = fuse(halves, [Half("left"), "control:random?dim=64", Half("right")])
    assert list(found.weights) == ["test:left", "control:random?dim=64", "test:right"]
    assert found.weights["control:random?dim=64"] < 0.05
    assert found.curve == ()
    two = fuse(halves, [Half("left"), Half("right")])
    assert found.train[FUSION].mean >= two.train[FUSION].mean - 2e-4


def test_each_picture_is_decoded_once_and_networks_run_where_asked(halves, monkeypatch):
    opened, asked = [], []
    real = survey.open_image

    def noted(content, *, where):
        opened.append(where)
        return real(content, where=where)

    monkeypatch.setattr(survey, "open_image", noted)
    spec = "timm:test_vit?img_size=32&weights=none"
    monkeypatch.setattr(
        TorchEncoder, "run_on", lambda self, running: asked.append((self.spec, running))
    )
    running = Running(device="cpu", runtime="torch")
    found = fuse(halves, [Half("left"), "opencv:colour?bins=2", spec], running=running)
    assert len(opened) == len(set(opened)) == len(halves)
    assert asked == [(Spec.parse(spec), running)]
    assert spec in found.weights


def test_an_encoder_that_cannot_be_had_ends_the_search(halves, tmp_path):
    empty = tmp_path / "empty.safetensors"
    empty.touch()
    with pytest.raises((NoWeights, BadSpec), match=r"empty"):
        fuse(halves, [COLOUR, f"checkpoint:{empty}?arch=torchvision:alexnet"])


def test_views_of_one_product_stay_on_one_side(tmp_path):
    shop = half_shop(tmp_path, "left", "right", items=80, views=4)
    found = fuse(shop, [Half("left"), Half("right")], held_out=0.25)
    assert (found.train_items, found.held_out_items) == (60, 20)


def test_it_is_plain_data(halves):
    import json

    found = fuse(halves, [Half("left"), Half("right")])
    read = json.loads(json.dumps(found.to_dict()))
    assert read["spec"] == found.spec
    assert read["held_out"][FUSION]["low"] < read["held_out"][FUSION]["mean"]
    assert read["curve"][0] == [0.0, pytest.approx(found.train["test:left"].mean, abs=1e-4)]
    assert any("no purchases" in note for note in read["notes"])
    assert repr(found).startswith("Fusion('test:left + ")


@pytest.mark.parametrize("self_pairs", ["include", "exclude"])
def test_the_objective_is_the_metric(self_pairs):
    draw = np.random.default_rng(0)
    parts = [unit_rows(draw.standard_normal((50, d)) + 0.3).astype(np.float32) for d in (6, 9, 4)]
    tags = (draw.random((50, 8)) < 0.3).astype(float)
    tags[7] = 0  # has no score
    from scipy.sparse import csr_array

    score = FusionScore(parts, csr_array(tags), self_pairs)
    for _ in range(10):
        shares = draw.dirichlet(np.ones(3))
        expected = metrics.corrembed(join(parts, shares), tags, self_pairs=self_pairs)
        assert score(shares) == pytest.approx(expected.mean, abs=1e-5)


def test_the_objective_counts_what_is_not_seen_as_0():
    from scipy.sparse import csr_array

    draw = np.random.default_rng(0)
    parts = [unit_rows(draw.standard_normal((40, d))) for d in (6, 9)]
    parts[0][:10] = 0
    tags = (draw.random((40, 8)) < 0.5).astype(float)
    tags[:, 0] = 1  # every item has a tag
    alone = metrics.corrembed(parts[0], tags, self_pairs="exclude")
    assert alone.missing == 10
    expected = np.nan_to_num(alone.per_query).mean()
    score = FusionScore(parts, csr_array(tags), "exclude")
    assert score(np.array([1.0, 0.0])) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("peak", [0.0003, 0.02, 0.3337, 0.5, 0.991])
def test_the_highest_share_of_two_is_found_closely(peak):
    found, curve = best_shares(lambda shares: -100 * (shares[1] - peak) ** 2, 2)
    best = max(curve, key=lambda point: point[1])[0]
    assert best == pytest.approx(peak, abs=FINE)
    np.testing.assert_allclose(found, [1 - best, best] if peak > FINE else [1, 0])
    assert [share for share, _ in curve] == sorted({share for share, _ in curve})


@pytest.mark.parametrize("peak", [(0.2, 0.3, 0.5), (0.6, 0.0, 0.4), (0.0, 1.0, 0.0)])
def test_the_highest_shares_of_three_are_found(peak):
    found, _ = best_shares(lambda shares: -float(((shares - peak) ** 2).sum()), 3)
    np.testing.assert_allclose(found, peak, atol=0.02)


def test_a_part_that_earns_too_little_is_left_out():
    for gain in (0.5, 2.0):
        found, _ = best_shares(lambda shares, gain=gain: gain * EARNS * min(shares[1] * 4, 1), 2)
        assert (found[1] > 0) == (gain > 1)


def test_what_cannot_be_fused_is_refused(halves, shop):
    with pytest.raises(BadTable, match="a list of specs"):
        fuse(halves, f"{COLOUR} + {HOG}")
    with pytest.raises(
        BadSpec, match=r"weighed against each other, and only opencv:colour\?bins=4 is"
    ):
        fuse(halves, [COLOUR])
    with pytest.raises(BadSpec, match="weighed against each other, and none is named"):
        fuse(halves, [])
    with pytest.raises(BadSpec, match="cannot be a part of another"):
        fuse(halves, [COLOUR, f"{COLOUR} + {HOG}"])
    with pytest.raises(BadTable, match="named twice"):
        fuse(halves, [COLOUR, HOG, COLOUR])
    with pytest.raises(BadTable, match=r"twice: opencv:hog, opencv:hog\?size=128"):
        fuse(halves, ["opencv:hog", COLOUR, "opencv:hog?size=128"])
    with pytest.raises(BadSpec, match="sees no pictures"):
        fuse(halves, [COLOUR, "control:shuffled?of=opencv:hog"])
    for share in (0, 1, float("nan")):
        with pytest.raises(BadSpec, match="held-out share"):
            fuse(halves, [COLOUR, HOG], held_out=share)
    with pytest.raises(BadTable, match="0 to judge them on"):
        fuse(halves, [COLOUR, HOG], held_out=0.001)
    with pytest.raises(BadTable, match="no tags"):
        fuse(Catalogue.open(shop), [COLOUR, HOG])
    alike = halves.take(halves.ids[:8])
    object.__setattr__(alike.tags, "matrix", alike.tags.matrix[[0] * 8])
    with pytest.raises(BadTable, match="tell it from the others"):
        fuse(alike, [COLOUR, HOG])
