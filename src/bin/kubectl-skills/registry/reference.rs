//! Which image: a reference as it was typed in, the registry, repository, tag and digest that it names out.

use std::fmt;
use std::net::IpAddr;

use kubectl_skills::api::image_reference;
use kubectl_skills::skill::oci::Digest;

pub use kubectl_skills::api::image_reference::DOCKER_HUB;

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Host of the registry, and its port if it has one.
    pub registry: String,
    /// Repository in it.
    pub repository: String,
    /// Tag.
    pub tag: Option<String>,
    /// Digest.
    pub digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference by Docker's grammar.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = image_reference::parts(text).ok_or_else(|| {
            format!("{text:?} is no image reference: write HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST, names in lower case")
        })?;
        let (registry, repository) = parts.location();
        let digest = parts.digest.map(Digest::parse).transpose()?;
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.into_owned(),
            tag: parts.tag.map(str::to_owned),
            digest,
        })
    }

    /// `HOST/REPOSITORY`, without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The tag, or `latest` where there is neither a tag nor a digest.
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, Some(_)) => None,
            (None, None) => Some("latest"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = self.tag_or_latest() {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// The host that serves the API of a registry.
pub fn api_host(registry: &str) -> &str {
    if registry == DOCKER_HUB { "registry-1.docker.io" } else { registry }
}

/// Whether a host, perhaps with a port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = without_port(host);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A host without its port, and without the brackets of an IPv6 address.
pub fn without_port(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    /// Anyone who reads a first part as a host that Docker reads as a folder pulls somebody else's image.
    #[test]
    fn references_are_read_as_docker_reads_them() {
        for (text, wanted) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("acme/pdf:1", "docker.io/acme/pdf:1"),
            ("index.docker.io/nginx:1", "docker.io/library/nginx:1"),
            ("docker.io/acme/pdf", "docker.io/acme/pdf:latest"),
            ("test.com:5000", "docker.io/library/test.com:5000"),
            ("localhost/pdf", "localhost/pdf:latest"),
            ("localhost:5000/a/b:x", "localhost:5000/a/b:x"),
            ("[::1]:5000/a", "[::1]:5000/a:latest"),
            ("quay.io/a/b:1@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", ""),
            ("quay.io/a/b@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", ""),
        ] {
            let wanted = if wanted.is_empty() { text } else { wanted };
            assert_eq!(Reference::parse(text).map(|one| one.to_string()), Ok(wanted.to_owned()), "{text}");
        }
        for wrong in
            ["", "A", "quay.io/A/b", "quay.io/a:", "quay.io/a@sha256:1", "https://quay.io/a", "a b", "-a"]
        {
            assert!(Reference::parse(wrong).is_err(), "{wrong:?} was taken");
        }
        assert!(Reference::parse(&format!("quay.io/a@sha512:{}", "0".repeat(128))).is_err());
        assert_eq!(
            Reference::parse(&format!("a@{DIGEST}")).map(|one| one.tag_or_latest().is_none()),
            Ok(true)
        );
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for here in
            ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "a.localhost"]
        {
            assert!(is_loopback(here), "{here}");
        }
        for away in ["localhost.example", "quay.io", "128.0.0.1", "[::2]:5000", "127.0.0.1.nip.io"] {
            assert!(!is_loopback(away), "{away}");
        }
    }
}
