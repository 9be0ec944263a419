"""What an approver sees, and the record of the approval."""
