"""What an experiment came to, for different readers: a person at a terminal, a pull request, a CI system, a
program, a browser. One file for each form; all take a `Report`.
"""
