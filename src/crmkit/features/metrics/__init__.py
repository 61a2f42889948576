"""Numbers a manager can trust: ``me.metrics(...)``.

::

    charts       Pictures of results: Vega-Lite documents, made of plain data and without any library
    clocks       The three clocks of one deal: ``me.deals.clocks(deal)``
    facts        The facts metrics are made of, read from the records an actor may see
    figures/     Figures of what happened: funnels, conversion, times, win rates
    forecasts/   Forecasts, and how right they were
    hooks        What the feature adds to a CRM
    html_table   Results as HTML tables, for notebooks: every text is escaped
    metrics      Numbers about deals and leads, as the actor may see them: ``me.metrics(...)``
    quotas       Quotas as people tell them: whose each is, by user, id or e-mail address
    readability  How far a figure reaches: whether its reader may read all it is made of, and how many records that
                 leaves out
    selection    What metrics are asked about: which pipeline, told in which frame, by which beginning of a deal's
                 age
    sql/         The same tallies by SQL
    statistics/  Statistics: intervals of shares, quantiles, survival
    tallies/     What figures are made of: facts, parameters, counts and sums that add up
"""
