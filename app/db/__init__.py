"""The record of everything: tables, all SQL, migrations. SQLite and PostgreSQL by URL alone."""
