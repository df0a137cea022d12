//! Where agent runtimes look for skills, as data: a runtime's name and a skill's in, the path to mount it at out, and how
//! the runtime is led there. Writing mounts, variables and arguments is left to the plan and the policies.
//!
//! A further runtime is a further row; nothing elsewhere knows one by its name.

/// The folder below which a runtime looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// The same in every container.
    Absolute(&'static str),
    /// Below the home folder of the container's user, such as `.claude/skills`.
    Home(&'static str),
}

/// How a runtime is led to its skills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// A variable that lists the folders of the skills, joined by commas.
    Folders(&'static str),
    /// A variable that holds the root.
    Root(&'static str),
    /// An argument that holds the root. Arguments belong to the workload's author; nobody else writes them.
    Argument(&'static str),
    /// It looks into the root by itself.
    Folder,
}

/// Names of all runtimes, in order.
pub static NAMES: [&str; 9] = {
    let mut names = [""; 9];
    let mut index = 0;
    while index < names.len() {
        names[index] = AGENT_LOCATIONS[index].name;
        index += 1;
    }
    names
};

/// Where one runtime looks.
#[derive(Debug, PartialEq, Eq)]
pub struct AgentLocation {
    /// `spec.runtime` of a SkillBinding.
    pub name: &'static str,
    /// The folder that holds one folder for each skill.
    pub root: Root,
    /// How it is led there.
    pub discovery: Discovery,
    /// Where upstream says so.
    pub source: &'static str,
}

/// Why a path cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// The root is below the home folder, and that is not given.
    #[error(
        "runtime {runtime} looks into ~/{folder}: spec.home has to say what ~ is, or each skill its mountPath"
    )]
    NoHome {
        /// The runtime.
        runtime: &'static str,
        /// Its root below the home folder.
        folder: &'static str,
    },
    /// The home folder is no absolute path.
    #[error("spec.home must be an absolute path")]
    HomeNotAbsolute,
}

/// All runtimes, by name.
pub static AGENT_LOCATIONS: [AgentLocation; 9] = [
    AgentLocation {
        name: "agents",
        root: Root::Home(".agents/skills"),
        discovery: Discovery::Folder,
        source: "agentskills.io, folder for all clients",
    },
    AgentLocation {
        name: "claude",
        root: Root::Home(".claude/skills"),
        discovery: Discovery::Folder,
        source: "redhat-et/skillimage, internal/cli/install.go",
    },
    AgentLocation {
        name: "cursor",
        root: Root::Home(".cursor/skills"),
        discovery: Discovery::Folder,
        source: "redhat-et/skillimage, internal/cli/install.go",
    },
    AgentLocation {
        name: "docsclaw",
        root: Root::Absolute("/skills"),
        discovery: Discovery::Argument("--skills-dir"),
        source: "redhat-et/docsclaw, flag --skills-dir",
    },
    AgentLocation {
        name: "kagent",
        root: Root::Absolute("/skills"),
        discovery: Discovery::Root("KAGENT_SKILLS_FOLDER"),
        source: "kagent-dev/kagent, go/core/pkg/env",
    },
    AgentLocation {
        name: "kagenti",
        root: Root::Absolute("/app/skills"),
        discovery: Discovery::Folders(crate::api::names::SKILL_FOLDERS),
        source: "kagenti/agent-examples, SKILL_FOLDERS",
    },
    AgentLocation {
        name: "openclaw",
        root: Root::Home(".openclaw/skills"),
        discovery: Discovery::Folder,
        source: "redhat-et/skillimage, internal/cli/install.go",
    },
    AgentLocation {
        name: "opencode",
        root: Root::Home(".config/opencode/skills"),
        discovery: Discovery::Folder,
        source: "redhat-et/skillimage, internal/cli/install.go",
    },
    AgentLocation {
        name: "windsurf",
        root: Root::Home(".codeium/windsurf/skills"),
        discovery: Discovery::Folder,
        source: "redhat-et/skillimage, internal/cli/install.go",
    },
];

