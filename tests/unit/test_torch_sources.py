"""torchvision, timm, open_clip and transformers: our vectors against each library's own way.

Networks are random and made here; nothing is fetched.
"""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from likelens import open_encoder
from likelens.encoders import huggingface, torch_load
from likelens.encoders.image_processors import hugging_face_keys
from likelens.encoders.opening import open_encoders
from likelens.encoders.preprocessing import Preprocessing
from likelens.encoders.timm import in_our_words as timm_words
from likelens.encoders.timm import timm_net
from likelens.encoders.torch_encoder import TorchEncoder
from likelens.encoders.torch_layers import captured, last_layer
from likelens.encoders.torch_load import need_library
from likelens.encoders.torch_net import Net, agree
from likelens.encoders.torchvision import build, find_weights, in_our_words, vision_net
from likelens.values.errors import BadSpec, NoWeights
from likelens.values.spec import Spec

torch.set_num_threads(1)  # networks this small only wait for a second thread
ANY = Spec.parse("torchvision:any")
models = need_library("torchvision.models", ANY)
timm = need_library("timm", ANY)
open_clip = need_library("open_clip", ANY)
transformers = need_library("transformers", ANY)


def photo(height, width):
    draw = np.random.default_rng([height, width])
    small = draw.integers(0, 256, (height // 6 + 2, width // 6 + 2, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


PHOTOS = [photo(*size) for size in ((40, 61), (231, 140), (133, 301), (224, 224))]


def cosines(a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    assert a.shape == b.shape
    assert np.isfinite(b).all()
    assert b.std(0).max() > 1e-4 * np.abs(b).max()  # the pictures must differ
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


def same(encoder, expected):
    assert cosines(encoder.encode(PHOTOS), expected).min() > 0.9999


def theirs(transform, run):
    """Vectors of the photos by a library's own transform and forward pass, one by one."""
    with torch.inference_mode():
        return np.concatenate([run(transform(one)[None]).numpy() for one in PHOTOS])


# --- torchvision ------------------------------------------------------------------

BEFORE = {
    "resnet18": lambda net, x: torch.nn.Sequential(*list(net.children())[:-1])(x).flatten(1),
    "squeezenet1_1": lambda net, x: net.features(x).mean((2, 3)),
    "mobilenet_v3_small": lambda net, x: _without(net, "classifier.3", x),
}
"""What enters the classifier of some networks, with that last layer taken away."""


def _without(net, path, x):
    parent, _, name = path.rpartition(".")
    owner, kept = net.get_submodule(parent), net.get_submodule(path)
    setattr(owner, name, torch.nn.Identity())
    try:
        return net(x)
    finally:
        setattr(owner, name, kept)


@pytest.mark.parametrize("name", BEFORE)
def test_torchvision_by_its_own_transforms(name):
    encoder = open_encoder(f"torchvision:{name}?seed=3&weights=none")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = models.get_model(name, weights=None).eval()
    transform = models.get_model_weights(name).DEFAULT.transforms()
    same(encoder, theirs(transform, lambda x: BEFORE[name](net, x)))
    output = encoder.at(Spec.parse(f"torchvision:{name}@output?seed=3&weights=none"))
    assert output.dim == 1000
    np.testing.assert_allclose(output.encode(PHOTOS), theirs(transform, net), atol=1e-3)
    assert encoder.layers == ("penultimate", "output")
    assert encoder.card.details["preprocessing_by"] == "likelens, equal to the library's"


def in_torchvision(module, spec):
    """An encoder of a network by torchvision's classes, smaller than any of its own."""
    transform = need_library("torchvision.transforms._presets", ANY).ImageClassification(
        crop_size=32, resize_size=37
    )
    return TorchEncoder(
        Spec.parse(f"torchvision:small{spec}"), vision_net(module, transform)
    ), transform


def test_torchvision_transformers():
    torch.manual_seed(0)
    vit = models.VisionTransformer(32, 8, 2, 2, 16, 24, num_classes=5).eval()
    torch.nn.init.normal_(vit.heads.head.weight)
    encoder, transform = in_torchvision(vit, "")
    same(encoder, theirs(transform, lambda x: _without(vit, "heads", x)))
    same(encoder.at(Spec.parse("torchvision:small@output")), theirs(transform, vit))

    def tokens(x):
        x = vit._process_input(x)
        return vit.encoder(torch.cat([vit.class_token.expand(len(x), -1, -1), x], 1))

    for pool, take in {"": lambda v: v[:, 0], "?pool=avg": lambda v: v[:, 1:].mean(1)}.items():
        made = encoder.at(Spec.parse(f"torchvision:small@encoder{pool}"))
        same(made, theirs(transform, lambda x, take=take: take(tokens(x))))


def test_torchvision_maps_with_their_channels_last():
    torch.manual_seed(0)
    swin = models.SwinTransformer([4, 4], 16, [1, 1], [1, 1], [4, 4], num_classes=5).eval()
    encoder, transform = in_torchvision(swin, "@features.0?pool=max")
    assert encoder.dim == 16
    same(encoder, theirs(transform, lambda x: swin.features[0](x).amax((1, 2))))
    named, _ = in_torchvision(swin, "")
    same(named, theirs(transform, lambda x: swin.norm(swin.features(x)).mean((1, 2))))


def test_every_preprocessing_of_torchvision_is_said_in_our_words():
    kinds = {}
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            transform = weights.transforms()
            assert in_our_words(transform) is not None, weights
            kinds.setdefault(repr(transform), transform)
    assert len(kinds) > 20
    for transform in kinds.values():
        assert agree(Net(None, transform, in_our_words(transform), {}))


def test_the_classifier_of_every_network_of_torchvision_is_found():
    for name in models.list_models(module=models):
        if name.startswith("regnet") and not name.endswith("_400mf"):
            continue  # larger ones of the same class, which cannot be made without memory
        weights = find_weights(models, name, "", ANY)
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            module = build(models, name, weights, drawn=False)
        last = module.get_submodule(last_layer(module))
        assert 1000 in (getattr(last, "out_features", 0), getattr(last, "out_channels", 0)), name


def test_wrong_names_of_torchvision():
    for name, hint in {
        "resnet5": r"did you mean resnet50 or resnet\d+ or resnet\d+\?",
        "resnet50.IMAGENET1K_V3": "choose one of: IMAGENET1K_V1, IMAGENET1K_V2",
        "zzz": r"it has \d+, such as resnet50",
    }.items():
        with pytest.raises(BadSpec, match=hint):
            open_encoder(f"torchvision:{name}")
    with pytest.raises(BadSpec, match="weights=all is not one of none"):
        open_encoder("torchvision:resnet18?weights=all")


def test_the_same_seed_gives_the_same_network():
    def mark(rest):
        return open_encoder(f"torchvision:squeezenet1_1?{rest}weights=none").fingerprint

    before = torch.random.get_rng_state()
    assert mark("") == mark("seed=0&") == mark("")
    assert mark("seed=1&") == mark("seed=1&") != mark("")
    assert torch.equal(torch.random.get_rng_state(), before)


# --- timm -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_vit", "test_convnext", "test_efficientnet", "test_vit4"]
)
def test_timm_by_its_own_transform(name):
    encoder = open_encoder(f"timm:{name}?seed=4&weights=none")
    with torch.random.fork_rng():
        torch.manual_seed(4)
        net = timm.create_model(name).eval()
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=net))
    before = theirs(transform, lambda x: net.forward_head(net.forward_features(x), pre_logits=True))
    same(encoder, before)
    output = encoder.at(Spec.parse(f"timm:{name}@output?seed=4&weights=none"))
    same(output, theirs(transform, net))
    assert output.dim == net.num_classes
    assert encoder.card.details["preprocessing_by"] == "likelens, equal to the library's"


