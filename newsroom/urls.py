"""ROOT_URLCONF: the admin and the public URLs."""

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from newsroom import public_urls

handler400 = public_urls.handler400
handler404 = public_urls.handler404
handler500 = public_urls.handler500

urlpatterns = [
    path("admin/language/", set_language, name="set_language"),
    path("admin/account/", include("staff.urls")),
    path("admin/", admin.site.urls),
    *public_urls.urlpatterns,
]
