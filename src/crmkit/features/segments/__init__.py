"""Segments: lists of records by condition, and ready-made ones.

::

    collection   Segments as a person types against them: ``me.segments``
    commands     Segments that are made, kept and compared with what they were: snapshots, watching, ready-made ones
    definitions  What is checked of segments when they are written, and what they rely on
    hooks        What the feature adds to a CRM
    rfm          Recency, frequency and monetary value: 1..5 each, by cut points that are made once and kept
    tiers        How near a deal is: A within 30 days, B within 60, C later, by the day it is expected to close
    worklist     Much at stake, and nobody in touch: what to work on first
"""