@pytest.mark.parametrize(
    ("name", "size"),
    [("deit_tiny_distilled_patch16_224", 32), ("levit_128s", 224), ("crossvit_tiny_240", 240)],
)
def test_several_heads_of_timm_read_its_pre_logits(name, size):
    sized = {"img_size": size} if name.startswith("deit") else {}
    module = timm.create_model(name, **sized).eval()
    net = timm_net(module, None, None)
    assert len(net.named["penultimate"].paths) == 2
    with torch.inference_mode():
        batch = torch.rand(2, 3, size, size)
        made = captured(net, batch, [net.named["penultimate"]])[0]
        expected = module.forward_head(module.forward_features(batch), pre_logits=True)
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_networks_of_timm_without_a_classifier():
    module = timm.create_model("test_vit", num_classes=0).eval()
    net = timm_net(module, None, None)
    assert list(net.named) == ["penultimate"]
    with torch.inference_mode():
        batch = torch.rand(2, 3, 160, 160)
        made = captured(net, batch, [net.named["penultimate"]])[0]
        np.testing.assert_array_equal(made, module(batch))


def test_preprocessing_of_timm_is_said_in_our_words():
    kinds = {}
    for name in timm.list_pretrained():
        config = timm.data.resolve_data_config(timm.get_pretrained_cfg(name).to_dict())
        kinds.setdefault(str(sorted(config.items())), config)
    told = 0
    for config in kinds.values():
        stated = timm_words(config)
        if stated is not None and max(config["input_size"]) < 300:
            transform = timm.data.create_transform(**config)
            told += agree(Net(None, transform, stated, {}))
            assert agree(Net(None, transform, stated, {})), config
    assert told > 50


