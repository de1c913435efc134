"""Layer 7, the control plane: what the web app and the SDK ask under `/api`. Start in `app.py`."""
