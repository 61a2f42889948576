"""Built-in plugins. They import ``crmkit.sdk`` and nothing else of crmkit, and nothing imports them."""
