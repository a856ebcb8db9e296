"""From message to execution: filters and mappings (pure), and the trigger that applies them."""