impl AgentLocation {
    /// Finds a runtime by its name, exactly as written.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        AGENT_LOCATIONS.iter().find(|location| location.name == name)
    }

    /// The variable that holds the root, with that root, where it is led so. Such a root is the same in every container.
    pub fn root_variable(&self) -> Option<(&'static str, &'static str)> {
        match (self.discovery, self.root) {
            (Discovery::Root(variable), Root::Absolute(root)) => Some((variable, root)),
            _ => None,
        }
    }

    /// Whether it is led by the variable that lists folders.
    pub fn lists_folders(&self) -> bool {
        matches!(self.discovery, Discovery::Folders(_))
    }

    /// Whether its paths depend on the home folder.
    pub fn needs_home(&self) -> bool {
        matches!(self.root, Root::Home(_))
    }

    /// The folder that holds one folder for each skill.
    ///
    /// # Errors
    /// The root is below the home folder, and that is missing or no absolute path.
    pub fn root(&self, home: Option<&str>) -> Result<String, LocationError> {
        match (self.root, home) {
            (Root::Absolute(root), _) => Ok(root.to_owned()),
            (Root::Home(folder), None | Some("")) => {
                Err(LocationError::NoHome { runtime: self.name, folder })
            }
            (Root::Home(folder), Some(home)) if home.starts_with('/') => {
                Ok(format!("{}/{folder}", home.trim_end_matches('/')))
            }
            (Root::Home(_), Some(_)) => Err(LocationError::HomeNotAbsolute),
        }
    }

    /// Where a skill that names no mount path is mounted.
    ///
    /// # Errors
    /// As [`AgentLocation::root`].
    pub fn mount_path(&self, home: Option<&str>, skill: &str) -> Result<String, LocationError> {
        Ok(format!("{}/{skill}", self.root(home)?))
    }

    /// The argument that the workload's author has to give, such as `--skills-dir=/skills`.
    ///
    /// # Errors
    /// As [`AgentLocation::root`].
    pub fn argument(&self, home: Option<&str>) -> Result<Option<String>, LocationError> {
        match self.discovery {
            Discovery::Argument(flag) => Ok(Some(format!("{flag}={}", self.root(home)?))),
            _ => Ok(None),
        }
    }
}

/// The rows as a table of docs/skill-binding.md.
pub fn markdown() -> String {
    let mut out =
        "| `spec.runtime` | mount root | how it finds skills | source |\n|---|---|---|---|\n".to_owned();
    for location in &AGENT_LOCATIONS {
        let root = match location.root {
            Root::Absolute(root) => format!("`{root}`"),
            Root::Home(folder) => format!("`~/{folder}`"),
        };
        let how = match location.discovery {
            Discovery::Folders(variable) => {
                format!("variable `{variable}`: the folder of each skill, joined by commas")
            }
            Discovery::Root(variable) => format!("variable `{variable}`: the root"),
            Discovery::Argument(flag) => {
                format!("argument `{flag}`: the root; the workload's author writes it")
            }
            Discovery::Folder => "looks into the root by itself".to_owned(),
        };
        out.push_str(&format!("| `{}` | {root} | {how} | {} |\n", location.name, location.source));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_roots_are_clean() {
        let names: Vec<&str> = AGENT_LOCATIONS.iter().map(|location| location.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        for location in &AGENT_LOCATIONS {
            let root = location.root(Some("/home/agent")).expect("a root");
            assert!(root.starts_with('/') && !root.ends_with('/') && !root.contains("//"), "{root}");
            assert_eq!(AgentLocation::by_name(location.name), Some(location));
            // What was set for an earlier runtime is known again without its home.
            let is_set = matches!(location.discovery, Discovery::Root(_));
            assert_eq!(location.root_variable().is_some(), is_set, "{}", location.name);
        }
        assert_eq!(AgentLocation::by_name("Claude"), None);
    }

    /// A skill below a wrong home is mounted where nobody looks, and nothing says so.
    #[test]
    fn a_runtime_below_home_wants_the_home() {
        let claude = AgentLocation::by_name("claude").expect("a runtime");
        assert_eq!(claude.mount_path(Some("/root"), "pdf").as_deref(), Ok("/root/.claude/skills/pdf"));
        assert_eq!(claude.mount_path(Some("/"), "pdf").as_deref(), Ok("/.claude/skills/pdf"));
        let missing = LocationError::NoHome { runtime: "claude", folder: ".claude/skills" };
        assert_eq!(claude.mount_path(None, "pdf"), Err(missing));
        assert_eq!(claude.mount_path(Some(""), "pdf"), Err(missing));
        assert_eq!(claude.mount_path(Some("root"), "pdf"), Err(LocationError::HomeNotAbsolute));
    }

    #[test]
    fn an_absolute_root_needs_no_home() {
        let docsclaw = AgentLocation::by_name("docsclaw").expect("a runtime");
        assert_eq!(docsclaw.mount_path(None, "pdf").as_deref(), Ok("/skills/pdf"));
        assert_eq!(docsclaw.argument(None), Ok(Some("--skills-dir=/skills".to_owned())));
        let kagenti = AgentLocation::by_name("kagenti").expect("a runtime");
        assert_eq!(kagenti.mount_path(Some("/root"), "pdf").as_deref(), Ok("/app/skills/pdf"));
        assert_eq!(kagenti.argument(None), Ok(None));
    }
}