def test_options_of_timm():
    assert open_encoder("timm:test_vit?img_size=64&weights=none").prepare(
        np.asarray(PHOTOS[0])
    ).shape == (64, 64, 3)
    made = open_encoder("timm:test_efficientnet?pad_type=same&weights=none")
    assert made.fingerprint != open_encoder("timm:test_efficientnet?weights=none").fingerprint
    with pytest.raises(BadSpec, match="test_vit does not take pad_type"):
        open_encoder("timm:test_vit?pad_type=same&weights=none")
    with pytest.raises(BadSpec, match="img_size=8 is not a whole number from 16"):
        open_encoder("timm:test_vit?img_size=8&weights=none")
    with pytest.raises(BadSpec, match="nothing for pool=avg to pool"):
        open_encoder("timm:test_vit?pool=avg&weights=none")


def test_wrong_names_of_timm():
    for name, hint in {
        "resnet5O": r"did you mean \w+ or \w+ or \w+\?",
        "resnet18.a9_in1k": "choose one of: .*a1_in1k",
        "zqzqzq": r"it has [\d,]+, such as resnet50.a1_in1k",
    }.items():
        with pytest.raises(BadSpec, match=hint):
            open_encoder(f"timm:{name}")


# --- open_clip --------------------------------------------------------------------


@pytest.fixture
def small_clip(tmp_path):
    """An architecture of open_clip far smaller than any of its own."""
    config = {
        "embed_dim": 12,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 64,
            "heads": 1,
            "layers": 2,
        },
    }
    place = tmp_path / "tiny-clip.json"
    place.write_text(json.dumps(config))
    before = dict(open_clip.factory._MODEL_CONFIGS)
    open_clip.add_model_config(place)
    yield "tiny-clip"
    open_clip.factory._MODEL_CONFIGS.clear()
    open_clip.factory._MODEL_CONFIGS.update(before)


def test_open_clip_by_its_own_way(small_clip):
    encoder = open_encoder(f"open_clip:{small_clip}?seed=5&weights=none")
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net, _, transform = open_clip.create_model_and_transforms(small_clip)
    net.eval()
    same(encoder, theirs(transform, net.encode_image))
    assert encoder.card.details["preprocessing_by"] == "likelens, equal to the library's"
    assert encoder.layers == ("penultimate",)
    texts = ["a red shoe", "two shirts on a line"]
    with torch.inference_mode():
        expected = net.encode_text(open_clip.get_tokenizer(small_clip)(texts)).numpy()
    made = encoder.encode_text(texts)
    assert made.dtype == np.float32
    assert cosines(made, expected).min() > 0.9999
    with pytest.raises(BadSpec, match="cannot read text"):
        encoder.at(
            Spec.parse(f"open_clip:{small_clip}@visual.ln_post?seed=5&weights=none")
        ).encode_text(texts)


