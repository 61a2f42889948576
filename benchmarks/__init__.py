"""What crmkit costs beside a raw program that leaves the same rows behind: ``python -m benchmarks``.

Run by hand and never as a test, because times are not stable; see docs/performance.md.
"""
