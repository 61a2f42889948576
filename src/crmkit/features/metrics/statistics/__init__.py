"""Statistics: intervals of shares, quantiles, survival.

::

    proportion  How sure a share is: the score interval of Wilson, which holds for few and for many
    quantile    Mean, median and quantiles of values that were counted: ``{value: how often}``, exact where the
                values are
    survival    Time until something happens, when for some it has not happened yet
"""
