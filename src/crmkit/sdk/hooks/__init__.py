"""The hooks, one file a topic: ``register`` (collect), ``changes`` (decide, and notify), ``segments`` (notify)."""
