//! The names. A new function of the engine is not available until somebody has read what it does and put it here.

const SCALAR: &[&str] = &[
    // text
    "ascii",
    "bit_length",
    "btrim",
    "char_length",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "contains",
    "ends_with",
    "find_in_set",
    "initcap",
    "instr",
    "left",
    "length",
    "levenshtein",
    "lower",
    "ltrim",
    "octet_length",
    "position",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "replace",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "substring",
    "substring_index",
    "to_hex",
    "translate",
    "trim",
    "upper",
    // time
    "current_date",
    "current_time",
    "current_timestamp",
    "date_bin",
    "date_part",
    "date_trunc",
    "datepart",
    "datetrunc",
    "date_format",
    "from_unixtime",
    "make_date",
    "now",
    "to_char",
    "to_date",
    "to_local_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_seconds",
    "to_unixtime",
    "today",
    // choice
    "coalesce",
    "greatest",
    "ifnull",
    "least",
    "nullif",
    "nvl",
    "nvl2",
    // lists
    "array_contains",
    "array_distinct",
    "array_element",
    "array_has",
    "array_has_all",
    "array_has_any",
    "array_join",
    "array_length",
    "array_max",
    "array_min",
    "array_position",
    "array_sort",
    "array_to_string",
    "cardinality",
    "make_array",
    // ours; `list_any` and `concat_strict` are what the rewrite writes
    "match",
    "cidr",
    "prefix",
    "is_private",
    "regexp_group",
    "list_any",
    "concat_strict",
    // a row of each element; the planner knows it, it is no function of the registry
    "unnest",
];

const AGGREGATE: &[&str] = &[
    "any_value",
    "approx_distinct",
    "approx_median",
    "approx_percentile_cont",
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "first_value",
    "grouping",
    "last_value",
    "max",
    "mean",
    "median",
    "min",
    "nth_value",
    "percentile_cont",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var",
    "var_pop",
    "var_samp",
];

const WINDOW: &[&str] = &[
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

const DENIED: &[(&str, &[&str])] = &[
    (
        "a few characters of it could fill the memory",
        &[
            "repeat",
            "range",
            "generate_series",
            "array_repeat",
            "list_repeat",
            "array_resize",
            "list_resize",
            "lpad",
            "rpad",
            "space",
            "overlay",
        ],
    ),
    (
        "it tells about the server, not about events",
        &["version", "arrow_metadata", "pg_sleep", "sleep", "current_user", "session_user"],
    ),
    ("files are not reachable from SQL", &["read_csv", "read_parquet", "read_text", "parquet_metadata", "glob", "copy"]),
];

pub(crate) fn is_scalar(name: &str) -> bool {
    SCALAR.contains(&name)
}

pub(crate) fn is_aggregate(name: &str) -> bool {
    AGGREGATE.contains(&name) || matches!(name, "var_sample")
}

pub(crate) fn is_window(name: &str) -> bool {
    WINDOW.contains(&name)
}

pub(crate) fn is_allowed(name: &str) -> bool {
    SCALAR.contains(&name) || AGGREGATE.contains(&name) || WINDOW.contains(&name)
}

pub(crate) fn allowed_names() -> impl Iterator<Item = &'static str> {
    SCALAR.iter().chain(AGGREGATE).chain(WINDOW).copied()
}

pub(crate) fn why_denied(name: &str) -> Option<&'static str> {
    DENIED.iter().find(|(_, names)| names.contains(&name)).map(|(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_is_not_allowed() {
        for (_, names) in DENIED {
            for name in *names {
                assert!(!is_allowed(name), "{name}");
            }
        }
    }

    #[test]
    fn every_allowed_name_exists() {
        use datafusion::execution::SessionStateDefaults as Defaults;
        let mut names: Vec<String> = Vec::new();
        for function in Defaults::default_scalar_functions() {
            names.push(function.name().to_owned());
            names.extend(function.aliases().iter().cloned());
        }
        for function in Defaults::default_aggregate_functions() {
            names.push(function.name().to_owned());
            names.extend(function.aliases().iter().cloned());
        }
        for function in Defaults::default_window_functions() {
            names.push(function.name().to_owned());
            names.extend(function.aliases().iter().cloned());
        }
        let ours = ["match", "cidr", "prefix", "is_private", "regexp_group", "list_any", "concat_strict", "unnest"];
        let missing: Vec<_> =
            allowed_names().filter(|name| !ours.contains(name) && !names.iter().any(|known| known == name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
