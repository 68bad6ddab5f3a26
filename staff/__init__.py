"""Staff accounts: authentication, sessions, roles, audit and the admin's base classes."""
