"""Readers' addresses around the letter. A language's segment stands before them."""

from django.urls import path

from newsletter import views

urlpatterns = [
    path("subscribe/", views.subscribe, name="subscribe"),
    path("subscribe/done/", views.subscribed, name="subscribed"),
    path("confirm/<str:token>/", views.confirm, name="confirm"),
    path("letter/<str:token>/", views.letter, name="letter"),
]
