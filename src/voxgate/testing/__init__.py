"""Public fakes for tests of voice applications: a scripted provider, and recorded calls as providers."""
