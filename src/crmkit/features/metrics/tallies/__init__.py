"""What figures are made of: facts, parameters, counts and sums that add up.

::

    facts       The facts metrics are made of: deals, the time they spent in stages, and the stages themselves
    faults      Histories that cannot have happened: found and named, so that metrics leave them out and say so
    frame       What a number is told in: as of when, for whom, in which zone and currency
    journeys    Deals with the time they spent in stages: what metrics about stages are folded from, one deal at a
                time
    ladder      The ladder of a pipeline: which stages come after which, and which of them a deal reached
    masks       Deals of one kind at a time on their way into a funnel: what the database counted for each set of
                stages
    metric      What every number comes with: how it was counted, what was left out, and how sure it is
    parameters  What metrics can be asked for: parameters that mean nothing are refused before anything is counted
    parts       What a metric counted and what it left out: each deal in one named part, so that the parts add up to
                the whole
    periods     Which days a metric covers: those of a period, by the calendar of the frame's zone
    shares      Counts that add up, shares of them as metrics, and the bounds within which they are counted
    totals      Sums of money that add up: whole units by currency and day, converted once and at the end
"""
