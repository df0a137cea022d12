//! Writes the generated files of deploy/, the table of rights in docs/deploy.md and that of runtimes in
//! docs/skill-binding.md: `make deploy`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example program at the edge to files"
)]

use std::path::Path;

use kubectl_skills::api::profile::Profile;
use kubectl_skills::install::deploy_files::PROFILE;

fn main() -> Result<(), std::io::Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = kubectl_skills::install::deploy_files::files()
        .into_iter()
        .map(|(path, text)| (root.join("deploy").join(path), text))
        .collect();
    let tables = [
        ("deploy.md", "rights", Profile::by_name(PROFILE).map(kubectl_skills::install::rbac::markdown)),
        ("skill-binding.md", "runtimes", Some(kubectl_skills::api::agent_location::markdown())),
    ];
    for (name, mark, table) in tables {
        let guide = root.join("docs").join(name);
        let text = std::fs::read_to_string(&guide)?;
        if let Some(text) = table.and_then(|table| with_table(&text, mark, &table)) {
            files.push((guide, text));
        }
    }
    let mut changed = 0;
    for (path, text) in files {
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text)?;
        println!("{}", path.display());
        changed += 1;
    }
    println!("{changed} files changed");
    Ok(())
}

/// The guide with the table as it is now; `None` if it has no place for it.
fn with_table(guide: &str, mark: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (before, rest) = guide.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{table}{end}{after}"))
}
