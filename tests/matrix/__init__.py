"""
The coverage matrix: real clients of every TLS stack that can be had, over real TLS, watched by a real agent, checked against the fake provider's books.

``rows`` says what is run and what is expected of it, ``installing`` builds the clients, ``playing`` runs them, ``report`` makes table and page.
"""
