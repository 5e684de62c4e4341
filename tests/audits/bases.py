"""The table of docs/correlated-errors.md: `python -m tests.audits.bases [SEQUENCES [MODEL TEXT [BITS BLOCK]]]`.

One model in its own, in a random and in its principal basis; each codebook's divergence from the diagonal prediction
to the measurement, and with the largest weight of every block restored.  Minutes on the embedded model.
"""

from __future__ import annotations

import sys

import torch

from bitlaw.llm.error_parts import largest_part
from bitlaw.llm.error_structure import error_structure, format_changes, measure_changes
from bitlaw.llm.fisher import fisher_information
from bitlaw.llm.models import LanguageModel, load_model, weight_tensors
from bitlaw.llm.quantise import assign
from bitlaw.llm.reference import Reference, build_reference
from bitlaw.llm.text import token_sequences
from bitlaw.theory import Format, parse_format

from ..llm.bases import principal_basis, random_basis, rotated


def formats(bits: str, block: str) -> dict[str, Format]:
    """Codebooks by name."""
    elements = {"Lloyd-Max": f"lloyd{bits}:normal", "cube root": f"cbrt{bits}:normal"}
    closed = {"Lloyd-Max, closed ends": f"lloyd{bits}:normal:closed"}
    return {
        f"{scale}, {name}": parse_format(f"{element},block={block},scale={scale}:float16")
        for scale, chosen in (("absmax", elements | closed), ("signmax", elements))
        for name, element in chosen.items()
    }


def line(model: LanguageModel, reference: Reference, format: Format, fisher) -> str:
    """Steps from prediction to measurement of one format."""
    chosen = assign(model.model, format)
    found = error_structure(model, chosen, reference, fisher=fisher)
    steps = found.estimates
    weights = {w.name: w.parameter.detach() for w in weight_tensors(model.model)}
    changes = format_changes(model, chosen)
    energy = sum(float(weights[n].double().square().sum()) for n in changes)
    R = (sum(float(change.double().square().sum()) for change in changes.values()) / energy) ** 0.5
    others = {n: c - largest_part(weights[n], c, format.block) for n, c in changes.items()}
    without = float(measure_changes(model, reference, others).kl.mean())
    measured = steps["measured"]
    return (
        f"R {R:.3f}  diagonal {found.diagonal:.4f}  independent {steps['independent'].value:.4f}  "
        f"full {steps['full'].value:.4f}  measured {measured.value:.4f} [{measured.lower:.4f}, {measured.upper:.4f}]  "
        f"without maxima {without:.4f}"
    )


def main(
    count: str = "16", name: str = "embedded", text: str = "standard", bits: str = "3", block: str = "128"
):
    """Print a line for each basis and format."""
    torch.set_num_threads(1)
    plain = load_model(name, device="cpu", dtype="float32")
    sequences = token_sequences(text, plain.tokenizer, length=256, count=int(count))
    size = plain.model.config.hidden_size
    principal = principal_basis(plain, sequences.tokens[:8])
    for label, basis in (("its own", None), ("random", random_basis(size)), ("principal", principal)):
        model = plain if basis is None else rotated(plain, basis)
        reference = build_reference(model, sequences)
        fisher = fisher_information(model, sequences, unit="position")
        for told, format in formats(bits, block).items():
            print(f"{label} basis, {told}: {line(model, reference, format, fisher)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
