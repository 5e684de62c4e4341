"""One task on a model in a process of its own, which prints the most memory held: `FOLDER TASK DEVICE [LIMIT]`.

LIMIT is how much may be allocated beyond what was there before the model, in bytes of the weights: on the CPU by
`RLIMIT_DATA`, which counts all private memory that can be written to, the mapped files of the weights among it; on a
GPU by torch, and it is the GPU's memory alone that is counted there.
"""

from __future__ import annotations

import copy
import json
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from bitlaw.llm.audit import audit, model_statistics
from bitlaw.llm.divergence import measure_divergence
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.format_codec import quantise_tensor
from bitlaw.llm.models import LanguageModel, load_model
from bitlaw.llm.quantise import assign, quantised
from bitlaw.llm.quantised_files import quantise_files
from bitlaw.llm.reference import build_reference
from bitlaw.llm.statistics import tensor_statistics
from bitlaw.llm.text import Sequences
from bitlaw.llm.weight_files import stream_weights
from bitlaw.theory import parse_format
from bitlaw.theory.fitting import list_weights

FORMAT = parse_format("int4_g64")
_device = sys.argv[3] if len(sys.argv) > 3 else "cpu"
SEQUENCES = Sequences(torch.randint(0, 8192, (2, 16), generator=torch.Generator().manual_seed(0)), "random")


def save(folder: Path, layers: int, width: int) -> None:
    """Write a random Llama in shards, with a tokenizer of one word."""
    from tokenizers import Tokenizer, models

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8192,
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=width // 128,
        num_key_value_heads=width // 512,
        bos_token_id=0,
        eos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder, max_shard_size="256MB")
    tokenizer = Tokenizer(models.WordLevel({"word": 0}, unk_token="word"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="word").save_pretrained(folder)


def _touched(folder: Path) -> LanguageModel:
    """The model, with all of its weights in memory."""
    model = load_model(folder, device=_device)
    for parameter in model.model.parameters():
        parameter.sum()
    return model


def _quantise(folder: Path) -> None:
    model = _touched(folder)
    with quantised(model, assign(model.model, FORMAT, parts=("embedding", "decoder", "head"))):
        pass


def _hold_twice(folder: Path) -> None:
    """What `quantised` is there to avoid: a second model, whose weights are overwritten."""
    model = _touched(folder)
    second = replace(model, model=copy.deepcopy(model.model))
    reference, assignment = build_reference(model, SEQUENCES), assign(model.model, FORMAT)
    for name, parameter in second.model.named_parameters():
        if name in assignment:
            parameter.data.copy_(quantise_tensor(FORMAT, parameter).restored)
    measure_divergence(second, reference)


def _divergence(folder: Path) -> None:
    model = _touched(folder)
    reference = build_reference(model, SEQUENCES)
    with quantised(model, assign(model.model, FORMAT)):
        measure_divergence(model, reference)


def _statistics(folder: Path) -> None:
    for tensor in stream_weights(folder):
        tensor_statistics(tensor)
        del tensor


def _stream(folder: Path) -> None:
    names = {weight.name: FORMAT for weight in list_weights(folder)}
    with tempfile.TemporaryDirectory() as target:
        quantise_files(folder, target, names)


def _fisher(folder: Path, keep: str) -> None:
    fisher_information(_touched(folder), SEQUENCES, keep=keep, batch=1)  # type: ignore[arg-type]


def _audit(folder: Path) -> None:
    model = _touched(folder)
    fisher = fisher_information(model, SEQUENCES, keep="rows", batch=1)
    reference, statistics = build_reference(model, SEQUENCES), model_statistics(model)
    audit(model, assign(model.model, FORMAT), reference, statistics, fisher)


TASKS: dict[str, Callable[[Path], object]] = {
    "load": _touched,
    "quantise and restore": _quantise,
    "KL divergence": _divergence,
    "statistics, streamed": _statistics,
    "quantised copy, streamed": _stream,
    "Fisher information by rows": lambda folder: _fisher(folder, "rows"),
    "Fisher information, diagonal": lambda folder: _fisher(folder, "diagonal"),
    "audit": _audit,
    "KL divergence of a second copy": _hold_twice,
}


def _status(key: str) -> int:
    """Bytes that the kernel counts for this process."""
    found = re.search(rf"^{key}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])


def _limit(allowed: int) -> None:
    """Let no more than some bytes be allocated from here on."""
    if _device == "cuda":
        torch.cuda.set_per_process_memory_fraction(allowed / torch.cuda.get_device_properties(0).total_memory)
        return
    total = _status("VmData") + allowed
    resource.setrlimit(resource.RLIMIT_DATA, (total, total))


def main(folder: Path, task: str, limit: float | None) -> None:
    """Run the task and print bytes before the model and at the peak, of the weights, and the seconds it took."""
    logging.disable_progress_bar()
    gpu = _device == "cuda"
    before, weights = (
        0 if gpu else _status("VmHWM"),
        sum(f.stat().st_size for f in folder.glob("*.safetensors")),
    )
    if limit is not None:
        _limit(int(limit * weights))
    start, cpu = time.perf_counter(), time.process_time()
    TASKS[task](folder)
    if gpu:
        torch.cuda.synchronize()
    took = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    peak = torch.cuda.max_memory_allocated() if gpu else _status("VmHWM")
    print(json.dumps({"before": before, "peak": peak, "weights": weights} | took))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[4]) if len(sys.argv) > 4 else None)
