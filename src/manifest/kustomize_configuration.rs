//! The configuration file that teaches kustomize which fields of AgentRuntime and SkillBinding are names and images: its text, and
//! the command by which people get it. What kustomize makes of it is left to kustomize.

/// Its name, in the examples and in messages.
pub const FILE: &str = "kubectl-skills-configuration.yaml";
/// Its text.
pub const TEXT: &str = include_str!("kubectl-skills-configuration.yaml");
/// The command that writes it, as messages name it.
pub const COMMAND: &str = "kubectl skills fn --kustomize-configuration > kubectl-skills-configuration.yaml";
