"""All addresses: the readers' by language, the staff's below /admin/."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("<language:language>/", include("newsletter.urls")),
    path("", include("articles.urls")),
]
