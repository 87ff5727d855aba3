"""All SQL: one module a table or group of tables, each function one question or one change in a given session."""
