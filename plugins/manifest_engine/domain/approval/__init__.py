"""The question to an approver, and the record of the approval."""
