"""Public fakes for tests of voice applications: a scripted provider and a clock."""
