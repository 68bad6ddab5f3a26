"""All addresses: the readers' by language, the staff's below /admin/."""

from django.contrib import admin
from django.urls import include, path

# First, because it registers the kinds of segment that the others use.
readers = include("articles.urls")
handler404 = "articles.views.page_not_found"
handler500 = "newsroom.health.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("<language:language>/", include("newsletter.urls")),
    path("", readers),
]
