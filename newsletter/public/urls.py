"""The subscription pages, below a language prefix."""

from django.urls import path

from newsletter.public import views

urlpatterns = [
    path("subscribe/", views.subscribe, name="subscribe"),
    path("subscribe/done/", views.subscribed, name="subscribed"),
    path("confirm/<str:token>/", views.confirm, name="confirm"),
    path("letter/<str:token>/", views.letter, name="letter"),
    path("letter/<str:token>/preferences/", views.ask_for_preferences, name="ask_for_preferences"),
    path("preferences/<str:token>/", views.preferences, name="preferences"),
    path("preferences/<str:token>/leave/", views.unsubscribe_by_preferences, name="leave"),
    path("preferences/<str:token>/forget/", views.forget, name="forget"),
]
