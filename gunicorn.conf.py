"""How gunicorn serves the site. It reads this by itself in the folder where it is started."""

from newsroom import logs

# Before Django is there to do it: gunicorn's own lines quote paths and clients' addresses.
logs.install()
accesslog = None
# The site is loaded once, before the workers are there: what keeps it from starting is said once.
preload_app = True
# No header says where the site is mounted or which page is asked for: proxies pass such headers
# on from whoever sends them.
forwarder_headers = ""
# Another door into a running server, and nobody's need.
control_socket_disable = True
# A list that is brought in comes as it is uploaded, through a slow line too. Readers' requests are
# whole before the proxy hands them on.
timeout = 300
