"""Vision models of transformers: ``hf:FOLDER-or-OWNER/NAME[@layer][?option=value]``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ..values.errors import BadSpec, NoWeights, first_few
from ..values.spec import Spec
from .image_processors import hugging_face_keys
from .preprocessing import Preprocessing
from .torch_encoder import OPTIONS as COMMON
from .torch_encoder import TorchEncoder
from .torch_layers import OUTPUT, Layer, last_layer
from .torch_load import getting_weights, need_library, need_torch
from .torch_net import Net, seeded, weights_in_words, without_weights

OPTIONS = (*COMMON, "revision")

_PASSING = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")

_UNASKED = ("embeddings", "vision_projection", "text_projection", "itm_head")
"""Parts of BLIP-2 that no picture's vector needs, and that a captioning model's files lack."""


_PICTURES = ("preprocessor_config.json", "processor_config.json")
"""Files that say what an image processor does."""


def open_hugging_face(spec: Spec) -> TorchEncoder:
    """Vision models of transformers, from a folder or the hub: hf:facebook/dinov2-base.

    A classifier's penultimate layer is what enters its classifier; of two towers (CLIP,
    SigLIP) it is the picture's embedding; of BLIP-2 the mean of the Q-Former's answers
    (``@vision_model`` is its vision tower); of any other model what its pooler makes, or, where the
    checkpoint has none, the class token. ``pool=cls`` and ``pool=avg`` take the class token,
    or the mean of the patches, of the last hidden state. No code from a repository is run.

    Raises:
        BadSpec: no such model or layer.
        NoWeights: the weights cannot be had, or do not fill the network.
    """
    spec.check_options(OPTIONS)
    transformers = need_library("transformers", spec)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    place = Path(spec.identifier).expanduser()
    check_place(place, spec)
    name = str(place) if place.is_dir() else spec.identifier
    fixed = {"trust_remote_code": False, **_revision(spec)}
    with _getting_description(place, spec):
        config = transformers.AutoConfig.from_pretrained(name, **fixed)
        processor = transformers.AutoImageProcessor.from_pretrained(name, **fixed)
    if hasattr(config, "mask_ratio"):  # a masked autoencoder would hide patches by chance
        config.mask_ratio = 0.0
    kind = _kind(config)
    maker = getattr(transformers, _MAKERS[kind])
    if without_weights(spec):
        module, missing = seeded(spec, lambda: _drawn(maker, config)), []
    else:
        with getting_weights(spec, "HF_HOME"):
            module, info = maker.from_pretrained(
                name, config=config, output_loading_info=True, **fixed
            )
        missing = sorted(info["missing_keys"])
    _without_untrained(module, kind, missing, spec)
    module.eval()
    read = partial(_read, module, name, fixed, spec) if kind == "towers" else None
    return TorchEncoder(spec, _net(module, kind, processor, spec, read))


def check_place(place: Path, spec: Spec) -> None:
    """Refuse what can be no repository of the hub, and is no folder with a model.

    Raises:
        BadSpec: there is no such folder, or no model in it.
    """
    if place.is_dir() and not (place / "config.json").is_file():
        what = "the folder holds no model of transformers: there is no config.json"
    elif not place.is_dir() and (place.is_absolute() or len(place.parts) > 2):
        what = "there is no such folder"
    else:
        return
    raise BadSpec(
        what, where=str(spec), hint="give a folder made by save_pretrained, or OWNER/NAME"
    )


@contextmanager
def _getting_description(place: Path, spec: Spec) -> Iterator[None]:
    """Says what is missing where a network, or what is done to its pictures, is not described.

    Raises:
        BadSpec: the folder has no description of the pictures.
        NoWeights: the hub's cannot be had.
    """
    try:
        with getting_weights(spec, "HF_HOME"):
            yield
    except NoWeights as error:
        if place.is_dir() and not any((place / name).is_file() for name in _PICTURES):
            raise BadSpec(
                f"the folder does not say how pictures are prepared: there is no {_PICTURES[0]}",
                where=str(spec),
                hint="save its image processor there, too: processor.save_pretrained(FOLDER)",
            ) from error
        if place.is_dir() or not without_weights(spec):
            raise
        raise NoWeights(
            f"the weights would be random, but the description of {spec.identifier} is on the hub "
            f"and cannot be had: {error.what.partition(': ')[2]}",
            where=str(spec),
            hint="connect to the network once (files are kept where HF_HOME says), or give a "
            f"folder with config.json and {_PICTURES[0]}: hf:FOLDER?weights=none",
        ) from error


def _drawn(maker: Any, config: Any) -> Any:
    return maker.from_config(config) if hasattr(maker, "from_config") else maker(config)


_MAKERS = {
    "classifier": "AutoModelForImageClassification",
    "towers": "AutoModel",
    "blip2": "Blip2ForImageTextRetrieval",
    "vision": "AutoModel",
}
"""Which class of transformers loads a kind of model."""


def _kind(config: Any) -> str:
    made_by = (getattr(config, "architectures", None) or [""])[0]
    if config.model_type == "blip-2":
        return "blip2"
    if hasattr(config, "vision_config") and hasattr(config, "text_config"):
        return "towers"
    return "classifier" if made_by.endswith("ForImageClassification") else "vision"


def _net(module: Any, kind: str, processor: Any, spec: Spec, text: Any) -> Net:
    prefix = _prefix(module)
    tokens = kind != "blip2" and "pool" in spec.options and not spec.layer
    run = {
        "classifier": lambda batch: module(pixel_values=batch).logits,
        "towers": lambda batch: _tensor(module.get_image_features(pixel_values=batch)),
        "blip2": lambda batch: _blip2(module, batch),
        "vision": lambda batch: _pooled(module(pixel_values=batch, **_in_order(module, batch))),
        "tokens": lambda batch: _tokens(_tower(module), batch),
    }["tokens" if tokens else kind]
    named = {"penultimate": OUTPUT}
    if kind == "classifier" and not tokens:
        named = {"penultimate": Layer((last_layer(module),), enters=True), "output": OUTPUT}
    steps, stated = _as_text(processor.to_dict()), _in_our_words(processor.to_dict())
    return Net(
        module=module,
        transform=lambda picture: processor(images=picture, return_tensors="np")["pixel_values"][0],
        stated=stated,
        named=named,
        run=run,
        prefix_tokens=prefix,
        tower="vision_model" if kind == "blip2" else "",
        weights=weights_in_words(spec, spec.identifier),
        about={"architecture": type(module).__name__, "processor": type(processor).__name__},
        preparation=steps,
        lasting=" ".join(steps.split()) if stated and stated.cut == "floor" else "",
        settings=_as_text([kind, tokens, module.config.to_dict()]),
        libraries=("transformers",),
        text=None if tokens else text,
    )


def _tensor(answer: Any) -> Any:
    return getattr(answer, "pooler_output", answer)


def _tower(module: Any) -> Any:
    """The part of a classifier, or of two towers, that looks at the picture."""
    return getattr(module, "vision_model", module.base_model)


def _tokens(tower: Any, batch: Any) -> Any:
    return tower(pixel_values=batch, **_in_order(tower, batch)).last_hidden_state


def _in_order(module: Any, batch: Any) -> dict[str, Any]:
    """What keeps a masked autoencoder, which hides no patch here, from shuffling them by chance."""
    embeddings: Any = getattr(module, "embeddings", None)
    if not hasattr(embeddings, "random_masking"):
        return {}
    count = embeddings.patch_embeddings.num_patches
    order = need_torch("hf").arange(count, device=batch.device)
    return {"noise": order.expand(len(batch), count)}


def _pooled(answer: Any) -> Any:
    """What stands for the picture: the pooler's value, else the first token or the map."""
    trained = getattr(answer, "pooler_output", None)
    if trained is None:
        hidden = answer.last_hidden_state
        return hidden[:, 0] if hidden.ndim == 3 else hidden
    return trained.flatten(1)


