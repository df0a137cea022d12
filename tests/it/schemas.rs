//! docs/schemas, held against what the program prints, and every sample of the documentation against them.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test may read files and stops at bad data"
)]

use std::path::{Path, PathBuf};

use kubectl_skills::yaml::{self, Document};
use serde_json::Value;

use crate::pages::blocks;
use crate::program::skills;

/// The names of `schema`, the file of each in docs, and by what its documents are known.
const SCHEMAS: [(&str, &str, Option<&str>); 5] = [
    ("skill-binding", "schemas/skill-binding.schema.json", Some("SkillBinding")),
    ("skill-policy", "schemas/skill-policy.schema.json", Some("SkillPolicy")),
    ("skill-lock", "schemas/skill-lock.schema.json", Some("SkillLock")),
    ("config", "schemas/config.schema.json", None),
    ("skills-function", "function-config.schema.json", Some("SkillsFunction")),
];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Editors read the files, not the program. `UPDATE_DOCS=1` writes them.
#[test]
fn the_files_are_what_the_program_prints() {
    for (name, file, _) in SCHEMAS {
        let printed = skills(&["schema", name]).stdout;
        let path = docs().join(file);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &printed).expect(file);
        }
        let written: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect(file)).expect(file);
        let printed: Value = serde_json::from_str(&printed).expect(name);
        assert_eq!(written, printed, "docs/{file}: UPDATE_DOCS=1 cargo test --test it schemas");
    }
    let listed = skills(&["schema"]).stdout;
    for (name, ..) in SCHEMAS {
        assert!(listed.lines().any(|line| line.starts_with(name)), "{listed}");
    }
}

/// Documents of a text; what is no YAML by itself, such as a template, has none.
fn documents(text: &str) -> Vec<Value> {
    let parsed = yaml::split(text).into_iter().filter_map(|slice| {
        let document = Document::parse(slice.text(text)).ok()?;
        document.to_value().ok()
    });
    parsed.collect()
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, out);
        } else {
            out.push(path);
        }
    }
}

/// A reader pastes a sample into an editor that has our schemas: nothing of it may be underlined.
#[test]
fn every_sample_of_the_documentation_is_valid() {
    let validators = SCHEMAS.map(|(name, _, kind)| {
        let schema: Value = serde_json::from_str(&skills(&["schema", name]).stdout).expect(name);
        (kind, jsonschema::validator_for(&schema).expect(name))
    });
    let mut paths = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")];
    files(&docs(), &mut paths);
    let mut seen = std::collections::BTreeSet::new();
    for path in &paths {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let texts = match ending {
            "md" => blocks(&text)
                .into_iter()
                .filter(|(language, _)| language == "yaml")
                .map(|(_, text)| text)
                .collect(),
            "yaml" | "lock" => vec![text],
            _ => continue,
        };
        for value in texts.iter().flat_map(|text| documents(text)) {
            let kind = value["kind"].as_str();
            let Some((_, validator)) = validators.iter().find(|(of, _)| of.is_some() && *of == kind) else {
                continue;
            };
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}: {value:#}\n{errors:#?}", path.display());
            seen.extend(kind.map(str::to_owned));
        }
    }
    let wanted = ["SkillBinding", "SkillLock", "SkillPolicy", "SkillsFunction"];
    assert_eq!(
        seen.iter().map(String::as_str).collect::<Vec<_>>(),
        wanted,
        "no sample of one of them was found"
    );
}
