"""Numbers a manager can trust: pure mathematics over plain facts. No database, no clock, no rights.

Facts (:mod:`~crmkit.analytics.facts`) come from wherever the caller has them; a frame (:mod:`~crmkit.analytics.frame`)
says as of when, in which zone, in which currency; every answer is a :class:`~crmkit.analytics.metric.Metric` that says
what it counted, what it left out and why, and the name of its variant.
"""
