"""The OpenAPI document: models of the answers, the complete document, and its reference page."""
