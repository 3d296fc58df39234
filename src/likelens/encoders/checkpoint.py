"""A local file of weights in an architecture: ``checkpoint:FILE?arch=timm:resnet50``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from ..values.errors import BadSpec, NoWeights, first_few
from ..values.files import write_aside
from ..values.spec import Spec
from . import timm as timm_source
from . import torchvision as torchvision_source
from .preprocessing import split_keys
from .settings import OPTIONS as STATED
from .settings import Side, percent, read_side, settle
from .torch_encoder import TorchEncoder
from .torch_load import need_library, need_torch
from .torch_net import Net, seeded

OPTIONS = ("arch", "dtype", "pool", *STATED)

PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "backbone.",
    "encoder_q.",
    "base_encoder.",
    "encoder.",
    "teacher.",
    "student.",
    "net.",
    "network.",
)
"""What training programs put before the names of a network's own values."""

WRAPPERS = (
    "state_dict_ema",
    "model_ema",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "teacher",
    "student",
    "module",
    "net",
)
"""Under which name training programs keep a network's values in a file.

Of several the first is taken: the moving average, where there is one, as timm does.
"""


def open_checkpoint(spec: Spec) -> TorchEncoder:
    """A file of weights in an architecture: checkpoint:moco.pth?arch=torchvision:resnet50.

    The file is safetensors, or a ``.pth`` that holds nothing but tensors. ``arch`` is a spec of
    ``torchvision:`` or ``timm:``, whose options may follow it; those of the checkpoint stand before
    it (``checkpoint:F?dtype=int8&arch=timm:mobilenetv2_100?pad_type=same``). Preprocessing is
    stated as for ONNX files, by options or a file beside; else it is the architecture's usual one.

    Raises:
        BadSpec: no such architecture.
        NoWeights: no such file; it is damaged, holds code, or lacks more than the classifier.
    """
    spec.check_options(OPTIONS)
    path = Path(spec.identifier).expanduser()
    if not path.is_file():
        raise NoWeights(
            "there is no such file",
            where=str(path),
            hint="give the path of a .safetensors or .pth file: checkpoint:FILE?arch=timm:resnet50",
        )
    if "arch" not in spec.options:
        raise BadSpec(
            "no architecture is named",
            where=str(spec),
            hint=f"write checkpoint:{spec.identifier}?arch=timm:NAME, or arch=torchvision:NAME",
        )
    values = read_tensors(path, spec)
    side = read_side(path, STATED)
    net = _architecture(Spec.parse(spec.options["arch"]), spec)
    values = _unpacked(values, net.module, path)
    fitted = fit_names(values, net.module.state_dict())
    _resize_classifier(net, fitted)
    report = _fill(net, fitted, values, path)
    if report["missing"]:
        _check_layer(net, spec)
    net = _prepared(net, spec, side)
    about = {key: side.about[key] for key in ("licence", "origin") if side.about.get(key)}
    return TorchEncoder(
        spec,
        replace(
            net,
            named={"penultimate": net.named["penultimate"]} if report["missing"] else net.named,
            weights=path.name,
            accuracy=percent(side.about.get("imagenet_acc1", "")),
            about={**net.about, **report, **about},
        ),
    )


def read_tensors(path: Path, spec: Spec) -> dict[str, Any]:
    """Tensors of a file by name. No pickle is run: a file that holds code is refused.

    Raises:
        NoWeights: the file is damaged, or holds something else than tensors.
    """
    torch = need_torch(str(spec))
    try:
        if path.suffix == ".safetensors":
            values: Any = need_library("safetensors.torch", spec).load_file(path)
        else:
            with warnings.catch_warnings():  # what it then cannot read is said below
                warnings.filterwarnings("ignore", "Detected pickle protocol")
                values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on damaged bytes the readers raise anything
        said = " ".join(str(error).split())
        first = path.read_bytes()[:2]
        reason = (
            said.split(". ")[0][:160] if path.suffix == ".safetensors" else "no file of tensors"
        )
        reason = reason if first else "the file is empty (0 bytes)"
        disguised = path.suffix == ".safetensors" or isinstance(error, UnpicklingError)
        unread = disguised and first[:1] == b"\x80"  # a pickle
        code = "unsupported global" in said.lower() or "Unsupported class" in said or unread
        raise NoWeights(
            "the file holds code, not only tensors" if code else f"it cannot be read: {reason}",
            where=str(path),
            hint="never load such a file; ask its authors for safetensors"
            if code
            else "get the file again; it must be .safetensors, or .pth made by torch.save",
        ) from error
    while isinstance(values, Mapping):
        inner = [values[name] for name in WRAPPERS if isinstance(values.get(name), Mapping)]
        if not inner or any(isinstance(one, torch.Tensor) for one in values.values()):
            break
        values = inner[0]
    tensors = (
        {name: one for name, one in values.items() if isinstance(one, torch.Tensor)}
        if isinstance(values, Mapping)
        else {}
    )
    odd = [name for name, one in tensors.items() if not _is_dense(torch, one)]
    if odd:
        raise NoWeights(
            f"tensors are sparse, quantised, complex or expanded: {first_few(odd)}",
            where=str(path),
            hint="save plain dense ones: tensor.to_dense().contiguous(), or tensor.dequantize()",
        )
    if not tensors:
        raise NoWeights(
            "there are no tensors in the file",
            where=str(path),
            hint="give a file that holds a network's state dict",
        )
    return tensors


