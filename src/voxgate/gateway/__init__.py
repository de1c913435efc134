"""Layer 7, the data plane: accept, authorise, dial, relay; the OpenAI-shaped endpoints under `/v1`."""
