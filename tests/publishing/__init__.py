"""What is published, and how it is made.

`package` builds it all into dist/; `changelog`, `annotations` and `recipe` keep what describes it true; `sbom` tells
what is in it. docs/releasing.md has the order in which they are used.
"""
