"""What a build reports: functions from layers and results to the dictionaries of the report files and to tables."""
