//! The one integration test binary.

mod bystanders;
mod cli;
mod cli_cases;
mod cli_help;
mod cli_in_place;
mod compatibility;
mod deploy_files;
mod function_docs;
mod gates_oracle;
mod golden;
mod hostile;
mod in_place_stress;
mod one_verdict;
mod one_verdict_vectors;
mod program;
mod quirks;
mod quirks_cluster;
mod safe_plans;
mod scenario;
mod schema_oracle;
mod status_and_plan;
mod vectors;
mod vectors_binary;
mod vectors_hash;
mod vectors_reconcile;
mod vectors_validate;
