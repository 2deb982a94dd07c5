//! The file that tells `kubectl` where the server is and how to trust it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// The parts of a kubeconfig that depend on the server.
pub(crate) struct Kubeconfig<'a> {
    /// `http://host:port` or `https://host:port`.
    pub(crate) server: &'a str,
    /// The authority's certificate in PEM.
    pub(crate) authority: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
}

impl Kubeconfig<'_> {
    /// The file's text.
    pub(crate) fn render(&self) -> String {
        let mut text = String::from("apiVersion: v1\nkind: Config\nclusters:\n- name: ringfence\n");
        let _ = write!(text, "  cluster:\n    server: {}\n", self.server);
        if let Some(authority) = self.authority {
            let data = STANDARD.encode(authority);
            let _ = writeln!(text, "    certificate-authority-data: {data}");
        }
        text.push_str("users:\n- name: ringfence\n");
        match self.token {
            Some(token) => {
                let _ = write!(text, "  user:\n    token: {}\n", quoted(token));
            }
            None => text.push_str("  user: {}\n"),
        }
        text.push_str("contexts:\n- name: ringfence\n  context:\n    cluster: ringfence\n");
        text.push_str("    user: ringfence\n    namespace: default\ncurrent-context: ringfence\n");
        text
    }
}

/// A JSON string is a YAML string whatever the token holds.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_names_server_authority_and_token() {
        let config = Kubeconfig {
            server: "https://127.0.0.1:6443",
            authority: Some("PEM"),
            token: Some("se\"cret"),
        };
        let parsed: kube::config::Kubeconfig =
            kube::config::Kubeconfig::from_yaml(&config.render()).unwrap();
        let cluster = parsed.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:6443"));
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("UEVN"));
        assert_eq!(parsed.current_context.as_deref(), Some("ringfence"));
    }
}
