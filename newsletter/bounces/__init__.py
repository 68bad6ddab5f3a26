"""What comes back: reports of letters that did not arrive, and complaints."""