def _is_dense(torch: Any, tensor: Any) -> bool:
    """Whether a tensor has each of its values in the file: an expanded one may be of any size."""
    dense = tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_complex()
    if not dense or tensor.device.type == "meta":
        return False
    kept: int = tensor.untyped_storage().nbytes()
    return bool(tensor.numel() * tensor.element_size() <= kept)


def write_checkpoint(module: Any, path: Path) -> float | None:
    """Write a network's values as safetensors, ternary weights packed five to a byte.

    Returns:
        Bits that a ternary weight takes in the file, or None where there are none.
    """
    from safetensors.torch import save_file

    from .ternary import PACKED, TernaryLinear, pack

    names = [name for name, one in module.named_modules() if isinstance(one, TernaryLinear)]
    state = _apart(module.state_dict())
    packed = pack(state, names)

    def write(aside: Path) -> None:
        aside.touch()
        mode = aside.stat().st_mode & 0o777  # by the user's umask; safetensors would say 0600
        save_file(packed, aside)
        aside.chmod(mode)

    write_aside(path, write)
    if not names:
        return None
    weights = sum(state[f"{name}.weight"].numel() for name in names)
    kept = sum(packed[name + PACKED].numel() + 8 * 2 + 4 for name in names)
    return float(8 * kept / weights)


def _apart(state: Mapping[str, Any]) -> dict[str, Any]:
    """The values, none in memory of another, as tied weights are: safetensors takes no such."""
    apart, places = {}, set()
    for name, one in state.items():
        value = one.detach().cpu().contiguous()
        place = value.untyped_storage().data_ptr()
        apart[name] = value.clone() if place in places else value
        places.add(place)
    return apart


def _unpacked(values: Mapping[str, Any], module: Any, path: Path) -> dict[str, Any]:
    """The values with ternary weights as ternary layers keep them.

    Raises:
        NoWeights: the file's weights are ternary, and the network's layers are not.
    """
    from .ternary import PACKED, TernaryLinear, unpack

    if not any(name.endswith(PACKED) for name in values):
        return dict(values)
    if not any(isinstance(one, TernaryLinear) for one in module.modules()):
        raise NoWeights(
            "the file's weights are ternary, and the network's layers are not",
            where=str(path),
            hint="write the architecture with bits: arch=timm:NAME?bits=1.58",
        )
    return unpack(values)


def _check_layer(net: Net, spec: Spec) -> None:
    """Refuse a layer of the classifier, of which the file has no values.

    Raises:
        BadSpec: the spec names such a layer.
    """
    heads = [path for path in net.named["penultimate"].paths if path]
    if any(f"{spec.layer}.".startswith(f"{head}.") for head in heads):
        raise BadSpec(
            f"the file has no values for the classifier, which is @{spec.layer}",
            where=str(spec),
            hint="leave the layer out: what enters the classifier is there",
        )


