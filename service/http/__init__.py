"""The edge: the only part of the service that knows about HTTP.

app.py           builds the application: routes, errors, start and end
problems.py      the one table from error to status; problem details (RFC 9457)
uploads.py       the body of a request, in any of three forms, becomes encoded images
calls.py         what every request about images has in common
negotiation.py   which form the caller wants
etags.py         whether the caller already has the answer
schemas.py       the JSON of answers
routes/          one file for each resource
"""
