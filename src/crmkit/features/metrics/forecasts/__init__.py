"""Forecasts, and how right they were.

::

    attainment      Quota attainment: how much of a quota is won
    backtest        What a forecast would have said on past days, and how wrong it was
    calibration     Whether stated probabilities come true: Brier score, its parts, and a table of what was said
                    against what happened
    categories      Forecast by category: what people commit to, told for each category alone or rolled up
    coverage        Pipeline coverage: is what is open enough to reach the quota
    simulation      What the open deals may bring: a thousand times over, each deal is won or not, and the sums are
                    looked at
    stage_forecast  A forecast from history: each open deal at the share of deals that were won after they had been
                    in its stage
    weighted        Weighted pipeline: what the open deals are worth times how likely they are won, and how far it
                    may be off
"""
