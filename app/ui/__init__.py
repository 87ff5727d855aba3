"""The web interface: pages in Streamlit, a pure client of the API."""
