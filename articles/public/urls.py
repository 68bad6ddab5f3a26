"""URLs of the public pages. The language comes first; the id is an article's key."""

from django.urls import include, path, register_converter

from articles.models.static_pages import PageCode
from articles.public import barometer_views, feed_views, search_views, static_page_views, views
from core import languages
from core.weeks import InvalidWeek, Week


class LanguageConverter:
    """A code of settings.LANGUAGES."""

    regex = "[a-z]{2,3}(?:-[a-z]+)?"

    def to_python(self, value: str) -> str:
        if not languages.is_language(value):
            raise ValueError
        return value

    def to_url(self, value: str) -> str:
        return value


class WeekConverter:
    """A week as the date of its Monday."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> Week:
        try:
            return Week.parse(value)
        except InvalidWeek as error:
            raise ValueError from error

    def to_url(self, value: object) -> str:
        return str(value)


class YearConverter:
    """Four digits (ISO 8601), from 1000."""

    regex = "[1-9][0-9]{3}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return f"{value:04}"


class PageConverter:
    """The code of a static page."""

    regex = "|".join(PageCode.values)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(LanguageConverter, "language")
register_converter(WeekConverter, "week")
register_converter(YearConverter, "year")
register_converter(PageConverter, "page")

language_urlpatterns = [
    path("", views.home, name="home"),
    path("<int:pk>/", views.article, name="article"),
    # str, not slug: a mail program may garble the slug, and the id is the key.
    path("<int:pk>/<str:slug>/", views.article, name="article"),
    path("<int:pk>/card-<slug:version>.png", feed_views.share_image, name="share_image"),
    path("feed.xml", feed_views.feed, name="feed"),
    path("feed-<int:page>.xml", feed_views.feed, name="feed"),
    path("topics/<slug:code>/feed.xml", feed_views.feed, name="topic_feed"),
    path("topics/<slug:code>/feed-<int:page>.xml", feed_views.feed, name="topic_feed"),
    path("sitemap.xml", feed_views.sitemap, name="sitemap"),
    path("sitemap-<int:number>.xml", feed_views.sitemap, name="sitemap"),
    path("news.xml", feed_views.news_sitemap, name="news"),
    path("preview/<str:token>/", views.preview, name="preview"),
    path("topics/<slug:code>/", views.topic, name="topic"),
    path("topics/<slug:code>/<int:page>/", views.topic, name="topic"),
    path("authors/<slug:code>/", views.author, name="author"),
    path("authors/<slug:code>/<int:page>/", views.author, name="author"),
    path("weeks/", views.weeks, name="weeks"),
    path("weeks/<int:page>/", views.weeks, name="weeks"),
    path("weeks/<week:week>/", views.week, name="week"),
    path("<page:code>/", static_page_views.page, name="page"),
    path("barometer/", barometer_views.year, name="barometer"),
    path("barometer/<year:year>/", barometer_views.year, name="barometer"),
    path("barometer/<year:year>/<int:page>/", barometer_views.year, name="barometer"),
    *(
        path(
            f"barometer/{name}.{ext}",
            barometer_views.data,
            {"file_format": ext},
            f"barometer-{ext}",
        )
        for ext in barometer_views.FORMATS
        for name in ("<year:year>", "all")
    ),
    path("search/", search_views.search, name="search"),
    path("search/<str:encrypted>/", search_views.results, name="search_results"),
    path("search/<str:encrypted>/<int:page>/", search_views.results, name="search_results"),
]
urlpatterns = [
    path("", views.home, name="root"),
    path("<language:language>/", include(language_urlpatterns)),
    path("sitemap.xml", feed_views.sitemap_index, name="sitemap_index"),
    path("media/<path:path>", views.media, name="media"),
]
