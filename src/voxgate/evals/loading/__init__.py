"""Cases out of files: one module for each kind of file, `opening` finds the right one. Files in, cases out,
with the paths of their sounds; who sends them to a server is `evals.importing`.
"""
