"""What a vision transformer loses when its layers become ternary, and what training gives back.

python -m bench.ternary

No pretrained ViT comes with the data, so a small one is trained here on fashion-products
(32 x 32 pixels, kinds of product), made ternary, measured, and trained on through the rounding.
"""

from __future__ import annotations

import os

import numpy as np
import torch
from PIL import Image
from torch import nn

from bench.timing import data_root, print_table
from likelens import Catalogue
from likelens.encoders.ternary import make_ternary
from likelens.encoders.torch_load import need_vision
from likelens.images import open_image

SIDE, LEAST, HELD_OUT = 32, 40, 0.25
EPOCHS, FURTHER = (int(part) for part in os.environ.get("BENCH_EPOCHS", "16,6").split(","))


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """Small pictures and their class, of the kinds that have a few pictures."""
    catalogue = Catalogue.open(
        data_root() / "data" / "fashion-products" / "styles.csv", category="subCategory"
    )
    labels = np.array(catalogue.labels, str)
    kinds, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(counts[classes] >= LEAST)
    kept = np.unique(classes[rows], return_inverse=True)[1]
    small = [
        np.asarray(Image.fromarray(open_image(catalogue.paths[row])).resize((SIDE, SIDE)))
        for row in rows
    ]
    values = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 127.5 - 1
    print(f"{len(rows):,} pictures of {kept.max() + 1} of {len(kinds)} kinds")
    return values, torch.from_numpy(kept)


def network(classes: int) -> nn.Module:
    need_vision(torch, "bench")
    import timm

    return timm.create_model(
        "vit_tiny_patch16_224", img_size=SIDE, patch_size=8, embed_dim=64, depth=4, num_heads=4,
        num_classes=classes,
    )  # fmt: skip


def train(net: nn.Module, values: torch.Tensor, classes: torch.Tensor, epochs: int) -> None:
    """Epochs over all pictures, half of them mirrored, the rate going down to zero."""
    steps = epochs * -(-len(values) // 128)
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps)
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(values)).split(128):
            batch = values[rows]
            mirrored = torch.rand(len(batch)) < 0.5
            batch[mirrored] = batch[mirrored].flip(-1)
            loss = nn.functional.cross_entropy(net(batch), classes[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()


@torch.inference_mode()
def look(net: nn.Module, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings and answers of pictures."""
    net.eval()
    parts = []
    for batch in values.split(512):
        features = net.forward_head(net.forward_features(batch), pre_logits=True)
        parts.append((features, net.get_classifier()(features)))
    return torch.cat([one for one, _ in parts]), torch.cat([one for _, one in parts])


def main() -> None:
    torch.manual_seed(0)
    values, classes = pictures()
    order = torch.randperm(len(values))
    held = order[: int(len(order) * HELD_OUT)]
    seen = order[len(held) :]
    net = network(int(classes.max()) + 1)
    train(net, values[seen], classes[seen], EPOCHS)
    rows = []
    first = None
    for name in ("float32", "1.58 bits, as it is", f"1.58 bits, {FURTHER} more epochs"):
        if name != "float32":
            make_ternary(net)
        if "epochs" in name:
            train(net, values[seen], classes[seen], FURTHER)
        vectors, answers = look(net, values[held])
        first = vectors if first is None else first
        right = (answers.argmax(1) == classes[held]).float().mean()
        near = nn.functional.cosine_similarity(first, vectors).mean()
        rows.append([name, f"{right:.1%}", f"{near:.3f}"])
    most = classes[held].bincount().max() / len(held)
    rows.append(["the most frequent kind", f"{most:.1%}", ""])
    print_table(["network", "right, held out", "mean cosine to float32"], rows)


if __name__ == "__main__":
    main()
