"""How a tensor is stored: element types, scales, and what is kept apart."""
