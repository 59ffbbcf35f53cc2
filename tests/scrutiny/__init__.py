"""What other tools say of the chart: `python -m tests.scrutiny`.

`judges` runs them over renders of each environment; `explained` has the findings that stay, each with its reason.
"""
