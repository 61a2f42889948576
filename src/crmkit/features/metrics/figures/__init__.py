"""Figures of what happened: funnels, conversion, times, win rates.

::

    clocks        The three clocks of a deal, which are never mixed: age, dwell and idle
    cohort_curve  How the share of a cohort that went on from a stage grows with the days since it entered
    conversion    How many deals of a stage go on to a later one: by stock, by flow and by cohort
    dwell         How long deals stay in each stage, with those that are still in it: Kaplan-Meier beside the naive
                  mean
    funnel        The funnel of a pipeline: how many deals, and how much money, reached each stage, and how many
                  went on
    response      How long leads wait for the first answer of a person, with those who wait still
    velocity      Sales velocity, money won per day, and the sales cycle it rests on
    win_curve     Win curve: what share of deals is won, lost and still open at each age, and the naive figures
                  beside it
    win_rate      Win rate: what share of deals is won. Five numbers go by that name; each is a variant here
"""
