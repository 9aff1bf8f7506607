"""All that judging and looking needs: metrics, leakage, benchmarks, figures and reports.

``eval`` is also a builtin: always write ``from eval.metrics import …``, never ``import eval``.
"""
