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
# A list that is brought in comes as slowly as it is uploaded. A thread of its own may wait for it:
# the others go on serving, and nobody takes the process for dead.
worker_class = "newsroom.serving.Worker"
threads = 4
