"""Numbers about deals and leads: ``me.metrics(...)``."""
