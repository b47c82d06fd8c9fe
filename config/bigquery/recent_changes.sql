CREATE TABLE IF NOT EXISTS `monitoring_datalake.recent_changes` (
  `event_id` STRING NOT NULL,
  `event_timestamp` TIMESTAMP NOT NULL,
  `wiki` STRING,
  `type` STRING,
  `title` STRING,
  `user` STRING,
  `is_bot` BOOL,
  `is_minor` BOOL,
  `bytes_changed` INT64,
  `wiki_page` STRING
)
PARTITION BY DATE(`event_timestamp`)
CLUSTER BY `wiki`;
