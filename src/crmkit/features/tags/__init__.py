"""Tags on records of any type.

::

    collection   What collections of every type tell of tags
    commands     Put a tag on a record, take it off
    definitions  What is checked of tags when they are written
    history      What became of a tag on a record: the versions of its taggings, told as a person would
    hooks        What the feature adds to a CRM
    sql          Who is in a list and who is not, as sets: one statement however many records there are
    tagging      Tags put on and taken off: on one record, on all that match, and the lists that segments keep of
                 their members
"""
