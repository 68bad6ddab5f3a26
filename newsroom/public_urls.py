"""Public URLs: all there are under hosts other than ADMIN_HOSTS."""

from django.urls import include, path

from newsroom import well_known

# First, since it registers the path converters.
article_urls = include("articles.public.urls")
handler400 = "newsroom.error_views.bad_request"
handler404 = "articles.public.views.page_not_found"
handler500 = "newsroom.error_views.server_error"

urlpatterns = [
    path("<language:language>/", include("newsletter.public.urls")),
    path("robots.txt", well_known.robots),
    path(".well-known/security.txt", well_known.security, name="security"),
    path("", article_urls),
]
