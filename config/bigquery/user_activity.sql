CREATE TABLE IF NOT EXISTS `monitoring_datalake.user_activity` (
  `event_id` STRING NOT NULL,
  `user_id` STRING,
  `session_id` STRING,
  `event_timestamp` TIMESTAMP NOT NULL,
  `action` STRING,
  `page` STRING,
  `device` STRING,
  `is_bot` BOOL,
  `schema_version` INT64
)
PARTITION BY DATE(`event_timestamp`)
CLUSTER BY `user_id`, `action`;
