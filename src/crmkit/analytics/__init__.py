"""Numbers a manager can trust: pure mathematics over plain facts. No database, no clock, no rights.

Facts come from wherever the caller has them; a frame says as of when, in which zone, in which currency; every answer is
a Metric that says what it counted, what it left out and why, and the name of its variant.

::

    facts, frame, metric, periods    what is asked, how it is told, and what an answer says of itself
    asked, parts, shares, totals     parameters, deals in named parts, counts, sums of money
    proportion, quantile, survival   statistics: intervals, quantiles, times that have not ended yet
    weighted, categories, simulation, stage_forecast    what is expected
    backtest, calibration            how wrong that was
    win_rate, win_curve, velocity, coverage, attainment    what was won
    journeys, faults                 deals with the time they spent in stages, and what is impossible about it
    ladder, funnel, masks, conversion, cohort_curve        how far deals come
    clocks, dwell, response          how long things take
    tables, columns                  the same tallies by SQL; the one place here that knows a database
    html_table, vega                 tables and pictures
"""
