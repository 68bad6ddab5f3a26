"""All addresses: the readers' by language, the staff's below /admin/."""

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

# First, because it registers the kinds of segment that the others use.
readers = include("articles.urls")
handler404 = "articles.views.page_not_found"
handler500 = "newsroom.failing.server_error"

urlpatterns = [
    path("admin/language/", set_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("<language:language>/", include("newsletter.urls")),
    path("", readers),
]
