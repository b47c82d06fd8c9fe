select
    event_id,
    event_timestamp,
    cast({{ dbt.date_trunc('day', 'event_timestamp') }} as date) as activity_date,
    wiki,
    type as change_type,
    title,
    {{ adapter.quote('user') }} as editor,
    is_bot,
    is_minor,
    bytes_changed
from {{ source('silver', 'recent_changes') }}
where {{ within_days_to_build('event_timestamp') }}
