//! Where the files of skills are read from on this machine: a folder, a zip, a git repository; and the OCI layout that they
//! are packed into. What they mean is left to the library.

pub mod folder;
pub mod git;
pub mod index;
pub mod layout_tar;
pub mod layout_write;
pub mod source;
#[cfg(feature = "registry")]
mod stage;
#[cfg(feature = "registry")]
pub mod unpack;

use std::path::{Path, PathBuf};

use clap::Args;
use kubectl_skills::skill::limits::Limits;

/// The tag of `[NAME:]TAG`, as registries take one.
pub fn tag(text: &str) -> Result<String, String> {
    let tag = text.rsplit(':').next().unwrap_or(text);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let fits = tag.bytes().next().is_some_and(is_word)
        && tag.len() <= 128
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'));
    if fits {
        Ok(tag.to_owned())
    } else {
        Err("a tag is up to 128 letters, digits, _, . and -, the first no . or -".into())
    }
}

/// Path and name of `PATH`, `PATH:NAME` or `PATH@sha256:DIGEST`; a path that is there is taken whole.
pub fn layout(word: &str) -> (&str, Option<String>) {
    if Path::new(word).exists() {
        return (word, None);
    }
    if let Some((path, digest)) = word.rsplit_once("@sha256:") {
        return (path, Some(format!("sha256:{digest}")));
    }
    // A name may itself have slashes and colons: what is there decides, else the first colon below the folders that are there.
    let there =
        word.match_indices(':').find(|(at, _)| word.get(..*at).is_some_and(|path| Path::new(path).exists()));
    let folder = Path::new(word).ancestors().find(|path| path.exists());
    let known = folder.map_or(0, |folder| folder.as_os_str().len());
    let first = || word.match_indices(':').find(|(at, _)| *at >= known);
    match there.or_else(first).and_then(|(at, _)| word.split_at_checked(at)) {
        Some((path, name)) => {
            (path, Some(name.trim_start_matches(':').to_owned()).filter(|name| !name.is_empty()))
        }
        None => (word, None),
    }
}

/// Path and tag of a layout that is to be written; a tag is given alongside the path or after its last colon.
///
/// # Errors
/// Both are given, or what stands there is no tag.
pub fn layout_to(word: &str, given: Option<&str>) -> Result<(PathBuf, Option<String>), String> {
    let (path, name) = layout(word.strip_prefix("oci:").unwrap_or(word));
    let name = name.map(|name| match &given {
        Some(_) => Err(format!("--to {word}: the tag is given twice, here and with -t")),
        None if name.starts_with("sha256:") => {
            Err(format!("--to {word}: the digest is that of what is written; give a tag"))
        }
        None => tag(&name).map_err(|why| format!("--to {word}: {why}")),
    });
    Ok((path.into(), name.transpose()?.or_else(|| given.map(str::to_owned))))
}

/// How much is read at most.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Files of a skill
    #[arg(long, default_value_t = Limits::default().files, value_name = "N")]
    max_files: u64,
    /// Size of a file
    #[arg(long, default_value = "50Mi", value_parser = size, value_name = "SIZE")]
    max_file_size: u64,
    /// Size of a skill
    #[arg(long, default_value = "128Mi", value_parser = size, value_name = "SIZE")]
    max_skill_size: u64,
    /// Size of an image, packed and unpacked
    #[arg(long, default_value = "256Mi", value_parser = size, value_name = "SIZE")]
    max_image_size: u64,
    /// Files, folders, links and removals of all layers
    #[arg(long, default_value_t = Limits::default().entries, value_name = "N")]
    max_entries: u64,
}

impl LimitArgs {
    /// As the library takes them.
    pub fn limits(self) -> Limits {
        Limits {
            files: self.max_files,
            skill_bytes: self.max_skill_size,
            image_bytes: self.max_image_size,
            file_bytes: self.max_file_size,
            entries: self.max_entries,
            ..Limits::default()
        }
    }
}

/// Bytes, as Kubernetes writes them: `50Mi`, `1G`, `4096`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "" => 1,
        "k" => 1000,
        "Ki" => 1 << 10,
        "M" => 1_000_000,
        "Mi" => 1 << 20,
        "G" => 1_000_000_000,
        "Gi" => 1 << 30,
        _ => return Err("a size is a number, and k, Ki, M, Mi, G or Gi".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a size begins with a whole number".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "too large".to_owned())
}

/// Bytes for people.
pub fn human(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for larger in ["KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_in_kubernetes() {
        assert_eq!((size("50Mi"), size("4096"), size("1G")), (Ok(50 << 20), Ok(4096), Ok(1_000_000_000)));
        for wrong in ["", "Mi", "-1", "1MB", "1.5Mi", "99999999999Gi"] {
            assert!(size(wrong).is_err(), "{wrong:?} would be a size");
        }
        assert_eq!(
            (human(1023), human(1536), human(97 << 20)),
            ("1023 B".into(), "1.5 KiB".into(), "97.0 MiB".into())
        );
    }
}
