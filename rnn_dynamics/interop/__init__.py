"""Networks of other frameworks as cells of ours, verified against the original."""
