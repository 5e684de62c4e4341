"""What the name of a stored tensor tells of its place in a language model.

Names are those of the architectures in the transformers library, as its files have them.
"""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["PARTS", "Part", "in_tower", "is_bias", "layer_of", "model_order", "part_of"]

Part = Literal["embedding", "decoder", "head"]

PARTS: tuple[Part, ...] = ("embedding", "decoder", "head")

# Submodules that see pictures or sound.
_TOWERS = ("vision", "visual", "image", "audio", "multi_modal_projector", "mm_projector")

# Tables that are looked up: of tokens, which come first in a model, of positions and of kinds of token.
_TOKENS = r"embed_tokens|wte|embed_in|word_embeddings|tok_embeddings|tokens_embed|embeddings|w"
_EMBEDDINGS = rf"{_TOKENS}|wpe|embed_(tokens|positions)_?\w*|\w+_embeddings?|(positions?|pos)_embed"
_HEAD = r"(lm_head|generator_lm_head|embed_out|output(_projection)?|(lm_head|predictions)\.decoder|pred_layer\.proj)"

# Modules of a layer in the order in which they are most often defined: what comes later in a tuple comes later in
# a model.  A name takes the place of the first entry that fits one of its words.
_BLOCKS = (
    r"attn|attention|self_attn|self_attention|mixer",
    r"mlp|feed_forward|block_sparse_moe|intermediate|fc1|fc2",
    r"output",
)
_EXPERTS = (r"gate|router", r"experts", r"", r"shared_experts?", r"shared_expert_gate")
_LEAVES = (
    r"q_proj|query|q_a_proj|c_attn|query_key_value|qkv_proj",
    r"q_b_proj",
    r"k_proj|key|kv_a_proj_with_mqa",
    r"v_proj|value|kv_b_proj",
    r"o_proj|out_proj",
    r"gate_proj|w1|gate_up_proj|c_fc|fc1|fc_in|dense_h_to_4h",
    r"up_proj|w3",
    r"down_proj|w2|c_proj|fc2|fc_out|dense_4h_to_h|dense",
)


def part_of(name: str) -> Part:
    """Part of the model that a matrix belongs to: tables of positions are embeddings too."""
    words = name.split(".")
    if re.fullmatch(_EMBEDDINGS, _module(words)):
        return "embedding"
    # A layer may have a module of the same name as a head.
    outside = not any(word.isdigit() for word in words)
    return "head" if outside and re.search(rf"(^|\.){_HEAD}\.weight$", name) else "decoder"


def _module(words: list[str]) -> str:
    return words[-2] if len(words) > 1 else ""


def layer_of(name: str) -> int | None:
    """Number of the layer that a tensor belongs to: the first number in its name; None where there is none."""
    return next((int(word) for word in name.split(".") if word.isdecimal()), None)


def in_tower(name: str) -> bool:
    """Whether a tensor belongs to a tower for pictures or sound."""
    return any(word.startswith(tower) for word in name.split(".") for tower in _TOWERS)


def is_bias(name: str) -> bool:
    """Whether a tensor is a bias (those of experts are matrices, one row for each)."""
    return re.search(r"[._]bias$", name) is not None


def model_order(name: str) -> tuple[object, ...]:
    """Key that sorts matrices as a model has them: embeddings, layers from the first to the last, head.

    Within a layer attention comes before the rest, and query, key, value, output, gate, up and down follow one
    another, which is the order of most architectures.
    """
    words = name.split(".")
    numbers = tuple(int(word) for word in words if word.isdigit())
    embeds = any(word.startswith("emb") or word.endswith(("embed", "embeddings")) for word in words)
    if numbers:
        stage = 2
    elif part_of(name) == "embedding" or embeds:
        stage = 0 if re.fullmatch(_TOKENS, _module(words)) else 1
    else:
        stage = 4 if part_of(name) == "head" else 3
    inner = words[[word.isdigit() for word in words].index(True) + 1 :] if numbers else words
    return (stage, numbers[:1], *_places(inner), numbers[1:], name)


def _places(words: list[str]) -> tuple[int, ...]:
    """Place of a module among those of its layer."""
    return _place(_BLOCKS, words), _expert_place(words), _place(_LEAVES, words[::-1])


def _place(order: tuple[str, ...], words: list[str]) -> int:
    for word in words:
        for place, pattern in enumerate(order):
            if re.fullmatch(pattern, word):
                return place
    return len(order)


def _expert_place(words: list[str]) -> int:
    found = _place(_EXPERTS, words)
    return _EXPERTS.index("") if found == len(_EXPERTS) else found
