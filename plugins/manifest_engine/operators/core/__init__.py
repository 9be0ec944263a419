"""Parts that all steps share: errors, retries, the lease and waiting in the triggerer."""
