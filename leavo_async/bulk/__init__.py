"""Import and export of many rows. Knows rows, files and journals; knows no API."""
