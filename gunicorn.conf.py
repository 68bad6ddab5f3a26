"""How gunicorn serves the site. It reads this by itself in the folder where it is started."""

from newsroom import logs

# Before Django is there to do it: gunicorn's own lines quote paths and clients' addresses.
logs.install()
accesslog = None
# Another door into a running server, and nobody's need.
control_socket_disable = True
