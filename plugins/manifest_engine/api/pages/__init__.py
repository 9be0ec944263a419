"""The pages for services and deployments, which the server renders as HTML.

Airflow shows the pages in a frame (``external_views`` of the plugin). The pages use the functions
and routes of the API, so the API's permissions and limits apply.
"""
