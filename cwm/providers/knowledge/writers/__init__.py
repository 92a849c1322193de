"""Who writes task and state knowledge: rules without a model, or a language model."""
