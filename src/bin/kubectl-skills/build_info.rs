//! Of what the program was built, by whom and when: what the build said, which is nothing unless it was made by
//! `hack/release.sh`.

use serde_json::{Value, json};

/// Of a build that says nothing.
const UNKNOWN: &str = "unknown";

/// What is known of this build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    /// The commit; `-dirty` after it where files were changed.
    pub commit: String,
    /// When that was made, in UTC.
    pub date: String,
    /// `linux/amd64`, as Go and images name it.
    pub platform: String,
    /// The compiler.
    pub rustc: String,
    /// Features of the program, in order.
    pub features: Vec<&'static str>,
}

impl BuildInfo {
    /// Of this program.
    pub fn of_program() -> Self {
        Self {
            commit: said(option_env!("KUBECTL_SKILLS_COMMIT")),
            date: option_env!("SOURCE_DATE_EPOCH")
                .and_then(day_and_time)
                .unwrap_or_else(|| UNKNOWN.to_owned()),
            platform: format!("{}/{}", os(), architecture()),
            rustc: said(option_env!("KUBECTL_SKILLS_RUSTC")),
            features: features(),
        }
    }

    /// For machines.
    pub fn value(&self) -> Value {
        json!({
            "commit": self.commit, "date": self.date, "platform": self.platform, "rustc": self.rustc,
            "features": self.features,
        })
    }
}

fn said(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or(UNKNOWN).to_owned()
}

/// Seconds since 1970 as a time.
fn day_and_time(seconds: &str) -> Option<String> {
    let time = jiff::Timestamp::from_second(seconds.parse().ok()?).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The system, as Go and images name it.
pub(crate) fn os() -> &'static str {
    os_in_go(std::env::consts::OS)
}

/// The machine, as Go and images name it.
pub(crate) fn architecture() -> &'static str {
    architecture_in_go(std::env::consts::ARCH)
}

fn os_in_go(name: &str) -> &str {
    if name == "macos" { "darwin" } else { name }
}

fn architecture_in_go(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn features() -> Vec<&'static str> {
    [
        ("cluster", cfg!(feature = "cluster")),
        ("controller", cfg!(feature = "controller")),
        ("otlp", cfg!(feature = "otlp")),
        ("registry", cfg!(feature = "registry")),
        ("webhook", cfg!(feature = "webhook")),
    ]
    .into_iter()
    .filter_map(|(name, is_on)| is_on.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bug report without a commit is to say so, not to name one that it was not.
    #[test]
    fn what_the_build_did_not_say_is_unknown() {
        assert_eq!(said(None), "unknown");
        assert_eq!(said(Some("")), "unknown");
        assert_eq!(said(Some("abc")), "abc");
        assert_eq!(day_and_time("1700000000").as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(day_and_time("yesterday"), None);
        assert_eq!(
            (os_in_go("macos"), architecture_in_go("x86_64"), architecture_in_go("riscv64")),
            ("darwin", "amd64", "riscv64")
        );
    }
}
