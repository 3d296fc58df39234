"""Parent classes: from a table, and by tiny models made here."""

import json

import numpy as np
import pytest
import torch

from likelens._parents import parents_by_text, parents_from_table
from likelens.encoders.torch_load import need_library
from likelens.values.errors import BadQuery, BadSpec, BadTable, NoWeights
from likelens.values.spec import Spec

torch.set_num_threads(1)  # networks this small only wait for a second thread
ANY = Spec.parse("hf:any")
transformers = need_library("transformers", ANY)
open_clip = need_library("open_clip", ANY)

WORDS = [
    "this", "example", "is", ".", "animals", "vehicles", "things", "cat", "dog", "car", "faces",
    "easy", "wild",
]  # fmt: skip
CLASSES = ("cat", "Faces_easy", "wild-cat", "dog", "car")
PARENTS = ("Animals", "Vehicles", "things")


# --- tables -----------------------------------------------------------------------


def table(folder, text, name="p.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_a_table_of_parents(tmp_path):
    place = table(
        tmp_path, "class,parent,more\ncat,Animals,1\ncar,Vehicles,2\n7,Numbers,3\ncat,Animals,4\n"
    )
    found = parents_from_table(place, ["7", "cat", "7"])
    assert found.of == {"7": "Numbers", "cat": "Animals"}
    assert found.names == ("Numbers", "Animals")
    assert (found.by, found.score("cat")) == (str(place), 1.0)
    assert parents_from_table(place, []).of == {}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("class,parent\ncat,Animals\n", "1 of 2 classes have no parent: car"),
        ("class,parent\ncat,Animals\ncat,Pets\ncar,V\n", "'cat' has two parents: Animals and Pets"),
        ("class,parent\ncat,Animals\ncar,\n", "row 2 names no parent"),
        ("class,parent\n,Animals\n", "row 1 names no class"),
        ("label,parent\ncat,Animals\n", "no column 'class'"),
        ("class,group\ncat,Animals\n", "no column 'parent'"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, text, what):
    with pytest.raises(BadTable, match=what):
        parents_from_table(table(tmp_path, text), ["cat", "car"])


def test_a_misspelt_class_is_guessed(tmp_path):
    with pytest.raises(BadTable, match="did you mean Faces_easy"):
        parents_from_table(table(tmp_path, "class,parent\nFaces_easy,M\n"), ["Faces_esay"])


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(BadTable, match="no such table"):
        parents_from_table(tmp_path / "gone.csv", ["cat"])


def test_the_parents_of_caltech(real_data):
    root = real_data / "data" / "caltech101"
    classes = sorted(path.name for path in root.iterdir() if path.is_dir())
    found = parents_from_table(root / "parent_classes.csv", classes)
    assert list(found.of) == classes
    assert len(found.names) == 8


# --- models of entailment ---------------------------------------------------------


def entailing(folder, labels=("contradiction", "neutral", "entailment"), **more):
    """A model of entailment with a few words, random but lively."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS]))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(special) + len(WORDS), hidden_size=16, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=24, max_position_embeddings=32,
        id2label=dict(enumerate(labels)), label2id={one: at for at, one in enumerate(labels)}, **more,
    )  # fmt: skip
    torch.manual_seed(5)
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        for name, one in model.named_parameters():
            one.normal_(1 if "LayerNorm.weight" in name else 0, 0.5)
    model.eval().save_pretrained(folder)
    return model


@pytest.mark.parametrize(
    "labels", [("contradiction", "neutral", "entailment"), ("ENTAILMENT", "not_entailment")]
)
def test_entailment_as_transformers_own_pipeline_has_it(tmp_path, labels):
    entailing(tmp_path, labels)
    found = parents_by_text(CLASSES, PARENTS, f"hf:{tmp_path}")
    pipeline = transformers.pipeline("zero-shot-classification", str(tmp_path))
    assert pipeline.entailment_id == next(
        at for at, one in enumerate(labels) if one.lower().startswith("entail")
    )
    assert found.scores.shape == (5, 3)
    for row, label in enumerate(CLASSES):
        said = pipeline(label.replace("_", " ").replace("-", " "), list(PARENTS))
        expected = dict(zip(said["labels"], said["scores"], strict=True))
        np.testing.assert_allclose(found.scores[row], [expected[one] for one in PARENTS], atol=1e-5)
        assert found.of[label] == said["labels"][0]
        assert found.score(label) == pytest.approx(said["scores"][0], abs=1e-5)
    assert len(set(found.of.values())) > 1
    np.testing.assert_allclose(found.scores.sum(1), 1)


def test_classes_do_not_change_each_other(tmp_path):
    entailing(tmp_path)
    together = parents_by_text(CLASSES, PARENTS, f"hf:{tmp_path}")
    alone = parents_by_text(["dog"], PARENTS, f"hf:{tmp_path}")
    np.testing.assert_allclose(alone.scores[0], together.scores[3], atol=1e-12)
    turned = parents_by_text(CLASSES, PARENTS[::-1], f"hf:{tmp_path}")
    assert turned.of == together.of
    doubled = parents_by_text([*CLASSES, *CLASSES], PARENTS, f"hf:{tmp_path}")
    assert doubled.of == together.of
    assert list(together.of) == list(CLASSES)


def test_equal_scores_go_to_the_first(tmp_path):
    entailing(tmp_path)
    found = parents_by_text(["cat"], ["what-ever", "no_such_thing"], f"hf:{tmp_path}")
    assert found.scores[0, 0] != found.scores[0, 1]  # two words against three
    tied = parents_by_text(["cat"], ["nought", "unheard"], f"hf:{tmp_path}")
    assert tied.scores.tolist() == [[0.5, 0.5]]
    assert tied.of == {"cat": "nought"}


def test_no_classes_need_no_model():
    found = parents_by_text([], PARENTS, "hf:no/such")
    assert (found.of, found.scores.shape) == ({}, (0, 3))


def test_models_that_know_no_entailment(tmp_path):
    entailing(tmp_path, ("good", "bad"))
    with pytest.raises(BadSpec, match="it knows bad, good, not entailment"):
        parents_by_text(CLASSES, PARENTS, f"hf:{tmp_path}")


def test_a_classifier_that_was_never_trained(tmp_path):
    model = entailing(tmp_path)
    model.bert.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["label2id"], config["id2label"] = (
        {"entailment": 0, "other": 1},
        {"0": "entailment", "1": "other"},
    )
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(NoWeights, match="no values for 2 parts: classifier"):
        parents_by_text(CLASSES, PARENTS, f"hf:{tmp_path}")


def test_scores_that_are_no_numbers(tmp_path):
    model = entailing(tmp_path)
    with torch.no_grad():
        model.classifier.bias[2] = float("nan")
    model.save_pretrained(tmp_path)
    with pytest.raises(NoWeights, match="not finite"):
        parents_by_text(CLASSES, PARENTS, f"hf:{tmp_path}")


def test_code_of_a_repository_is_not_run(tmp_path):
    entailing(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_type"], config["auto_map"] = "own", {"AutoConfig": "own.Own"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    mark = tmp_path / "it ran"
    (tmp_path / "own.py").write_text(f"open({str(mark)!r}, 'w')\n")
    with pytest.raises(NoWeights, match="its weights cannot be had"):
        parents_by_text(CLASSES, PARENTS, f"hf:{tmp_path}")
    assert not mark.exists()


# --- text towers ------------------------------------------------------------------


@pytest.fixture
def small_clip(tmp_path):
    """An architecture of open_clip far smaller than any of its own, with weights in a folder."""
    config = {
        "embed_dim": 12,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
        "text_cfg": {
            "context_length": 77, "vocab_size": 49408, "width": 32, "heads": 1, "layers": 1,
        },
    }  # fmt: skip
    (tmp_path / "tiny-parents.json").write_text(json.dumps(config))
    before = dict(open_clip.factory._MODEL_CONFIGS)
    open_clip.add_model_config(tmp_path / "tiny-parents.json")
    yield "tiny-parents"
    open_clip.factory._MODEL_CONFIGS.clear()
    open_clip.factory._MODEL_CONFIGS.update(before)


def test_a_text_tower_of_open_clip(small_clip):
    found = parents_by_text(CLASSES, PARENTS, f"open_clip:{small_clip}?seed=5&weights=none")
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = open_clip.create_model(small_clip).eval()
    names = [
        f"a photo of {one}" for one in ("cat", "Faces easy", "wild cat", "dog", "car", *PARENTS)
    ]
    with torch.inference_mode():
        vectors = net.encode_text(open_clip.get_tokenizer(small_clip)(names), normalize=True)
    expected = (vectors[:5] @ vectors[5:].T).numpy()
    np.testing.assert_allclose(found.scores, expected, atol=1e-5)
    assert list(found.of.values()) == [PARENTS[at] for at in expected.argmax(1)]


def test_two_towers_of_transformers(tmp_path):
    letters = sorted({one for word in [*WORDS, *PARENTS] for one in word})
    pieces = [*letters, *(f"{one}</w>" for one in letters), "<|startoftext|>", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({one: at for at, one in enumerate(pieces)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    small = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
    }
    end = len(pieces) - 1
    config = transformers.CLIPConfig(
        text_config={
            **small, "vocab_size": len(pieces), "max_position_embeddings": 40,
            "bos_token_id": end - 1, "eos_token_id": end, "pad_token_id": end,
        },
        vision_config={**small, "image_size": 32, "patch_size": 16},
        projection_dim=10,
    )  # fmt: skip
    torch.manual_seed(7)
    net = transformers.CLIPModel(config).eval()
    net.save_pretrained(tmp_path)
    words = transformers.CLIPTokenizer(
        str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), model_max_length=40
    )
    words.save_pretrained(tmp_path)
    transformers.CLIPImageProcessor(crop_size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    found = parents_by_text(["cat", "dog"], PARENTS, f"hf:{tmp_path}")
    asked = words(
        [f"a photo of {one}" for one in ("cat", "dog", *PARENTS)], return_tensors="pt", padding=True
    )
    with torch.inference_mode():
        vectors = net.get_text_features(**asked)
    vectors = torch.nn.functional.normalize(getattr(vectors, "pooler_output", vectors))
    np.testing.assert_allclose(found.scores, (vectors[:2] @ vectors[2:].T).numpy(), atol=1e-4)


# --- wrong uses -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parents", "what"),
    [
        ([], "nothing to choose from"),
        (["Animals"], "nothing to choose from"),
        (["Animals", " Animals"], "named twice: Animals"),
        (["Animals", ""], "has no name"),
        (["Animals", "__"], "has no name"),
    ],
)
def test_parents_that_are_none(parents, what):
    with pytest.raises(BadQuery, match=what):
        parents_by_text(CLASSES, parents, "hf:no/such")


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ("opencv:colour", "no model that reads text"),
        ("timm:resnet18", "no model that reads text"),
        ("bart-large-mnli", "not the name of an encoder"),
        ("hf:/no/such/folder", "no such folder"),
        ("open_clip:ViT-B32/x", "no architecture"),
    ],
)
def test_models_that_are_none(spec, what):
    with pytest.raises(BadSpec, match=what):
        parents_by_text(CLASSES, PARENTS, spec)


def test_options_of_a_model_of_entailment(tmp_path):
    entailing(tmp_path)
    with pytest.raises(BadSpec, match="no option 'pool'"):
        parents_by_text(CLASSES, PARENTS, f"hf:{tmp_path}?pool=avg")
