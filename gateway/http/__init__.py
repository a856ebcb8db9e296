"""HTTP/1.1 for the listeners of ours: an ASGI server on trio, with every limit that one needs.

``requests`` and ``responses`` turn bytes into events and messages into bytes, without I/O;
``peer`` is the socket, ``exchange`` one request with its answer, ``connection`` their sequence on
one socket, ``server`` the listener. What is asked and answered is the business of the ASGI
applications, which live elsewhere.
"""
