{#- One value that tells the rows of a daily mart apart: `2026-11-20/NAME`. -#}
{% macro day_key(name) -%}
    {{ dbt.concat(["cast(activity_date as " ~ dbt.type_string() ~ ")", "'/'", name]) }}
{%- endmacro %}
