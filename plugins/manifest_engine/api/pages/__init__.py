"""The pages: what runs where, deploy, follow and go back, rendered on the server.

Airflow shows the pages in a frame of its own page (``external_views`` of the plugin). The pages
call the functions of the API, and their buttons call its routes, so its rights and limits apply.
"""
