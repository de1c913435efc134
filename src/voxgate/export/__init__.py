"""Layer 6: finished sessions leave Voxgate in the shapes of others: OpenTelemetry's GenAI conventions and
OpenInference over OTLP, JSON lines, Parquet, Braintrust's log. Traces in, bytes and files out.
"""
