"""From messages to bronze, silver, quarantine, late rows and the ledger, one batch in one pass."""