def fit_names(values: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The values under the network's own names: without what training programs put before them.

    Of all that stands before names, the one that leaves the most names of the network.
    """
    heads: dict[tuple[int, ...], int] = {
        (): 0
    }  # prefixes as places in PREFIXES, and how many names they leave
    for name in values:
        head: tuple[int, ...] = ()
        rest = name
        heads[head] += rest in wanted
        while (at := _prefix_of(rest)) is not None:
            head, rest = (*head, at), rest.removeprefix(PREFIXES[at])
            heads[head] = heads.get(head, 0) + (rest in wanted)
    best = "".join(PREFIXES[at] for at in min(heads, key=lambda head: (-heads[head], head)))
    return {name.removeprefix(best): one for name, one in values.items() if name.startswith(best)}


def _prefix_of(name: str) -> int | None:
    found = (at for at, prefix in enumerate(PREFIXES) if name.startswith(prefix))
    return next(found, None)


def _architecture(arch: Spec, spec: Spec) -> Net:
    """The network, with random weights."""
    _check_order(arch, spec)
    drawn = Spec(arch.source, arch.identifier, None, arch.options)
    if arch.source == "torchvision":
        models = need_library("torchvision.models", spec)
        name, _, tag = arch.identifier.partition(".")
        arch.check_options(())
        weights = torchvision_source.find_weights(models, name, tag, spec)
        module = seeded(drawn, lambda: torchvision_source.build(models, name, weights, drawn=False))
        net = torchvision_source.vision_net(module, weights.transforms())
    elif arch.source == "timm":
        timm = need_library("timm", spec)
        arch.check_options(timm_source.SHAPE)
        timm_source.check_architecture(timm, arch.identifier, spec)
        module = seeded(
            drawn, lambda: timm_source.build(timm, arch.identifier, arch, pretrained=False)
        )
        config = timm_source.data_config(timm, module, arch)
        net = timm_source.timm_net(
            module,
            timm.data.create_transform(**config, is_training=False),
            timm_source.in_our_words(config),
        )
    else:
        raise BadSpec(
            f"arch={arch} is no architecture of torchvision or timm",
            where=str(spec),
            hint="write arch=timm:NAME or arch=torchvision:NAME",
        )
    return replace(net, about={"architecture": str(arch)})


def _check_order(arch: Spec, spec: Spec) -> None:
    """Refuse options of the checkpoint that stand behind the architecture, which takes them.

    Raises:
        BadSpec: there are some.
    """
    behind = {name: text for name, text in arch.options.items() if name in OPTIONS}
    if not behind:
        return
    others = {name: text for name, text in arch.options.items() if name not in OPTIONS}
    inner = Spec(arch.source, arch.identifier, arch.layer, others)
    before = "&".join(
        f"{name}={text}" for name, text in (spec.options | behind).items() if name != "arch"
    )
    file = f"{spec.source}:{spec.identifier}{f'@{spec.layer}' if spec.layer else ''}"
    raise BadSpec(
        f"what follows arch= belongs to the architecture, and {', '.join(behind)} does not",
        where=str(spec),
        hint=f"write it before arch: {file}?{before}&arch={inner}",
    )


def _resize_classifier(net: Net, values: Mapping[str, Any]) -> None:
    """As many classes as the file has, where its classifier is of the same kind."""
    torch = need_torch("checkpoint")
    for path in net.named["penultimate"].paths:
        found = values.get(f"{path}.weight")
        if not path or found is None:
            continue
        head = net.module.get_submodule(path)
        same_kind = isinstance(head, torch.nn.Linear | torch.nn.Conv2d)
        if not same_kind or head.weight.shape[1:] != found.shape[1:]:
            continue
        classes = len(found)
        setattr(head, "out_features" if hasattr(head, "out_features") else "out_channels", classes)
        head.weight = torch.nn.Parameter(torch.zeros(found.shape))
        if head.bias is not None:
            head.bias = torch.nn.Parameter(torch.zeros(classes))


def _fill(
    net: Net, fitted: Mapping[str, Any], values: Mapping[str, Any], path: Path
) -> dict[str, Any]:
    """Load the fitted values; says what the file's own lack and what they have beside.

    Raises:
        NoWeights: more than the classifier is missing.
    """
    wanted = net.module.state_dict()
    fitting = {
        name: one
        for name, one in fitted.items()
        if name in wanted and one.shape == wanted[name].shape
    }
    heads = tuple(f"{one}." for one in net.named["penultimate"].paths if one)
    missing = [
        name for name in wanted if name not in fitting and not name.endswith("num_batches_tracked")
    ]
    lost = [name for name in missing if not name.startswith(heads or ("\0",))]
    used = {id(one) for one in fitting.values()}
    unexpected = [name for name, one in values.items() if id(one) not in used]
    if lost:
        raise NoWeights(
            f"the file fills {len(fitting)} of the network's {len(wanted)} parts; more than the "
            f"classifier is missing: {first_few(lost)}; unknown to the network: "
            f"{first_few(unexpected) or 'nothing'}",
            where=str(path),
            hint="name the architecture that the file was made with: ?arch=",
        )
    empty = {name: one.new_zeros(one.shape) for name, one in wanted.items() if name in missing}
    net.module.load_state_dict({**fitting, **empty}, strict=False)
    return {"missing": first_few(missing), "unexpected": first_few(unexpected)}


def _prepared(net: Net, spec: Spec, side: Side) -> Net:
    """The network with the preprocessing that was stated, completed by its usual one."""
    options = {key: text for key, text in spec.options.items() if key in STATED}
    if not options and not side.keys:
        return net
    asked = {**side.keys, **options}
    shaped = {"resize", "crop"} & asked.keys()
    usual = split_keys(str(net.stated)) if net.stated and "preset" not in asked else {}
    if shaped:
        usual = {key: text for key, text in usual.items() if key not in ("resize", "crop")}
    elif "size" in asked:
        options["size"] = asked["size"]  # keeps the usual proportion of resize and crop
    size = net.stated.size if net.stated else (224, 224)
    stated, _ = settle(
        options,
        {**usual, **side.keys},
        size=None if shaped or "size" in asked else size,
        layout="NCHW",
        where=str(spec),
    )
    return replace(
        net,
        transform=lambda picture: stated.apply(np.asarray(picture)),
        stated=stated,
        preparation=str(stated),
    )
