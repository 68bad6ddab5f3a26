"""Readers' pages, and parts that many of them share, kept while nothing on them changes.

Each process keeps its own. What is made notes what it shows (newsroom.showing). Before it is used
again the database is asked whether any of that was named in a change (articles.models.changes).
The answer is the same to every process, so what is withdrawn is gone from all of them with the
commit: nothing is sent that could be lost, and nothing has to be dropped.
"""
