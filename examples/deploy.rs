//! Writes the generated files of deploy/ and the table of rights in docs/deploy.md: `make deploy`.
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
    let guide = root.join("docs/deploy.md");
    if let Some(text) = with_rights(&std::fs::read_to_string(&guide)?) {
        files.push((guide, text));
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

/// The guide with the table of rights as it is now; none where it has no place for it.
fn with_rights(guide: &str) -> Option<String> {
    const BEGIN: &str = "<!-- rights -->\n";
    let profile = Profile::by_name(PROFILE)?;
    let (before, rest) = guide.split_once(BEGIN)?;
    let (_, after) = rest.split_once("<!-- /rights -->")?;
    Some(format!(
        "{before}{BEGIN}{}<!-- /rights -->{after}",
        kubectl_skills::install::rbac::markdown(profile)
    ))
}
