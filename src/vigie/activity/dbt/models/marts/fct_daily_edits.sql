{{ config(partition_by={'field': 'activity_date', 'data_type': 'date'} if target.type == 'bigquery' else none) }}

select
    {{ day_key('wiki') }} as wiki_day,
    activity_date,
    wiki,
    count(*) as changes,
    {{ count_where("change_type in ('edit', 'new')") }} as edits,
    {{ count_where("change_type in ('edit', 'new') and is_bot") }} as bot_edits,
    {{ count_where("change_type in ('edit', 'new') and is_minor") }} as minor_edits,
    coalesce(sum(case when bytes_changed > 0 then bytes_changed end), 0) as bytes_added,
    coalesce(-sum(case when bytes_changed < 0 then bytes_changed end), 0) as bytes_removed,
    count(distinct case when change_type in ('edit', 'new') then editor end) as editors,
    count(distinct title) as titles
from {{ ref('stg_recent_changes') }}
group by activity_date, wiki
