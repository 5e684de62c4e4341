"""The theory applied to torch tensors and language models."""
