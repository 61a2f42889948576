"""The command line: it reads arguments, calls the app and writes what came back. No rule lives here.

::

    main        the command ``crmkit``; other modules are loaded when their command is run
    access      which database, tenant and person; output: tables, JSON and CSV
    nouns       ``crmkit deals list``, for every record type there is; titles: names instead of ids
    history     versions, changesets, undo; explain: why; admin: migrate, doctor, fields
    metrics     ``crmkit metrics``, with charts and a rates_file
    demo/       the main job on real data, which lies in demo_data/
"""
