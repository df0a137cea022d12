//! docs/function.md, held against what the function reads.

#![allow(clippy::disallowed_methods, reason = "a test may read files")]

use kubectl_skills::manifest::function_config::{OPTIONS, OptionKind};

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An option that is not documented is found by nobody; one that is documented and gone is refused to whoever uses it.
#[test]
fn the_page_lists_every_option() {
    let rows: Vec<String> = OPTIONS
        .iter()
        .map(|option| {
            let kind = match option.kind {
                OptionKind::Flag(_) => "boolean",
                OptionKind::Text(_) => "text",
                OptionKind::Profile => "profile",
                OptionKind::PodTemplatePaths => "texts",
                OptionKind::View => "view",
                OptionKind::Gates => "gates",
                OptionKind::ConfigMaps => "ConfigMaps",
                OptionKind::AgentRuntimes => "AgentRuntimes",
                OptionKind::SkillBindings => "SkillBindings",
            };
            format!("| `{}` | {kind} | {} |", option.name, option.text)
        })
        .collect();
    let page = file("function.md");
    let table = page.split("| option | type | what it does |\n|---|---|---|\n").nth(1).unwrap_or_default();
    assert_eq!(table.lines().take(rows.len() + 1).collect::<Vec<_>>(), [rows, vec![String::new()]].concat());
}
