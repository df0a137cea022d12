//! Bytes of files and of standard input as text: bounded, UTF-8, and nothing that is no file. Which files are read is
//! left to the parent.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::Path;

use kubectl_skills::api::error::InputError;
use kubectl_skills::api::object::Origin;
use serde::de::IgnoredAny;

use super::defect;
use crate::exit::Failure;

/// Name of standard input in messages.
pub(super) const STDIN: &str = "-";
/// Largest file and largest standard input, in bytes: 512 MiB.
const LARGEST: u64 = 512 << 20;

/// Reads standard input to its end.
pub fn read_stdin() -> Result<String, Failure> {
    utf8(stdin_bytes()?, STDIN).map_err(|error| Failure::Input(vec![error]))
}

/// Reads a file that a flag names.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    named_file(path).map_err(|error| Failure::Input(vec![error]))
}

/// Reads a file that the user has named. Pipes of the shell's `<(...)` are read as well.
pub(super) fn named_file(path: &Path) -> Result<String, InputError> {
    if let Ok(about) = path.metadata()
        && let Some(kind) = special(&about)
        && !(kind == PIPE && is_descriptor(path))
    {
        let help = if kind == PIPE { "pipe its content in: ... -f - < PIPE" } else { "name a file" };
        return Err(defect(path, &format!("is a {kind}, and no file"), help));
    }
    regular_file(path)
}

/// Reads a file of a folder; none for JSON with comments, which editors and compilers keep among manifests and
/// Kubernetes does not read.
pub(super) fn manifest_of_folder(path: &Path) -> Result<Option<String>, InputError> {
    let text = regular_file(path)?;
    let is_json = path.extension().is_some_and(|ending| ending == "json");
    Ok((!is_json || !is_json_with_comments(&text)).then_some(text))
}

fn regular_file(path: &Path) -> Result<String, InputError> {
    let failed = |error: std::io::Error| {
        let help = if error.kind() == ErrorKind::NotFound { "check the name" } else { "" };
        defect(path, &format!("cannot be read: {error}"), help)
    };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_or(0, |about| about.len());
    let bytes = bounded(file, size).map_err(failed)?;
    utf8(bytes, &path.display().to_string())
}

pub(super) fn stdin_bytes() -> Result<Vec<u8>, Failure> {
    let read = bounded(std::io::stdin().lock(), stdin_size().unwrap_or(0));
    read.map_err(|error| Failure::Io("standard input".into(), error))
}

/// Reads to the end, and no more than [`LARGEST`]. A text is read into memory of its size: to grow step by step takes
/// twice as much of it.
pub(super) fn bounded(reader: impl Read, size: u64) -> std::io::Result<Vec<u8>> {
    let too_large = || std::io::Error::other(format!("larger than {} MiB; split it", LARGEST >> 20));
    if size > LARGEST {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    reader.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST { Err(too_large()) } else { Ok(bytes) }
}

/// Bytes of standard input, if it is a file.
#[cfg(unix)]
fn stdin_size() -> Option<u64> {
    use std::os::fd::AsFd as _;
    let file = File::from(std::io::stdin().as_fd().try_clone_to_owned().ok()?);
    Some(file.metadata().ok().filter(Metadata::is_file)?.len())
}

#[cfg(not(unix))]
fn stdin_size() -> Option<u64> {
    None
}

const PIPE: &str = "named pipe";

/// What a path is that is neither a file nor a folder.
#[cfg(unix)]
pub(super) fn special(about: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = about.file_type();
    match () {
        () if kind.is_fifo() => Some(PIPE),
        () if kind.is_socket() => Some("socket"),
        () if kind.is_char_device() || kind.is_block_device() => Some("device"),
        () => None,
    }
}

#[cfg(not(unix))]
pub(super) fn special(_: &Metadata) -> Option<&'static str> {
    None
}

/// Whether a path stands for an open descriptor, as the shell's `<(...)` does.
fn is_descriptor(path: &Path) -> bool {
    ["/dev/", "/proc/"].iter().any(|folder| path.starts_with(folder))
}

/// Whether a text is JSON but for comments and commas before a closing bracket.
fn is_json_with_comments(text: &str) -> bool {
    let is_json = |text: &str| {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        values.all(|value| value.is_ok())
    };
    !is_json(text) && is_json(&without_comments(text.trim_start_matches('\u{feff}')))
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let length = match char {
            '"' => string_end(rest),
            '/' if rest.starts_with("//") => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest.split_once("*/").map_or("", |(_, after)| after);
                continue;
            }
            '}' | ']' => {
                let kept = out.trim_end().strip_suffix(',').map(str::len);
                out.truncate(kept.unwrap_or(out.len()));
                1
            }
            other => other.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// Length of the string that a text begins with.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().enumerate().skip(1).find(|(_, byte)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

pub(super) fn utf8(bytes: Vec<u8>, name: &str) -> Result<String, InputError> {
    let origin = |line| Origin { file: name.to_owned(), document: 0, line };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(InputError {
            origin: origin(0),
            message: "the text is UTF-16, and YAML for Kubernetes is UTF-8".into(),
            help: "convert it: iconv -f UTF-16 -t UTF-8".into(),
            ..InputError::default()
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        // Valid up to there, so whole characters.
        let before = String::from_utf8_lossy(&bytes[..at]);
        let line = before.rsplit('\n').next().unwrap_or_default();
        InputError {
            origin: origin(before.matches('\n').count() + 1),
            column: line.chars().count() + 1,
            message: format!("the byte 0x{:02x} is not UTF-8", bytes[at]),
            help: "save the file as UTF-8; iconv -t UTF-8 converts it".into(),
            ..InputError::default()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> String {
        utf8(bytes.to_vec(), "web.yaml")
            .map_or_else(|error| error.to_string(), |text| format!("read {text:?}"))
    }

    /// "invalid utf-8 sequence of 1 bytes from index 48211" helps nobody.
    #[test]
    fn a_byte_that_is_no_text_is_reported_by_line_and_column() {
        assert_eq!(read("a: ü\r\nb: \u{e9}x\n".as_bytes()), "read \"a: ü\\r\\nb: éx\\n\"");
        assert_eq!(
            read(b"a: \xc3\xbc\nname: caf\xe9\n"),
            "web.yaml:2:10: the byte 0xe9 is not UTF-8 (save the file as UTF-8; iconv -t UTF-8 converts it)"
        );
        assert_eq!(
            read(b"\xff\xfea\x00"),
            "web.yaml: the text is UTF-16, and YAML for Kubernetes is UTF-8 (convert it: iconv -f UTF-16 -t UTF-8)"
        );
    }

    /// A reader that never ends must not take all memory.
    #[test]
    fn no_more_than_the_limit_is_read() {
        assert!(bounded(std::io::empty(), LARGEST + 1).is_err(), "a file that is known to be too large");
        assert_eq!(bounded(&b"abc"[..], 3).unwrap(), b"abc");
    }

    /// An editor's settings among manifests must not stop a run, and broken JSON must not be skipped.
    #[test]
    fn json_with_comments_is_known_from_broken_json() {
        for (text, expected) in [
            ("{\n  // kind: Deployment\n  \"a\": [1, 2,], /* b */\n}\n", true),
            ("{\"a\": \"// no comment\"}", false),
            ("{\"a\": 1} {\"b\": \"\\\"//\"}", false),
            ("{\"a\": 1,}", true),
            ("{\"a\": 1", false),
            ("{\"a\": // b\n", false),
            ("{a: 1} // b", false),
        ] {
            assert_eq!(is_json_with_comments(text), expected, "{text:?}");
        }
    }
}
