"""What a GPU gains: training step, wait for the loader, sliding window, scoring, deterministic mode, frozen text.

python -m benchmarks.perf.gpu [--device cpu] [--small] [--part NAME ...]

Each part prints its times as minimum/median/maximum, the peak of memory, and the ratio that its bar is about. The exit
code is 1 where a bar is missed, and 2 without a GPU. `--device cpu --small` shows that each part runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.perf.gpu_clock import SMALL, Setting, fit, judge, peak, repeat, show
from benchmarks.perf.metrics import make_ct
from datamodules.sets import PhantomAbdomen
from zoo import make_facts
from zoo.callbacks import FasterSteps
from zoo.inference import WindowPlan, predict_masks
from zoo.metrics.scoring import score_case
from zoo.models import FiLM, SegModule, UNet
from zoo.types import Batch, Geometry, LabelSpace, Text

ORGANS = 13
STEP, WAIT, WINDOWS, SCORE, DETERMINISTIC = 3.0, 0.02, 0.95, 0.015, 1.15
"""The bars: eager over ours, share of the step, share of the bare forward, seconds, deterministic over free."""


def make_unet(setting: Setting) -> UNet:
    """Make the U-Net of a CT with 13 organs, from one seed."""
    torch.manual_seed(0)
    return UNet(make_facts([f"organ {n}" for n in range(ORGANS)], patch=list(setting.patch)), setting.channels)


def make_batches(setting: Setting, model: SegModule) -> DataLoader[Any]:
    """Make a loader that gives one batch of two patches, which is on the device already, again and again."""
    image = torch.randn(2, 1, *setting.patch, device=setting.device)
    label = torch.randint(0, ORGANS + 1, image.shape, device=setting.device, dtype=torch.uint8)
    batch: Batch = {"image": image, "label": label, "case_id": ["a", "b"], "classes": model.facts.prompts}  # type: ignore[typeddict-item]
    return DataLoader([batch] * (setting.warm + setting.chunks * setting.steps), batch_size=None)  # type: ignore[arg-type]


def half_precision(setting: Setting) -> str:
    """The precision of our step: bfloat16 on a GPU. On a CPU, a gradient of a small network was once not finite."""
    return "bf16-mixed" if setting.device == "cuda" else "32-true"


def measure_step(setting: Setting) -> bool:
    """Compare our step (bfloat16, compiled, channels last) with eager float32."""
    found = {}
    ways: dict[str, tuple[list[Callback], str]] = {
        "eager float32": ([], "32-true"),
        "eager bfloat16": ([], half_precision(setting)),
        "gpu_fast": ([FasterSteps(compile=setting.device == "cuda", channels_last=True)], half_precision(setting)),
    }
    for name, (callbacks, precision) in ways.items():
        model = make_unet(setting)
        clock, used = fit(setting, model, make_batches(setting, model), *callbacks, precision=precision)
        found[name] = statistics.median(clock.seconds)
        show(f"step, {name}", clock.seconds, used)
    return judge("eager float32 over gpu_fast", found["eager float32"] / found["gpu_fast"], STEP, at_least=True)


def measure_wait(setting: Setting) -> bool:
    """Measure which share of a step waits for the loader of `phantom_abdomen`, with the augmentation `full`."""
    samples = 2 * (setting.warm + setting.chunks * setting.steps)
    options: dict[str, Any] = {"patch": list(setting.patch), "batch_size": 2, "epoch_samples": samples}
    data = PhantomAbdomen(counts=[2, 1, 1], augment="full", num_workers=2, **options)
    torch.manual_seed(0)
    model = UNet(data.facts, setting.channels)
    clock, used = fit(setting, model, data, precision=half_precision(setting))
    show("step with the loader", clock.seconds, used)
    show("of it, wait for the loader", clock.waited)
    return judge("wait over step", statistics.median(clock.waited) / statistics.median(clock.seconds), WAIT)


def measure_deterministic(setting: Setting) -> bool:
    """Compare a step in deterministic mode with a free one."""
    found = []
    for mode in (False, True):
        model = make_unet(setting)
        try:
            loader, precision = make_batches(setting, model), half_precision(setting)
            clock, used = fit(setting, model, loader, deterministic=mode, precision=precision)
        finally:
            torch.use_deterministic_algorithms(False)
        show(f"step, {'deterministic' if mode else 'free'}", clock.seconds, used)
        found.append(statistics.median(clock.seconds))
    return judge("deterministic over free", found[1] / found[0], DETERMINISTIC)


@torch.no_grad()
def measure_windows(setting: Setting) -> bool:
    """Compare a sliding window, four windows at once, with the same number of bare forward passes."""
    model = make_unet(setting).eval().to(setting.device)
    image = torch.randn(1, 1, *setting.volume, device=setting.device)
    labels = LabelSpace(tuple(f"organ {n}" for n in range(ORGANS)), tuple((n + 1,) for n in range(ORGANS)))
    geometry = Geometry(None, setting.volume, tuple((0, n) for n in setting.volume), (1.5, 1.5, 2.0), "mm")
    batches: list[int] = []

    def network(windows: Tensor, text: Text) -> Tensor:
        batches.append(len(windows))
        with torch.autocast(setting.device, torch.bfloat16):
            return model(windows, text).float()  # type: ignore[no-any-return]

    plan, text = WindowPlan(setting.patch, 0.5, at_once=4), Text(model.facts.prompts)

    def whole() -> None:
        predict_masks(network, image, text, plan, [geometry], labels)

    whole()
    sizes = list(batches)
    inputs = {size: torch.randn(size, 1, *setting.patch, device=setting.device) for size in set(sizes)}

    def bare() -> None:
        for size in sizes:
            network(inputs[size], text)

    bare()
    with peak(setting) as used:
        ours = repeat(setting, whole)
    show(f"sliding window, {sum(sizes)} windows", ours, used[0])
    with peak(setting) as used:
        forward = repeat(setting, bare)
    show("the bare forward passes", forward, used[0])
    share = statistics.median(forward) / statistics.median(ours)
    return judge("speed over the bare forward", share, WINDOWS, at_least=True)


def measure_score(setting: Setting) -> bool:
    """Measure the scores of a CT with 13 organs; they are computed on the CPU."""
    small = setting.chunks == 1
    prediction, label = make_ct((64, 64, 40) if small else (512, 512, 150))
    labels = LabelSpace(tuple(f"organ {n}" for n in range(ORGANS)), tuple((n + 1,) for n in range(ORGANS)))

    def run() -> None:
        score_case("case", prediction, label, labels, (0.76, 0.76, 3.0), "mm", 2.0)

    run()
    seconds = repeat(setting, run)
    show(f"scores of a CT of {label.shape}", seconds)
    return judge("seconds", statistics.median(seconds), SCORE)


def measure_text(setting: Setting) -> bool:
    """Count the calls of a frozen text encoder in profiled steps of `film` after the first one; there must be none."""
    torch.manual_seed(0)
    facts = make_facts([f"organ {n}" for n in range(ORGANS)], patch=list(setting.patch))
    model = FiLM(facts, encoder="tiny", freeze_text=True, channels=setting.channels).to(setting.device).train()
    batch = next(iter(make_batches(setting, model)))
    text = Text(batch["classes"])
    backbone = model.text._backbone  # the profiler names the operations between its two lines
    run = backbone.run

    def marked(hidden: Tensor, mask: Tensor, start: int, stop: int) -> Tensor:
        with torch.profiler.record_function("text encoder"):
            return run(hidden, mask, start, stop)

    backbone.run = marked  # type: ignore[method-assign]

    def step() -> None:
        output = model.forward_features(batch["image"], text)
        model.total_loss(model.compute_losses(batch, output)).backward()

    calls = []
    for _ in range(2):
        with torch.profiler.profile(acc_events=True) as profile:
            step()
            setting.wait()
        calls.append(sum(event.count for event in profile.key_averages() if event.key == "text encoder"))
    sys.stdout.write(f"  calls of the text encoder: {calls[0]} in the first step, {calls[1]} in the next one\n")
    return bool(calls[0] > 0 and calls[1] == 0)


PARTS: dict[str, Callable[[Setting], bool]] = {
    "step": measure_step,
    "wait": measure_wait,
    "windows": measure_windows,
    "score": measure_score,
    "deterministic": measure_deterministic,
    "text": measure_text,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="small networks and volumes, to see that every part runs")
    parser.add_argument("--part", choices=PARTS, action="append", help="what is measured (default: everything)")
    arguments = parser.parse_args(argv)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write(
            "zoo: error: torch sees no GPU. Run `make perf-gpu` on a machine with one, or try `--device cpu --small`.\n"
        )
        return 2
    warnings.filterwarnings("ignore", module="lightning")
    setting = Setting(arguments.device, **(SMALL if arguments.small else {}))
    if arguments.device == "cuda":
        name, cudnn = torch.cuda.get_device_name(), torch.backends.cudnn.version()
        sys.stdout.write(f"{name}, torch {torch.__version__}, cuDNN {cudnn}\n")
    missed = []
    for part in arguments.part or PARTS:
        start = time.perf_counter()
        sys.stdout.write(f"{part}\n")
        met = PARTS[part](setting)
        judged = arguments.device == "cuda" and not arguments.small
        word = ("met" if met else "MISSED") if judged else "not judged"
        sys.stdout.write(f"  {word}, {time.perf_counter() - start:.0f} s\n")
        missed += [part] if judged and not met else []
        sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
