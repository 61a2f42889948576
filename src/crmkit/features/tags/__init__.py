"""Words on records of any type, and what became of them."""
