"""Russian: as Django has it, but without "г." after the year and with a comma before the hour."""

DATE_FORMAT = "j E Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j E Y, H:i"
