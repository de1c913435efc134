"""From calls to tests: data sets, scorers, replays, experiments. `model` has the words of it all."""
