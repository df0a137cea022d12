//! Where the files of skills are read from on this machine: a folder, a zip, a git repository; and the OCI layout that they
//! are packed into. What they mean is left to the library.

pub mod folder;
pub mod git;
pub mod index;
pub mod layout_tar;
pub mod layout_write;
pub mod source;

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
