"""The readers' addresses alone: all there is under a name that is not one of ADMIN_HOSTS."""

from django.urls import include, path

from newsroom import crawlers

# First, because it registers the kinds of segment that the others use.
readers = include("articles.urls")
handler400 = "newsroom.failing.bad_request"
handler404 = "articles.views.page_not_found"
handler500 = "newsroom.failing.server_error"

urlpatterns = [
    path("<language:language>/", include("newsletter.urls")),
    path("robots.txt", crawlers.robots),
    path(".well-known/security.txt", crawlers.security, name="security"),
    path("", readers),
]