@pytest.mark.parametrize("layer", ["visual.transformer.resblocks.0", "visual.conv1"])
def test_layers_of_open_clip(small_clip, layer):
    encoder = open_encoder(f"open_clip:{small_clip}@{layer}?pool=avg&weights=none")
    assert encoder.dim == 64
    assert encoder.encode(PHOTOS).shape == (4, 64)


def test_wrong_names_of_open_clip():
    for name, hint in {
        "ViT-B32": "did you mean ViT-B-32",
        "ViT-B-32": "write open_clip:ViT-B-32/TAG, one of: openai",
        "ViT-B-32/laion9b": "TAG, one of: openai",
    }.items():
        with pytest.raises(BadSpec, match=hint):
            open_encoder(f"open_clip:{name}")


# --- transformers -----------------------------------------------------------------

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
NO_MLP = {key: SMALL[key] for key in SMALL if key != "intermediate_size"}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}
TEXT = {**SMALL, "vocab_size": 60, "max_position_embeddings": 12, "projection_size": 16}
SQUARE = {"size": {"height": 32, "width": 32}}
CUT = {"size": {"shortest_edge": 37}, "crop_size": {"height": 32, "width": 32}}


def save(folder, module, processor):
    """A folder as transformers writes it, the network's values random but lively."""
    torch.manual_seed(6)
    with torch.no_grad():
        for name, one in module.named_parameters():
            one.normal_(1 if "norm" in name and name.endswith("weight") else 0, 0.3)
    module.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return module, lambda one: processor(images=one, return_tensors="pt")["pixel_values"][0]


def vit(folder, kind="ViTModel", **known):
    config = transformers.ViTConfig(**VISION, **known)
    return save(
        folder, getattr(transformers, kind)(config), transformers.ViTImageProcessor(**SQUARE)
    )


def test_a_trained_pooler_is_used(tmp_path):
    net, transform = vit(tmp_path)
    encoder = open_encoder(f"hf:{tmp_path}")
    same(encoder, theirs(transform, lambda x: net(x).pooler_output))
    assert encoder.card.details["preprocessing_by"] == "likelens, equal to the library's"
    for pool, take in {"cls": lambda v: v[:, 0], "avg": lambda v: v[:, 1:].mean(1)}.items():
        expected = theirs(transform, lambda x, take=take: take(net(x).last_hidden_state))
        same(open_encoder(f"hf:{tmp_path}?pool={pool}"), expected)


@pytest.mark.parametrize("kind", ["ViTForMaskedImageModeling", "without"])
def test_an_untrained_pooler_is_never_used(tmp_path, kind):
    if kind == "without":
        net = transformers.ViTModel(transformers.ViTConfig(**VISION), add_pooling_layer=False)
        net, transform = save(tmp_path, net, transformers.ViTImageProcessor(**SQUARE))
        tower = net
    else:
        net, transform = vit(tmp_path, kind)
        tower = net.vit
    encoder = open_encoder(f"hf:{tmp_path}")
    same(encoder, theirs(transform, lambda x: tower(x).last_hidden_state[:, 0]))
    assert open_encoder(f"hf:{tmp_path}").fingerprint == encoder.fingerprint
    for layer in ("pooler", "pooler.dense"):
        with pytest.raises(BadSpec, match=f"no layer '{layer}'"):
            open_encoder(f"hf:{tmp_path}@{layer}")


def test_a_classifier_of_transformers(tmp_path):
    net, transform = vit(tmp_path, "ViTForImageClassification", num_labels=5)
    encoder = open_encoder(f"hf:{tmp_path}")
    assert encoder.layers == ("penultimate", "output")
    same(encoder, theirs(transform, lambda x: net.vit(x).last_hidden_state[:, 0]))
    same(open_encoder(f"hf:{tmp_path}@output"), theirs(transform, lambda x: net(x).logits))
    expected = theirs(transform, lambda x: net.vit(x).last_hidden_state[:, 1:].mean(1))
    same(open_encoder(f"hf:{tmp_path}?pool=avg"), expected)


