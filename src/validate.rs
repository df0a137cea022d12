//! Would the API server (CRD schema) and the operator's webhook accept an AgentRuntime, and in which words.
