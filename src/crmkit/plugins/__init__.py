"""Built-in plugins. They import ``crmkit.sdk`` and nothing else of crmkit, and nothing imports them.

::

    sales_pipeline      the stage decides the outcome, and closing leaves its marks
    stage_gates         what it takes to move a deal
    required_by_stage   the fields a deal must have in a stage
    account_lifecycle   the ways from one state of an account to another
    won_activity        a note where a deal is won
    sales_team          the pipeline and the roles that a new tenant starts with
    segment_tasks       a task where a record comes into a watched segment
"""
