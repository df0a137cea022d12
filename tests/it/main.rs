//! The one integration test binary.

#[macro_use]
mod skill_maps;

mod bystanders;
mod cli;
mod cli_cases;
mod cli_help;
mod cli_in_place;
mod compatibility;
mod day_two;
mod deploy_files;
mod dialects;
mod docs;
#[path = "../executable.rs"]
mod executable;
mod function_docs;
mod gates_oracle;
mod golden;
mod hostile;
mod hostile_images;
mod in_place_stress;
mod left_out;
mod lint;
mod lint_verdicts;
mod live_removal;
mod locked;
mod migrate;
mod migrate_images;
mod migrate_names;
mod migrate_references;
mod one_verdict;
mod one_verdict_vectors;
mod orphans;
// Pages are about a build with the default features.
#[cfg(all(unix, feature = "controller", feature = "webhook", feature = "otlp", feature = "registry"))]
mod pages;
mod program;
mod quirks;
mod quirks_cluster;
mod refused_values;
mod render_delivery;
mod runtime_changes;
mod safe_plans;
mod scenario;
mod schema_oracle;
mod schemas;
mod skill_binding_rules;
mod skill_bindings;
mod skill_cards;
mod skill_formats;
mod skill_frontmatter;
mod skill_hostile;
mod skill_image;
mod skill_pack;
mod skill_policy;
mod slips;
mod status_and_plan;
mod vectors;
mod vectors_binary;
mod vectors_hash;
mod vectors_reconcile;
mod vectors_validate;
