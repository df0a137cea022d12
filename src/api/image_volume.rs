//! Which servers and container runtimes can mount an image as a volume: version text in, a verdict out.
//!
//! Sources: `pkg/features/kube_features.go` of Kubernetes 1.31 to 1.37 and the runtimes' release notes, as collected in
//! conventions.md section 6.

/// Stage of the feature gate `ImageVolume` in a Kubernetes minor release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not known: before 1.31.
    Absent,
    /// 1.31 and 1.32: alpha, off, no subPath, refused by PodSecurity `restricted`.
    Alpha,
    /// 1.33 and 1.34: beta, off by default.
    BetaOff,
    /// 1.35: beta, on by default.
    BetaOn,
    /// From 1.36 on: always on.
    Stable,
}

impl Stage {
    /// The stage in `1.MINOR`.
    pub fn of(minor: u32) -> Self {
        match minor {
            ..=30 => Self::Absent,
            31 | 32 => Self::Alpha,
            33 | 34 => Self::BetaOff,
            35 => Self::BetaOn,
            36.. => Self::Stable,
        }
    }

    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Absent => "unknown (before 1.31)",
            Self::Alpha => "alpha, off by default",
            Self::BetaOff => "beta, off by default",
            Self::BetaOn => "beta, on by default",
            Self::Stable => "stable, always on",
        }
    }

    /// Whether it is on where nobody switched it.
    pub fn on_by_default(self) -> bool {
        matches!(self, Self::BetaOn | Self::Stable)
    }
}

/// Reads `1.37` out of `v1.37.2-eks-1234`, as (major, minor).
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim_start_matches('v').split(['.', '-', '+']).map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// A release that does not do what its number promises.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownBad {
    /// The runtime's name in `containerRuntimeVersion`.
    pub runtime: &'static str,
    /// The release, `MAJOR.MINOR.PATCH`.
    pub release: &'static str,
    /// What must follow the release: the mark of a distribution's own build; empty for every build.
    pub build: &'static str,
    /// Under which circumstances, which the node does not tell; empty for always.
    pub only: &'static str,
    /// What it does.
    pub does: &'static str,
    /// What to do.
    pub mend: &'static str,
    /// Where it is reported.
    pub source: &'static str,
}

/// The releases that are known not to do what their number promises. A further one is a further row.
pub static KNOWN_BAD: [KnownBad; 2] = [
    KnownBad {
        runtime: "containerd",
        release: "2.2.3",
        build: "-k3s",
        only: "",
        does: "mounts image volumes empty: pods start, and have no skills",
        mend: "update k3s to 1.36.2, which has containerd 2.3.2",
        source: "k3s-io/k3s#14323",
    },
    KnownBad {
        runtime: "containerd",
        release: "2.3.1",
        build: "",
        only: "with the snapshotter erofs",
        does: "cannot mount image volumes: pods with skills do not start",
        mend: "update containerd, or use the snapshotter overlayfs",
        source: "containerd/containerd#13534",
    },
];

impl KnownBad {
    fn is(&self, runtime: &str, release: &str) -> bool {
        let release = release.trim_start_matches('v');
        runtime == self.runtime
            && release.strip_prefix(self.release).is_some_and(|rest| {
                rest.starts_with(self.build)
                    && !rest.starts_with(|next: char| next.is_ascii_digit() || next == '.')
            })
    }
}

/// What a node's container runtime makes of image volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// Mounts them, subPath as well.
    Full,
    /// Mounts them; a subPath silently mounts the whole image.
    NoSubPath,
    /// Its number promises more than it does.
    Bad(&'static KnownBad),
    /// Cannot.
    Unable,
    /// Not known to us.
    Unknown,
}

/// Judges `status.nodeInfo.containerRuntimeVersion`, such as `containerd://2.1.4` or `cri-o://1.33.0`.
pub fn runtime(text: &str) -> Runtime {
    let Some((name, release)) = text.split_once("://") else { return Runtime::Unknown };
    if let Some(bad) = KNOWN_BAD.iter().find(|bad| bad.is(name, release)) {
        return Runtime::Bad(bad);
    }
    let Some(release) = version(release) else { return Runtime::Unknown };
    match name {
        "containerd" if release >= (2, 2) => Runtime::Full,
        "containerd" if release >= (2, 1) => Runtime::NoSubPath,
        "cri-o" if release >= (1, 33) => Runtime::Full,
        "cri-o" if release >= (1, 31) => Runtime::NoSubPath,
        "containerd" | "cri-o" | "docker" => Runtime::Unable,
        _ => Runtime::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_those_of_the_source() {
        let stages: Vec<Stage> = [30, 31, 32, 33, 34, 35, 36, 40].map(Stage::of).into();
        use Stage::{Absent, Alpha, BetaOff, BetaOn, Stable};
        assert_eq!(stages, [Absent, Alpha, Alpha, BetaOff, BetaOff, BetaOn, Stable, Stable]);
    }

    /// Skills that silently are not there are the worst that a node can do.
    #[test]
    fn runtimes_are_known_by_their_release() {
        for (text, expected) in [
            ("containerd://1.7.28", Runtime::Unable),
            ("containerd://2.0.5", Runtime::Unable),
            ("containerd://2.1.0-k3s1", Runtime::NoSubPath),
            ("containerd://2.2.0+unknown", Runtime::Full),
            ("containerd://v2.10.1", Runtime::Full),
            ("cri-o://1.30.9", Runtime::Unable),
            ("cri-o://1.31.0", Runtime::NoSubPath),
            ("cri-o://1.33.0", Runtime::Full),
            ("docker://27.0.1", Runtime::Unable),
            ("new://1.0", Runtime::Unknown),
            ("containerd://Unknown", Runtime::Unknown),
            ("containerd://2.2.3-k3s1", Runtime::Bad(&KNOWN_BAD[0])),
            ("containerd://2.2.3", Runtime::Full),
            ("containerd://2.2.30-k3s1", Runtime::Full),
            ("containerd://2.2.4-k3s1", Runtime::Full),
            ("containerd://v2.3.1", Runtime::Bad(&KNOWN_BAD[1])),
            ("containerd://2.3.1+unknown", Runtime::Bad(&KNOWN_BAD[1])),
            ("containerd://2.3.2-k3s2", Runtime::Full),
            ("cri-o://2.3.1", Runtime::Full),
            ("", Runtime::Unknown),
        ] {
            assert_eq!(runtime(text), expected, "{text}");
        }
        assert_eq!(version("v1.33.13-gke.1"), Some((1, 33)));
        assert_eq!(version("v1.33+"), Some((1, 33)));
    }
}
