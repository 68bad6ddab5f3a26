"""All addresses: the readers' by language, the staff's below /admin/."""

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from newsroom import readers

handler400 = readers.handler400
handler404 = readers.handler404
handler500 = readers.handler500

urlpatterns = [
    path("admin/language/", set_language, name="set_language"),
    path("admin/account/", include("staff.urls")),
    path("admin/", admin.site.urls),
    *readers.urlpatterns,
]
