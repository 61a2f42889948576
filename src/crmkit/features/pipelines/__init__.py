"""Pipelines: how deals go through stages.

::

    collections  What only deals and pipelines can tell: where a deal has been, how a pipeline was edited
    definitions  What is checked of pipelines, stages and gates when they are written, and what they rely on
    hooks        What the feature adds to a CRM
    intervals    The intervals a deal leaves behind as it moves
    move         Move a deal to another stage: the way a sale advances, is won, lost or reopened
    split        Split a deal among people: who is credited with which share of it
    stages       What a deal leaves behind as it moves: an interval for each stay in a stage, in the changeset of
                 the move
"""
