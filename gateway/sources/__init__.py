"""Where messages come from: one settings class with one ``run`` each."""