def _blip2(module: Any, batch: Any) -> Any:
    """(n, queries, c): what the Q-Former says of the vision tower's tokens."""
    seen = module.vision_model(pixel_values=batch).last_hidden_state
    queries = module.query_tokens.expand(len(batch), -1, -1)
    return module.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state


def _as_text(settings: Any) -> str:
    """Settings as text; where they were read from, and by which version, is no part of them."""
    return json.dumps(_lasting(settings), sort_keys=True, default=str)


def _lasting(settings: Any) -> Any:
    if isinstance(settings, Mapping):
        return {
            str(name): _lasting(value) for name, value in settings.items() if name not in _PASSING
        }
    return [_lasting(one) for one in settings] if isinstance(settings, list | tuple) else settings


def _prefix(module: Any) -> int:
    """Tokens before those of the patches."""
    tokens = any(
        name.endswith(("cls_token", "class_embedding")) for name, _ in module.named_parameters()
    )
    config = getattr(module.config, "vision_config", module.config)
    extra = int(getattr(config, "num_register_tokens", 0) or 0)
    distilled = any("distillation_token" in name for name, _ in module.named_parameters())
    return int(tokens) + extra + int(distilled)


def _in_our_words(config: Mapping[str, Any]) -> Preprocessing | None:
    try:
        keys = hugging_face_keys(dict(config))
        return Preprocessing.from_keys(keys, where="the image processor")
    except ValueError:
        return None  # then the processor itself is used


def _read(
    module: Any, name: str, fixed: Mapping[str, Any], spec: Spec, texts: Sequence[str]
) -> Any:
    transformers = need_library("transformers", spec)
    with getting_weights(spec, "HF_HOME"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **fixed)
    # SigLIP was trained with texts filled up to the full length, and looks at the filling, too.
    fills = module.config.model_type.startswith("siglip")
    longest = getattr(module.config.text_config, "max_position_embeddings", None)
    words = tokenizer(
        list(texts),
        return_tensors="pt",
        padding="max_length" if fills else True,
        truncation=True,
        max_length=longest,
    )
    names = ("input_ids",) if fills else ("input_ids", "attention_mask")
    place = next(module.parameters()).device
    asked = {name: words[name].to(place) for name in names if name in words}
    return _tensor(module.get_text_features(**asked))


def _revision(spec: Spec) -> dict[str, str]:
    return {"revision": spec.options["revision"]} if "revision" in spec.options else {}


def _without_untrained(module: Any, kind: str, missing: Sequence[str], spec: Spec) -> None:
    """Refuse a network part of which would be random, or take that part away if it can be.

    Raises:
        NoWeights: what is missing is needed.
    """
    idle: tuple[str, ...] = _UNASKED if kind == "blip2" else ()
    for part in idle:
        delattr(module, part)
    if kind == "vision" and any(name.startswith("pooler.") for name in missing):
        idle, module.pooler = ("pooler",), None
    lost = [name for name in missing if name.partition(".")[0] not in idle]
    if lost:
        raise NoWeights(
            f"the files have no values for {len(lost)} parts of the network: {first_few(lost)}",
            where=str(spec),
            hint="use a complete checkpoint of this architecture",
        )
