//! The content identity of a skill: what its files are, and nothing of how they were packed. docs/skills.md defines it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::oci::Digest;
use super::tree::{Content, Tree};

/// First line of what is hashed, so that it is the digest of nothing else.
const HEAD: &str = "skill content v1\n";

/// The identity of the files in a folder of a tree: the SHA-256 of a list that has a line for each file, sorted by path:
/// `-`, `x` (executable) or `l` (symbolic link), the SHA-256 of its bytes (of a link's target) and its path in the folder.
pub fn of(tree: &Tree, folder: &str) -> Digest {
    let mut lines: Vec<(&str, String)> = tree
        .below(folder)
        .map(|(path, file)| {
            let (mode, sha256) = match &file.content {
                Content::File(facts) => (if facts.executable { 'x' } else { '-' }, facts.sha256),
                Content::Link(target) => ('l', Sha256::digest(target.as_bytes()).into()),
            };
            (path, format!("{mode} {} {path}\n", hex(&sha256)))
        })
        .collect();
    lines.sort_unstable();
    let mut hash = Sha256::new_with_prefix(HEAD);
    for (_, line) in lines {
        hash.update(line);
    }
    Digest::finish(hash)
}

/// Hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
