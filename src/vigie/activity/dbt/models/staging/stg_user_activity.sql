select
    event_id,
    user_id,
    session_id,
    event_timestamp,
    cast({{ dbt.date_trunc('day', 'event_timestamp') }} as date) as activity_date,
    action,
    page,
    device,
    is_bot,
    schema_version
from {{ source('silver', 'user_activity') }}
where {{ within_days_to_build('event_timestamp') }}
