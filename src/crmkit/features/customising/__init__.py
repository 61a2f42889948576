"""Fields and record types that a tenant adds: ``me.fields``, ``me.objects``."""
