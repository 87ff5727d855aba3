"""Models of machine learning as things with names: base models, cards, registry rules. No SQL, no torch."""