CASES = {
    "Dinov2": ({**NO_MLP, "image_size": 28, "patch_size": 14}, "BitImageProcessor", CUT, 1),
    "Dinov2WithRegisters": (
        {**NO_MLP, "image_size": 28, "patch_size": 14, "num_register_tokens": 3}, "BitImageProcessor", CUT, 4,
    ),
    "Beit": (VISION, "BeitImageProcessor", {"size": {"height": 40, "width": 40}, "crop_size": SQUARE["size"], "do_center_crop": True}, 1),
    "MobileNetV2": ({"depth_multiplier": 0.35, "min_depth": 4, "finegrained_output": True}, "MobileNetV2ImageProcessor", CUT, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_other_models_of_transformers(tmp_path, name):
    options, maker, sizes, prefix = CASES[name]
    config = getattr(transformers, f"{name}Config")(**options)
    processor = getattr(transformers, maker)(**sizes)
    net, transform = save(tmp_path, getattr(transformers, f"{name}Model")(config), processor)
    encoder = open_encoder(f"hf:{tmp_path}")
    same(encoder, theirs(transform, lambda x: net(x).pooler_output))
    assert encoder.card.details["preprocessing_by"] == "likelens, equal to the library's"
    assert ("crop=floor:32" in encoder.card.preprocessing) == (name != "Beit")

    def mean(x):
        hidden = net(x).last_hidden_state
        return hidden[:, prefix:].mean(1) if prefix else hidden.mean((2, 3))

    same(open_encoder(f"hf:{tmp_path}?pool=avg"), theirs(transform, mean))


WORDS = {"do_resize": True, "do_normalize": True, "do_rescale": True}
KINDS = {
    "CLIP": {"do_center_crop": True},
    "Bit": {"do_center_crop": True},
    "ConvNext": {"crop_pct": 0.875, "crop_size": None},
    "MobileNetV2": {"do_center_crop": True},
    "ViT": {"size": {"height": 37, "width": 40}, "do_center_crop": True},
}


@pytest.mark.parametrize("backend", ["", "Pil"])
@pytest.mark.parametrize("name", KINDS)
def test_the_middle_is_that_of_transformers(name, backend):
    """Sizes that leave the crop every remainder by four, on the long and the short side."""
    processor = getattr(transformers, f"{name}ImageProcessor{backend}")(
        **{**CUT, **WORDS, **KINDS[name]}
    )
    how = Preprocessing.from_keys(hugging_face_keys(processor.to_dict()), where=name)
    step = how.scale / min(how.std)
    rests = set()
    for size in [(101, width) for width in range(101, 125)] + [(77, 50), (64, 47), (33, 91)]:
        picture = photo(*size)
        theirs = processor(images=picture, return_tensors="np")["pixel_values"][0]
        ours = how.apply(np.asarray(picture))
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= (0.01 if backend else 2.01) * step, size
        rests.add((int((how.shorter or 0) * max(size) / min(size)) - how.crop[1]) % 4)
    assert rests == {0, 1, 2, 3} or name == "ViT"


def test_fingerprints_from_before_the_crop_could_be_said_stay(tmp_path, monkeypatch):
    options, maker, sizes, _ = CASES["Dinov2"]
    module = transformers.Dinov2Model(transformers.Dinov2Config(**options))
    save(tmp_path, module, getattr(transformers, maker)(**sizes))
    ours = open_encoder(f"hf:{tmp_path}")
    monkeypatch.setattr(huggingface, "_in_our_words", lambda config: None)
    theirs_alone = open_encoder(f"hf:{tmp_path}")
    assert theirs_alone.card.details["preprocessing_by"] == "the library"
    assert ours.fingerprint == theirs_alone.fingerprint
    assert cosines(ours.encode(PHOTOS), theirs_alone.encode(PHOTOS)).min() > 0.9999


def tokenizer(folder):
    """A tokenizer of CLIP with words of one letter."""
    letters = [*"abcdefgh", *(f"{one}</w>" for one in "abcdefgh")]
    words = {one: at for at, one in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    made = transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=12
    )
    made.save_pretrained(folder)
    return made


@pytest.mark.parametrize("name", ["CLIP", "Siglip"])
def test_two_towers_of_transformers(tmp_path, name):
    text = {**TEXT, "bos_token_id": 16, "eos_token_id": 17, "pad_token_id": 17}
    config = getattr(transformers, f"{name}Config")(
        text_config=text, vision_config={**VISION, "projection_dim": 10}, projection_dim=10
    )
    sizes = CUT if name == "CLIP" else SQUARE
    processor = getattr(transformers, f"{name}ImageProcessor")(**sizes)
    net, transform = save(tmp_path, getattr(transformers, f"{name}Model")(config), processor)
    encoder = open_encoder(f"hf:{tmp_path}")

    def tensor(answer):
        return getattr(answer, "pooler_output", answer)

    same(encoder, theirs(transform, lambda x: tensor(net.get_image_features(pixel_values=x))))
    tower = open_encoder(f"hf:{tmp_path}@vision_model?pool=avg")
    skip = int(name == "CLIP")
    hidden = theirs(transform, lambda x: net.vision_model(x).last_hidden_state[:, skip:].mean(1))
    same(tower, hidden)
    same(open_encoder(f"hf:{tmp_path}?pool=avg"), hidden)
    words = tokenizer(tmp_path)
    texts = ["a b c", "h g"]
    fill = True if name == "CLIP" else "max_length"
    asked = words(texts, return_tensors="pt", padding=fill, truncation=True)
    asked = {key: asked[key] for key in ("input_ids", "attention_mask")}
    if name == "Siglip":
        del asked["attention_mask"]
        assert asked["input_ids"].shape == (2, 12)
    with torch.inference_mode():
        expected = tensor(net.get_text_features(**asked)).numpy()
    assert cosines(encoder.encode_text(texts), expected).min() > 0.9999
    with pytest.raises(BadSpec, match="cannot read text"):
        tower.encode_text(texts)


def blip2(folder, kind):
    language = {
        "model_type": "opt", "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "ffn_dim": 24, "max_position_embeddings": 12, "word_embed_proj_dim": 16,
    }  # fmt: skip
    config = transformers.Blip2Config(
        vision_config=VISION,
        qformer_config={
            **SMALL,
            "vocab_size": 60,
            "encoder_hidden_size": 16,
            "max_position_embeddings": 12,
        },
        text_config=language,
        num_query_tokens=4,
        image_text_hidden_size=8,
    )
    net = getattr(transformers, kind)(config)
    return save(folder, net, transformers.BlipImageProcessor(**SQUARE))


@pytest.mark.parametrize("kind", ["Blip2ForImageTextRetrieval", "Blip2ForConditionalGeneration"])
def test_blip2_by_tower_and_queries(tmp_path, kind):
    net, transform = blip2(tmp_path, kind)

    def queries(x):
        seen = net.vision_model(pixel_values=x).last_hidden_state
        asked = net.query_tokens.expand(len(x), -1, -1)
        return net.qformer(query_embeds=asked, encoder_hidden_states=seen).last_hidden_state.mean(1)

    encoder = open_encoder(f"hf:{tmp_path}")
    same(encoder, theirs(transform, queries))
    assert open_encoder(f"hf:{tmp_path}").fingerprint == encoder.fingerprint
    for rest, take in {"": lambda v: v[:, 0], "?pool=avg": lambda v: v[:, 1:].mean(1)}.items():
        tower = open_encoder(f"hf:{tmp_path}@vision_model{rest}")
        same(
            tower,
            theirs(transform, lambda x, take=take: take(net.vision_model(x).last_hidden_state)),
        )


def test_blip2_is_the_same_whichever_part_is_opened_first(tmp_path):
    """Parts that no picture needs are taken away on opening; the order must not tell."""
    net, _ = blip2(tmp_path, "Blip2ForImageTextRetrieval")
    assert any(name.startswith("text_projection.") for name, _ in net.named_parameters())
    specs = [f"hf:{tmp_path}", f"hf:{tmp_path}@vision_model", f"hf:{tmp_path}@qformer?pool=avg"]
    alone = {spec: open_encoder(spec) for spec in specs}
    for order in (specs, specs[::-1]):
        opened, lost = open_encoders(order)
        assert not lost
        assert len({one.trunk for one in opened}) == 1
        for one, spec in zip(opened, order, strict=True):
            assert one.fingerprint == alone[spec].fingerprint
            np.testing.assert_allclose(one.encode(PHOTOS), alone[spec].encode(PHOTOS), atol=1e-5)


@pytest.mark.parametrize("kind", ["ViTMAEModel", "ViTMAEForPreTraining"])
def test_a_masked_autoencoder_sees_every_patch_in_its_place(tmp_path, kind):
    decoder = {f"decoder_{key}": value for key, value in SMALL.items()}
    config = transformers.ViTMAEConfig(**VISION, **decoder, mask_ratio=0.75)
    net, transform = save(
        tmp_path, getattr(transformers, kind)(config), transformers.ViTImageProcessor(**SQUARE)
    )
    tower = getattr(net, "vit", net)

    def whole(x):
        """Every patch with its position, the class token first: masking left out."""
        parts, place = tower.embeddings, tower.embeddings.position_embeddings
        tokens = torch.cat(
            [parts.cls_token + place[:, :1], parts.patch_embeddings(x) + place[:, 1:]], 1
        )
        for layer in tower.layers:
            tokens = layer(tokens)
        return tower.layernorm(tokens)

    encoder = open_encoder(f"hf:{tmp_path}")
    same(encoder, theirs(transform, lambda x: whole(x)[:, 0]))
    for pool, take in {
        "avg": lambda v: v[:, 1:].mean(1),
        "flatten": lambda v: v.flatten(1),
    }.items():
        made = open_encoder(f"hf:{tmp_path}?pool={pool}")
        same(made, theirs(transform, lambda x, take=take: take(whole(x))))
        np.testing.assert_array_equal(made.encode(PHOTOS), made.encode(PHOTOS))


def test_files_that_do_not_fill_the_network(tmp_path):
    vit(tmp_path)
    place = tmp_path / "model.safetensors"
    files = need_library("safetensors.torch", ANY)
    kept = {name: one for name, one in files.load_file(place).items() if "layernorm" not in name}
    files.save_file(kept, place, {"format": "pt"})
    with pytest.raises(NoWeights, match=r"no values for \d+ parts of the network: .*layernorm"):
        open_encoder(f"hf:{tmp_path}")
    place.write_bytes(place.read_bytes()[:-100])
    with pytest.raises(NoWeights, match="its weights cannot be had"):
        open_encoder(f"hf:{tmp_path}")
    drawn = open_encoder(f"hf:{tmp_path}?weights=none")
    assert drawn.fingerprint == open_encoder(f"hf:{tmp_path}?seed=0&weights=none").fingerprint
    assert drawn.fingerprint != open_encoder(f"hf:{tmp_path}?seed=1&weights=none").fingerprint


def test_random_weights_need_no_more_than_the_descriptions(tmp_path, monkeypatch):
    vit(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    assert open_encoder(f"hf:{tmp_path}?weights=none").dim == 16
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(
        BadSpec, match=r"how pictures are prepared: there is no preprocessor_config"
    ):
        open_encoder(f"hf:{tmp_path}?weights=none")
    monkeypatch.setattr(torch_load, "_is_known", lambda host: False)
    with pytest.raises(NoWeights, match="description of nobody/nothing is on the hub") as caught:
        open_encoder("hf:nobody/nothing?weights=none")
    assert "hf:FOLDER?weights=none" in caught.value.hint
    with pytest.raises(NoWeights, match="its weights cannot be had"):
        open_encoder("hf:nobody/nothing")


def test_code_of_a_repository_is_not_run(tmp_path):
    vit(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_type"], config["auto_map"] = (
        "own",
        {"AutoConfig": "own.Own", "AutoModel": "own.Own"},
    )
    (tmp_path / "config.json").write_text(json.dumps(config))
    mark = tmp_path / "it ran"
    (tmp_path / "own.py").write_text(f"open({str(mark)!r}, 'w')\n")
    with pytest.raises(NoWeights, match="its weights cannot be had"):
        open_encoder(f"hf:{tmp_path}")
    assert not mark.exists()
