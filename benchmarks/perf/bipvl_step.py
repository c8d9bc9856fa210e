"""Time and memory of one training step of BiPVL-Seg at its published size, and of the same network without text.

The network without text is MONAI's SwinUNETR-V2, also with checkpoints. The ratio is the cost of the text. Each side
runs in its own process, so that the peak memories are separate. The data is as in AMOS: 15 classes and background,
one channel, 15 class sentences, six concepts per class in the patch.

    python benchmarks/perf/bipvl_step.py --device cpu --steps 1
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml
from torch import Tensor

WORDS = 30_522
"""Vocabulary of BERT-base and of PubMedBERT."""


def main() -> None:
    """Measure both sides and print the results with their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--compile", action="store_true", help="torch.compile both networks")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    parser.add_argument("--steps", type=int, default=3, help="number of timed steps, after one step that is not timed")
    parser.add_argument("--size", type=int, default=96, help="voxels per axis of the patch, 64 or more")
    parser.add_argument("--present", type=int, default=15, help="classes in the patch")
    parser.add_argument("--released", action="store_true", help="the network of the released code")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    known = parser.parse_args()
    found = {}
    for side in (peer, ours):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found[side.__name__] = pool.submit(measure, side, known).result()
    mode = f"{known.device}, {'bf16' if known.bf16 else 'fp32'}{', compiled' if known.compile else ''}"
    sys.stdout.write(f"batch 1, {known.size}^3, {known.present} of 15 classes present, {mode}\n")
    for name, one in found.items():
        sys.stdout.write(
            f"{name:<6}{one['params'] / 1e6:8.1f} M parameters{one['peak'] / 2**30:8.2f} GiB peak"
            f"{one['first']:9.2f} s first step{one['seconds']:9.2f} s a step   {one['note']}\n"
        )
    first, second = found["ours"], found["peer"]
    sys.stdout.write(
        f"ratio {first['peak'] / second['peak']:.2f} in memory, {first['seconds'] / second['seconds']:.2f} in time\n"
    )


def measure(side: Callable[..., tuple[Any, ...]], known: argparse.Namespace) -> dict[str, Any]:
    """Measure the peak memory in bytes and the seconds per step (the best step) of one side, in its own process."""
    torch.set_num_threads(known.threads)
    torch.manual_seed(0)
    model, loss, note = side(known)
    model = model.to(known.device).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    image = torch.randn(1, 1, *[known.size] * 3, device=known.device)
    label = (torch.arange(known.size, device=known.device) * (known.present + 1) // known.size).to(torch.uint8)
    label = label[None, None, :, None, None].expand(1, 1, *[known.size] * 3).contiguous()
    cuda = known.device == "cuda"
    times = []
    for _ in range(known.steps + 1):
        start = time.perf_counter()
        optimiser.zero_grad()
        with torch.autocast(known.device, torch.bfloat16) if known.bf16 else nullcontext():
            total: Tensor = loss(image, label)
        total.backward()
        optimiser.step()
        if cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    # ru_maxrss is in kilobytes on Linux. On the CPU it contains the interpreter and the loading of the weights.
    peak = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    params = sum(p.numel() for p in model.parameters())
    return {"params": params, "peak": peak, "first": times[0], "seconds": min(times[1:] or times), "note": note}


def peer(known: argparse.Namespace) -> tuple[Any, ...]:
    """Build MONAI's SwinUNETR-V2 with Dice and cross entropy."""
    from monai.networks.nets.swin_unetr import SwinUNETR

    from zoo.losses.segmentation import SegmentationLoss

    net = SwinUNETR(in_channels=1, out_channels=16, feature_size=48, use_checkpoint=True, use_v2=True, spatial_dims=3)
    forward = torch.compile(net) if known.compile else net
    criterion = SegmentationLoss(exclusive=True)

    def loss(image: Tensor, label: Tensor) -> Tensor:
        return torch.stack(list(criterion(forward(image), label).values())).sum()

    return net, loss, "MONAI SwinUNETR-V2, no text"


def ours(known: argparse.Namespace) -> tuple[Any, ...]:
    """Build BiPVL-Seg at its published size."""
    from zoo.data_facts import DataFacts
    from zoo.errors import TextError
    from zoo.models import BiPVL, BiPVLReleased
    from zoo.text.prompt_files import load_prompts, prompt_file
    from zoo.types import LabelSpace, Text

    os.environ["ZOO_OFFLINE"] = "1"  # no download
    names = yaml.safe_load(prompt_file("amos22").read_text(encoding="utf-8"))["classes"]
    prompts = load_prompts("amos22", list(names))
    labels = LabelSpace(tuple(p.name for p in prompts), tuple((i + 1,) for i in range(len(prompts))))
    facts = DataFacts("amos_like", 3, 1, (known.size,) * 3, labels, prompts, "class").to_dict()
    released = BiPVLReleased(network=known.released)
    try:
        model = BiPVL(facts, "pubmedbert", freeze_text=False, released=released)
        note = "PubMedBERT"
    except TextError:
        with TemporaryDirectory() as folder:
            model = BiPVL(facts, random_bert(Path(folder), prompts), freeze_text=False, released=released)
        note = "a BERT-base with random weights and whole words as tokens, because PubMedBERT is not on this machine"
    encode = torch.compile(model.forward_features) if known.compile else model.forward_features

    def loss(image: Tensor, label: Tensor) -> Tensor:
        batch: Any = {"image": image, "label": label}
        return model.total_loss(model.compute_losses(batch, encode(image, Text(prompts))))

    return model, loss, f"BiPVL-Seg{' as released' if known.released else ''}, {note}"


def random_bert(folder: Path, prompts: Any) -> str:
    """Write a BERT-base with random weights and the words of the prompts as vocabulary; return its folder."""
    from transformers import BertConfig, BertModel

    from zoo.encoders.huggingface import quiet

    text = " ".join(" ".join((p.name.replace("_", " "), p.sentence, *p.concepts)) for p in prompts).lower()
    words = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *re.findall(r"\w+|[^\w\s]", text)])
    vocabulary = [*words, *(f"[unused{i}]" for i in range(WORDS - len(words)))]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer", "do_lower_case": true}', encoding="utf-8"
    )
    with quiet():
        BertModel(BertConfig(vocab_size=WORDS), add_pooling_layer=False).save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    main()
